/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CONTAINER_CONTROL_H
#define STORAGE_CONTAINER_CONTROL_H

#include <stdbool.h>

#include "common/err.h"
#include "storage/container.h"
#include "storage/store.h"

/*
 * The door of a running container: a socket in its directory, at which who runs it takes
 * requests of other commands. Only its process may signal what other ids run, as a user
 * namespace has it; who can reach the directory is the store's owner.
 *
 *   request = signal:u32      answer = errno:u32
 */
#define CONTROL_SOCKET "control"

/* A listening socket, in an unlocked or locked container's directory. */
int control_listen(int dir_fd, struct err *err);
/* Take one request: the signal, or 0 when who asked is gone. *out_client: to be answered and
 * closed. */
int control_accept(int listen_fd, int *out_client);
void control_answer(int client_fd, int sys_errno);

/* Have it send @sig to the container's first process. ERR_INPUT when nobody runs it. */
int control_signal(int dir_fd, int sig, const char *name, struct err *err);

/* Wait until nobody runs it any more, @timeout_ms at most (-1: for ever). *out_ended. */
int control_wait(struct store *store, const char *id, int timeout_ms, bool *out_ended,
		 struct err *err);

#endif
