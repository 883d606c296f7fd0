/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SUPERVISE_H
#define SANDBOX_SUPERVISE_H

#include <stdbool.h>

#include "common/err.h"
#include "sandbox/description.h"

/*
 * Where the kernel knows one id only, commands are supervised: calls that ask for owners, devices
 * and other ids are held by a filter, and answered by the outer sandbox process as root's kernel
 * would. Owners and devices are recorded on the files (layers/record.h); which ids a process has
 * changed to is remembered, and what it makes is recorded as theirs. This is no boundary: a command
 * can do no more than without it, and what it does behind the supervisor's back is its own layer's
 * loss. Calls of another architecture than ours are not held; in a chroot there are none.
 */

/*
 * In the container's first process, still with its privileges or with no_new_privs: hold such calls
 * from here on, and hand the means to answer them over @socket_fd. In a chroot those by which /proc
 * and /dev are seen too; with many ids only those that make devices.
 */
int supervise_install(int socket_fd, const struct sandbox_description *description,
		      struct err *err);

struct supervisor;

/*
 * In the outer process: what supervise_install sent over @socket_fd. NULL without an error when the
 * other side ended before. From then on this process has no working directory and no root of its
 * own to rely on.
 */
struct supervisor *supervisor_open(int socket_fd, const struct sandbox_description *description,
				   struct err *err);
#define auto_supervisor __attribute__((cleanup(supervisor_free)))
void supervisor_free(struct supervisor **supervisor);

/* To poll for POLLIN; anything else that comes means that nobody is left. */
int supervisor_fd(const struct supervisor *supervisor);
/* Answer one call. What cannot be answered is the caller's error, not ours. */
void supervisor_answer(struct supervisor *supervisor);

#endif
