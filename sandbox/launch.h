/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LAUNCH_H
#define SANDBOX_LAUNCH_H

#include "common/err.h"
#include "common/proc.h"
#include "sandbox/description.h"

/*
 * Start the sandbox program with a description and wait for it. The program is
 * "sandbox/sandbox" of a build tree, near our own executable, else
 * LIBEXEC_DIR/sandbox. It gets the description as a sealed memfd, the
 * descriptors it names, stdio, and a socket over which it reports; nothing
 * else. It dies with the thread that started it, and the container with it:
 * that thread is the one to wait.
 */
struct sandbox {
	struct child child;
	int terminal_fd; /* master of the pseudo terminal, when asked for; else -1 */
	int init_pidfd;  /* the container's first process; for signals */
	pid_t init_pid;  /* its number on the host */
};
#define SANDBOX_INIT                                                     \
	{                                                                \
		.child = CHILD_INIT, .terminal_fd = -1, .init_pidfd = -1 \
	}
#define auto_sandbox __attribute__((cleanup(sandbox_release)))
void sandbox_release(struct sandbox *sandbox); /* kills what still runs, waits */

/*
 * Returns once the command was exec'd. @stdio: three descriptors; with
 * description->terminal they are not used and may be NULL. An error is one of
 * set-up, in the program's words and kind ("mount '/proc': …"); or the command
 * could not be executed: ERR_STEP and *out_exec_errno set (ENOENT → 127, else
 * 126), for imgrun's status.
 */
int sandbox_start(const struct sandbox_description *description, const int stdio[3],
		  struct sandbox *out, int *out_exec_errno, struct err *err);

/* Send @sig to the container's first process; one that has ended is success. */
int sandbox_signal(struct sandbox *sandbox, int sig, struct err *err);

/*
 * Wait for the end: *out_status is the command's own waitpid(2) status. All of
 * the container's processes and mounts are gone then.
 */
int sandbox_wait(struct sandbox *sandbox, int *out_status, struct err *err);

#endif
