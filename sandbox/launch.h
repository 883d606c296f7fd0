/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LAUNCH_H
#define SANDBOX_LAUNCH_H

#include "common/err.h"
#include "common/proc.h"
#include "sandbox/description.h"

/*
 * Start the sandbox program with a description and wait for it. The program is
 * LIBEXEC_DIR/sandbox, or "sandbox/sandbox" beside our own executable when that one was not installed (a build tree).
 * It gets the description as a sealed memfd, the descriptors it names, stdio,
 * and a socket over which it reports; nothing else. It dies with us (PR_SET_PDEATHSIG), and the container with it.
 */
struct sandbox {
	struct child child;
	int report_fd;
	int terminal_fd; /* master of the pseudo terminal, when asked for; else -1 */
	pid_t init_pid;	 /* the container's first process, as we see it; for signals */
};
#define SANDBOX_INIT { .child = CHILD_INIT, .report_fd = -1, .terminal_fd = -1 }
#define auto_sandbox __attribute__((cleanup(sandbox_release)))
void sandbox_release(struct sandbox *sandbox); /* kills what still runs, waits */

/*
 * Returns once the command was exec'd. @stdio: three descriptors (ignored with
 * description->terminal). An error is one of set-up: worded from the program's record ("mount /proc: Operation not
 * permitted"), kind ERR_SYSTEM; or the command could not be executed: kind ERR_STEP and
 * *out_exec_errno set (ENOENT → 127, else 126), for imgrun's status.
 */
int sandbox_start(const struct sandbox_description *description, const int stdio[3],
		  struct sandbox *out, int *out_exec_errno, struct err *err);

/* Wait for the end: *out_status is the command's own waitpid(2) status. */
int sandbox_wait(struct sandbox *sandbox, int *out_status, struct err *err);

#endif
