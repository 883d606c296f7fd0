/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what commands ask of the process that runs a container, and for waiting for its end.
 */
#include "storage/container-control.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"

#define BACKLOG    16
#define PATIENCE_S 10
#define PAUSE_MS   20
#define NS_PER_MS  1000000

/* Longer paths than a socket's name can have lie behind a descriptor. */
static void name_of(int dir_fd, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, dir_fd);
}

static int open_socket(struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_sys(err, "make a socket") : fd;
}

int control_listen(int dir_fd, struct err *err)
{
	auto_close int fd = open_socket(err);
	struct sockaddr_un name;

	if (fd < 0)
		return -1;
	name_of(dir_fd, &name);
	if (unlinkat(dir_fd, CONTROL_SOCKET, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove the old door of the container");
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(err, "open a door of the container");
	return fd_steal(&fd);
}

int control_accept(int listen_fd, int *out_client)
{
	const struct timeval soon = { .tv_sec = 1 };
	auto_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	uint32_t sig = 0;

	*out_client = -1;
	if (fd < 0)
		return 0;
	/* who says nothing keeps nobody waiting */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	if (recv(fd, &sig, sizeof(sig), 0) != sizeof(sig) || sig == 0 || sig > 64)
		return 0;
	*out_client = fd_steal(&fd);
	return (int)sig;
}

void control_answer(int client_fd, int sys_errno)
{
	uint32_t answer = (uint32_t)sys_errno;

	(void)send(client_fd, &answer, sizeof(answer), MSG_NOSIGNAL); /* gone: needs none */
	close(client_fd);
}

int control_signal(int dir_fd, int sig, const char *name, struct err *err)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	auto_close int fd = open_socket(err);
	struct sockaddr_un address;
	uint32_t number = (uint32_t)sig;

	if (fd < 0)
		return -1;
	name_of(dir_fd, &address);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return err_set(err, ERR_INPUT, "container '%s' is not running", name);
		return err_sys(err, "reach container '%s'", name);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, &number, sizeof(number), MSG_NOSIGNAL) != sizeof(number) ||
	    recv(fd, &number, sizeof(number), 0) != sizeof(number))
		return err_sys(err, "ask container '%s'", name);
	errno = (int)number;
	return number ? err_sys(err, "send signal %d to container '%s'", sig, name) : 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

int control_wait(struct store *store, const char *id, int timeout_ms, bool *out_ended,
		 struct err *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * NS_PER_MS };
	const int64_t end = now_ms() + timeout_ms;
	bool is_running = true;

	for (;;) {
		if (container_is_running(store, id, &is_running, err) < 0)
			return -1;
		*out_ended = !is_running;
		if (!is_running || (timeout_ms >= 0 && now_ms() >= end))
			return 0;
		nanosleep(&pause, NULL);
	}
}
