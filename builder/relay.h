/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RELAY_H
#define BUILDER_RELAY_H

#include <sys/types.h>

#include "common/err.h"

/*
 * A socket for a RUN step, behind which is an agent of the host. Each connection
 * to the one becomes a connection to the other, made by us: an agent answers only
 * to its own user, and a step may run as any.
 */
struct relay;

struct relay_spec {
	const char *path; /* of the agent's socket */
	int tmp_fd;       /* where the step's socket is made */
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* Starts a thread. ERR_INPUT for an owner that this user namespace does not have. */
int relay_start(const struct relay_spec *spec, struct relay **out, struct err *err);

/* The step's socket (O_PATH), to be bound; borrowed. */
int relay_socket_fd(const struct relay *relay);

/* Closes all connections; NULL is allowed. */
void relay_stop(struct relay *relay);

#endif
