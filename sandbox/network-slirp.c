/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for slirp4netns(1), which is asked for ports by a socket of its own. */
#include "sandbox/network-internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"

#define HELPER           "slirp4netns"
#define ANSWER_MAX_BYTES 65536

static int start_helper(struct network *network, const char *socket_path, int log_fd,
			int *out_ready_fd, struct err *err)
{
	const char *argv[] = { HELPER,
			       "--configure",
			       "--mtu=" NETWORK_MTU,
			       "--disable-host-loopback",
			       "--netns-type=path",
			       "--ready-fd=3",
			       "--exit-fd=4",
			       "--api-socket",
			       socket_path,
			       "/proc/self/fd/5",
			       NETWORK_DEVICE,
			       NULL };
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_close int ready_read = -1;
	auto_close int ready_write = -1;
	auto_close int exit_read = -1;

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (network_pipe(&ready_read, &ready_write, err) < 0 ||
	    network_pipe(&exit_read, &network->keep_fd, err) < 0)
		return -1;
	const struct proc_fd fds[] = {
		{ null_fd, 0 },     { null_fd, 1 },   { log_fd, 2 },
		{ ready_write, 3 }, { exit_read, 4 }, { network->ns_fd, 5 }
	};
	const struct proc_spec spec = {
		.argv = argv, .fds = fds, .fd_count = 6, .new_group = true
	};

	if (child_start(&network->helper, &spec, err) < 0)
		return -1;
	*out_ready_fd = fd_steal(&ready_read);
	return 0;
}

static int wait_ready(int ready_fd, int log_fd, struct err *err)
{
	auto_strbuf struct strbuf said = STRBUF_INIT;

	if (network_is_ready(ready_fd))
		return 0;
	err_set(err, ERR_SYSTEM, HELPER " could not set up the network");
	network_said(log_fd, &said);
	if (said.len > 0)
		err_detail(err, "%.*s", (int)strcspn(said.data, "\n"), said.data);
	return -1;
}

static int ask(const char *socket_path, const char *request, struct strbuf *answer, struct err *err)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(socket_path) >= sizeof(name.sun_path))
		return err_set(err, ERR_SYSTEM, "the path '%s' is too long for a socket",
			       socket_path);
	strcpy(name.sun_path, socket_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		return err_sys(err, "reach " HELPER);
	if (fd_write_all(fd, request, strlen(request), HELPER, err) < 0)
		return -1;
	shutdown(fd, SHUT_WR);
	return fd_read_all(fd, ANSWER_MAX_BYTES, answer, HELPER, err);
}

static int publish(const char *socket_path, const char *text, struct err *err)
{
	auto_network_port struct network_port port = { .address = NULL };
	auto_strbuf struct strbuf answer = STRBUF_INIT;
	auto_free char *request = NULL;
	auto_json struct json *json = NULL;
	const char *why;

	if (network_port_parse(text, &port, err) < 0)
		return -1;
	request = str_format("{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"%s\","
			     "\"host_addr\":\"%s\",\"host_port\":%u,\"guest_port\":%u}}",
			     port.is_udp ? "udp" : "tcp", port.address ? port.address : "0.0.0.0",
			     port.host, port.container);
	if (ask(socket_path, request, &answer, err) < 0)
		return -1;
	json = json_parse(answer.data ? answer.data : "", answer.len, HELPER, err);
	if (!json)
		return -1;
	why = json_string(json_get(json_get(json, "error"), "desc"));
	if (why)
		return err_set(err, ERR_SYSTEM, "--publish '%s': %s", text, why);
	return 0;
}

static int publish_all(const char *socket_path, const struct strlist *ports, struct err *err)
{
	for (size_t i = 0; i < ports->count; i++)
		if (publish(socket_path, ports->items[i], err) < 0)
			return -1;
	return 0;
}

int network_slirp_start(struct network *network, const struct strlist *ports, struct err *err)
{
	auto_close int ready_fd = -1;
	auto_close int log_fd = memfd_create(HELPER, MFD_CLOEXEC);
	char dir[] = "/tmp/imgrun-net.XXXXXX";
	auto_free char *socket_path = NULL;
	int result;

	if (log_fd < 0)
		return err_sys(err, "make a memory file");
	if (!mkdtemp(dir))
		return err_sys(err, "make '%s'", dir);
	socket_path = str_format("%s/api", dir);
	result = start_helper(network, socket_path, log_fd, &ready_fd, err);
	if (result == 0)
		result = wait_ready(ready_fd, log_fd, err);
	if (result == 0)
		result = publish_all(socket_path, ports, err);
	/* nothing is asked any more */
	(void)unlink(socket_path);
	(void)rmdir(dir);
	return result;
}
