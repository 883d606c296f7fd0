/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for networks of a container's own: the namespace, and the program that leads out of it.
 */
#include "sandbox/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define HELPER           "slirp4netns"
#define PORT_MAX         65535
#define ANSWER_MAX_BYTES 65536

void network_release(struct network *network)
{
	fd_close(&network->keep_fd);
	child_release(&network->helper);
	fd_close(&network->ns_fd);
}

/* ---- ports ---- */

struct port {
	char *address; /* NULL: all */
	unsigned host;
	unsigned container;
	bool is_udp;
};
#define auto_port __attribute__((cleanup(port_release)))

static void port_release(struct port *port)
{
	free(port->address);
}

static bool parse_number(const char *text, unsigned *out)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*out = (unsigned)number;
	return text[0] >= '0' && text[0] <= '9' && !*end && number >= 1 && number <= PORT_MAX;
}

/* Only IPv4 is led in. */
static bool parse_port(char *text, struct port *out)
{
	char *protocol = strchr(text, '/');
	char *last, *middle;
	struct in_addr address;

	if (protocol)
		*protocol++ = '\0';
	if (protocol && strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0)
		return false;
	out->is_udp = protocol && protocol[0] == 'u';
	last = strrchr(text, ':');
	if (!last)
		return parse_number(text, &out->container) && parse_number(text, &out->host);
	*last++ = '\0';
	middle = strrchr(text, ':');
	if (middle) {
		*middle++ = '\0';
		if (inet_pton(AF_INET, text, &address) != 1)
			return false;
		out->address = str_dup(text);
	} else {
		middle = text;
	}
	if (!parse_number(last, &out->container))
		return false;
	out->host = out->container;
	return !*middle || parse_number(middle, &out->host);
}

static int port_of(const char *text, struct port *out, struct err *err)
{
	auto_free char *copy = str_dup(text);

	if (parse_port(copy, out))
		return 0;
	return err_set(err, ERR_USAGE,
		       "--publish '%s' is not [ADDRESS:][HOST:]CONTAINER[/tcp|/udp]", text);
}

int network_ports_check(const struct strlist *ports, struct err *err)
{
	for (size_t i = 0; i < ports->count; i++) {
		auto_port struct port port = { .address = NULL };

		if (port_of(ports->items[i], &port, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the namespace ---- */

/* Made by a child that ends at once: who holds the descriptor keeps it. */
static int make_namespace(int userns_fd, struct err *err)
{
	int go[2];
	char path[64];
	char byte = 0;
	int status = 0;
	pid_t pid;
	int fd = -1;
	int pair[2];

	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		byte = (userns_fd >= 0 && setns(userns_fd, CLONE_NEWUSER) < 0) ||
				       unshare(CLONE_NEWNET) < 0
			       ? (char)errno
			       : 0;
		(void)fd_write_quiet(pair[1], &byte, 1);
		(void)!read(go[0], &byte, 1); /* until we are looked at, or nobody is there */
		_exit(0);
	}
	close(pair[1]);
	close(go[0]);
	if (pid > 0 && read(pair[0], &byte, 1) == 1 && byte == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		if (byte)
			errno = byte;
		err_sys(err, "make a network namespace");
	}
	close(pair[0]);
	close(go[1]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return fd;
}

/* ---- the helper ---- */

static int make_pipe(int *out_read, int *out_write, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	*out_read = fds[0];
	*out_write = fds[1];
	return 0;
}

static int start_helper(struct network *network, const char *socket_path, int log_fd,
			int *out_ready_fd, struct err *err)
{
	const char *argv[] = { HELPER,
			       "--configure",
			       "--mtu=65520",
			       "--disable-host-loopback",
			       "--netns-type=path",
			       "--ready-fd=3",
			       "--exit-fd=4",
			       "--api-socket",
			       socket_path,
			       "/proc/self/fd/5",
			       "tap0",
			       NULL };
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_close int ready_read = -1;
	auto_close int ready_write = -1;
	auto_close int exit_read = -1;

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (make_pipe(&ready_read, &ready_write, err) < 0 ||
	    make_pipe(&exit_read, &network->keep_fd, err) < 0)
		return -1;
	const struct proc_fd fds[] = {
		{ null_fd, 0 },     { null_fd, 1 },   { log_fd, 2 },
		{ ready_write, 3 }, { exit_read, 4 }, { network->ns_fd, 5 }
	};
	const struct proc_spec spec = {
		.argv = argv, .fds = fds, .fd_count = 6, .new_group = true
	};

	if (child_start(&network->helper, &spec, err) < 0) {
		if (err->sys_errno != ENOENT)
			return -1;
		err_set(err, ERR_SYSTEM, "--network=private needs " HELPER ", which is not here");
		return err_detail(err, "install the package " HELPER
				       ", or use --network=none or --network=host");
	}
	*out_ready_fd = fd_steal(&ready_read);
	return 0;
}

static int wait_ready(int ready_fd, int log_fd, struct err *err)
{
	auto_strbuf struct strbuf said = STRBUF_INIT;
	struct err ignored = ERR_INIT;
	char byte;
	ssize_t n;

	do
		n = read(ready_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	err_set(err, ERR_SYSTEM, HELPER " could not set up the network");
	if (lseek(log_fd, 0, SEEK_SET) == 0 &&
	    fd_read_all(log_fd, ANSWER_MAX_BYTES, &said, HELPER, &ignored) == 0 && said.len > 0)
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
	auto_port struct port port = { .address = NULL };
	auto_strbuf struct strbuf answer = STRBUF_INIT;
	auto_free char *request = NULL;
	auto_json struct json *json = NULL;
	const char *why;

	if (port_of(text, &port, err) < 0)
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

int network_start(const struct strlist *ports, int userns_fd, struct network *out, struct err *err)
{
	auto_network struct network network = NETWORK_INIT;
	auto_close int ready_fd = -1;
	auto_close int log_fd = memfd_create(HELPER, MFD_CLOEXEC);
	char dir[] = "/tmp/imgrun-net.XXXXXX";
	auto_free char *socket_path = NULL;
	int result;

	network.ns_fd = make_namespace(userns_fd, err);
	if (network.ns_fd < 0)
		return -1;
	if (log_fd < 0)
		return err_sys(err, "make a memory file");
	if (!mkdtemp(dir))
		return err_sys(err, "make '%s'", dir);
	socket_path = str_format("%s/api", dir);
	result = start_helper(&network, socket_path, log_fd, &ready_fd, err);
	if (result == 0)
		result = wait_ready(ready_fd, log_fd, err);
	if (result == 0)
		result = publish_all(socket_path, ports, err);
	/* nothing is asked any more */
	(void)unlink(socket_path);
	(void)rmdir(dir);
	if (result < 0)
		return -1;
	*out = network;
	network = (struct network)NETWORK_INIT;
	return 0;
}
