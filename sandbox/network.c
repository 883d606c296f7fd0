/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for networks of a container's own: the namespace, and which program leads out of it. How
 * each is started is in network-pasta.c and network-slirp.c.
 */
#include "sandbox/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "sandbox/network-internal.h"

#define SAID_MAX_BYTES 65536

/* The first that is installed is taken. */
static const struct network_helper {
	const char *name; /* of the program, and for --network */
	const char *package;
	int (*start)(struct network *network, const struct strlist *ports, struct err *err);
} helpers[] = {
	{ "pasta", "passt", network_pasta_start },
	{ "slirp4netns", "slirp4netns", network_slirp_start },
};
#define HELPER_COUNT (sizeof(helpers) / sizeof(helpers[0]))

void network_release(struct network *network)
{
	fd_close(&network->keep_fd);
	child_release(&network->helper);
	fd_close(&network->ns_fd);
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

int network_pipe(int *out_read, int *out_write, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	*out_read = fds[0];
	*out_write = fds[1];
	return 0;
}

bool network_is_ready(int ready_fd)
{
	char byte;
	ssize_t n;

	do
		n = read(ready_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

void network_said(int log_fd, struct strbuf *out)
{
	struct err ignored = ERR_INIT; /* it is the detail of another error */

	if (lseek(log_fd, 0, SEEK_SET) == 0)
		(void)fd_read_all(log_fd, SAID_MAX_BYTES, out, "network helper", &ignored);
}

const char *network_helper_name(const char *text)
{
	for (size_t i = 0; i < HELPER_COUNT; i++)
		if (strcmp(text, helpers[i].name) == 0)
			return helpers[i].name;
	return NULL;
}

static const struct network_helper *choose(const char *name, struct err *err)
{
	const struct network_helper *wanted = NULL;

	for (size_t i = 0; i < HELPER_COUNT; i++) {
		if (name && strcmp(name, helpers[i].name) != 0)
			continue;
		wanted = &helpers[i];
		if (proc_is_in_path(wanted->name))
			return wanted;
	}
	if (name) {
		err_set(err, ERR_SYSTEM, "--network=%s: this program is not here", name);
		err_detail(err,
			   "install the package %s, or let --network=private take what is here",
			   wanted ? wanted->package : name);
	} else {
		err_set(err, ERR_SYSTEM,
			"--network=private needs pasta or slirp4netns, and neither is here");
		err_detail(err, "install the package passt or slirp4netns, or use --network=none "
				"or --network=host");
	}
	return NULL;
}

int network_start(const char *name, const struct strlist *ports, int userns_fd, struct network *out,
		  struct err *err)
{
	auto_network struct network network = NETWORK_INIT;
	const struct network_helper *helper = choose(name, err);

	if (!helper)
		return -1;
	network.ns_fd = make_namespace(userns_fd, err);
	if (network.ns_fd < 0 || helper->start(&network, ports, err) < 0)
		return -1;
	*out = network;
	network = (struct network)NETWORK_INIT;
	return 0;
}

/* ---- the way back to the host ---- */

void network_host_address(char out[NETWORK_ADDRESS_MAX])
{
	/* of the documentation's network: nothing is sent */
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t len = sizeof(here);
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(out, NETWORK_GATEWAY);
	if (fd >= 0 && inet_pton(AF_INET, "198.51.100.1", &there.sin_addr) == 1 &&
	    connect(fd, (struct sockaddr *)&there, sizeof(there)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&here, &len) == 0)
		(void)inet_ntop(AF_INET, &here.sin_addr, out, NETWORK_ADDRESS_MAX);
}
