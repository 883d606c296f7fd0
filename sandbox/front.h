/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_FRONT_H
#define SANDBOX_FRONT_H

#include <sys/types.h>

#include "common/err.h"

/*
 * Two processes for one container at a terminal: the front, for which the shell waits, and ours,
 * which runs the container and may go on when the front ends. Until then the front hands on
 * signals, ends as we do, and we end with it.
 */
struct front {
	pid_t pid;
	int fd; /* to tell it */
};

/* Before there is a thread. Returns in the second process alone; the first has become the front. */
int front_make(struct front *out, struct err *err);

/* What ties us to it ends when our rights change: to be called again then. */
void front_hold(const struct front *front);

/* The front ends with status 0. No terminal is ours any more, and 0, 1 and 2 are /dev/null. */
void front_leave(struct front *front);

#endif
