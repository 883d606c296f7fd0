/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for carrying bytes between a step and an agent of the host, in both
 * directions, for several connections at a time, without ever waiting for one of
 * them. What the bytes mean is nobody's business here.
 */
#include "builder/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"

#define SOCKET_NAME     "agent"
#define CONNECTIONS_MAX 32
#define BUFFER_BYTES    16384

/* One direction of a connection: what was read and is not written yet. */
struct flow {
	size_t from;
	size_t len;
	bool is_ended; /* nothing more will be read */
	char data[BUFFER_BYTES];
};

struct connection {
	int fds[2]; /* the step's end and the agent's; -1: free */
	struct flow flows[2];
};

struct relay {
	struct tmpdir dir;
	int listen_fd;
	int socket_fd;
	int agent_fd; /* O_PATH */
	int stop_fd;
	bool is_running;
	pthread_t thread;
	struct connection connections[CONNECTIONS_MAX];
};

static void close_connection(struct connection *connection)
{
	fd_close(&connection->fds[0]);
	fd_close(&connection->fds[1]);
}

/* "/proc/self/fd/N", or a name below it: no length of a path is too much. */
static void set_address(struct sockaddr_un *address, int fd, const char *below)
{
	char path[FD_PATH_MAX];

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "%s%s", fd_path(fd, path), below);
}

/* A step that cannot be served loses its connection, as with an agent that is gone. */
static void accept_one(struct relay *relay)
{
	auto_close int step_fd =
		accept4(relay->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	auto_close int agent_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	if (step_fd < 0 || agent_fd < 0)
		return;
	set_address(&address, relay->agent_fd, "");
	if (connect(agent_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fcntl(agent_fd, F_SETFL, O_NONBLOCK) < 0)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &relay->connections[i];

		if (connection->fds[0] >= 0)
			continue;
		memset(connection->flows, 0, sizeof(connection->flows));
		connection->fds[0] = fd_steal(&step_fd);
		connection->fds[1] = fd_steal(&agent_fd);
		return;
	}
}

/* false: the connection is over. */
static bool receive(struct connection *connection, int side)
{
	struct flow *flow = &connection->flows[side];
	ssize_t n = recv(connection->fds[side], flow->data, BUFFER_BYTES, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	flow->from = 0;
	flow->len = (size_t)n;
	flow->is_ended = n == 0;
	/* the other end learns of it: its answers may still come */
	return n > 0 || shutdown(connection->fds[!side], SHUT_WR) == 0;
}

static bool forward(struct connection *connection, int side)
{
	struct flow *flow = &connection->flows[side];
	ssize_t n = send(connection->fds[!side], flow->data + flow->from, flow->len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	flow->from += (size_t)n;
	flow->len -= (size_t)n;
	return true;
}

static bool serve(struct connection *connection, const struct pollfd fds[2])
{
	for (int side = 0; side < 2; side++) {
		struct flow *flow = &connection->flows[side];

		if (flow->len > 0 && (fds[!side].revents & (POLLOUT | POLLERR | POLLHUP)) &&
		    !forward(connection, side))
			return false;
		if (flow->len == 0 && !flow->is_ended &&
		    (fds[side].revents & (POLLIN | POLLERR | POLLHUP)) &&
		    !receive(connection, side))
			return false;
	}
	return !connection->flows[0].is_ended || !connection->flows[1].is_ended;
}

/* What each end is asked for: nothing is read while something waits to be written. */
static void prepare(const struct connection *connection, struct pollfd fds[2])
{
	for (int side = 0; side < 2; side++) {
		const struct flow *in = &connection->flows[side];
		const struct flow *out = &connection->flows[!side];
		short events = 0;

		if (in->len == 0 && !in->is_ended)
			events |= POLLIN;
		if (out->len > 0)
			events |= POLLOUT;
		fds[side] = (struct pollfd){ .fd = events ? connection->fds[side] : -1,
					     .events = events };
	}
}

static void *run(void *data)
{
	struct relay *relay = data;
	struct pollfd fds[2 + 2 * CONNECTIONS_MAX];

	for (;;) {
		bool is_full = true;

		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			prepare(&relay->connections[i], &fds[2 + 2 * i]);
			is_full = is_full && relay->connections[i].fds[0] >= 0;
		}
		fds[0] = (struct pollfd){ .fd = relay->stop_fd, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = is_full ? -1 : relay->listen_fd, .events = POLLIN };
		if (poll(fds, 2 + 2 * CONNECTIONS_MAX, -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[0].revents)
			return NULL;
		for (size_t i = 0; i < CONNECTIONS_MAX; i++)
			if (relay->connections[i].fds[0] >= 0 &&
			    !serve(&relay->connections[i], &fds[2 + 2 * i]))
				close_connection(&relay->connections[i]);
		if (fds[1].revents)
			accept_one(relay);
	}
}

static int open_socket(const struct relay_spec *spec, struct relay *relay, struct err *err)
{
	struct sockaddr_un address;

	if (tmpdir_make(&relay->dir, spec->tmp_fd, err) < 0)
		return -1;
	relay->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (relay->listen_fd < 0)
		return err_sys(err, "make a socket");
	set_address(&address, relay->dir.fd, "/" SOCKET_NAME);
	if (bind(relay->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(relay->listen_fd, CONNECTIONS_MAX) < 0)
		return err_sys(err, "bind a socket");
	if (fchownat(relay->dir.fd, SOCKET_NAME, spec->uid, spec->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == EINVAL
			       ? err_set(err, ERR_INPUT,
					 "owner %ju:%ju does not exist in this user namespace",
					 (uintmax_t)spec->uid, (uintmax_t)spec->gid)
			       : err_sys(err, "set the owner of a socket");
	if (fchmodat(relay->dir.fd, SOCKET_NAME, spec->mode, 0) < 0)
		return err_sys(err, "set the mode of a socket");
	relay->socket_fd = openat(relay->dir.fd, SOCKET_NAME, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return relay->socket_fd < 0 ? err_sys(err, "open a socket") : 0;
}

static int open_relay(const struct relay_spec *spec, struct relay *relay, struct err *err)
{
	/* the user's own path, from the command line */
	relay->agent_fd = open(spec->path, O_PATH | O_CLOEXEC);
	if (relay->agent_fd < 0)
		return err_sys(err, "open '%s'", spec->path);
	relay->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (relay->stop_fd < 0)
		return err_sys(err, "make an event descriptor");
	if (open_socket(spec, relay, err) < 0)
		return -1;
	errno = pthread_create(&relay->thread, NULL, run, relay);
	if (errno)
		return err_sys(err, "start a thread");
	relay->is_running = true;
	return 0;
}

int relay_start(const struct relay_spec *spec, struct relay **out, struct err *err)
{
	struct relay *relay = mem_alloc(sizeof(*relay));

	relay->dir = (struct tmpdir)TMPDIR_INIT;
	relay->listen_fd = relay->socket_fd = relay->agent_fd = relay->stop_fd = -1;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		relay->connections[i].fds[0] = relay->connections[i].fds[1] = -1;
	if (open_relay(spec, relay, err) < 0) {
		relay_stop(relay);
		return -1;
	}
	*out = relay;
	return 0;
}

int relay_socket_fd(const struct relay *relay)
{
	return relay->socket_fd;
}

void relay_stop(struct relay *relay)
{
	const uint64_t one = 1;

	if (!relay)
		return;
	if (relay->is_running) {
		(void)fd_write_quiet(relay->stop_fd, &one, sizeof(one));
		pthread_join(relay->thread, NULL);
	}
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		close_connection(&relay->connections[i]);
	fd_close(&relay->listen_fd);
	fd_close(&relay->socket_fd);
	fd_close(&relay->agent_fd);
	fd_close(&relay->stop_fd);
	tmpdir_release(&relay->dir);
	free(relay);
}
