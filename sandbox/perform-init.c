/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the init that a container may have: the first process, which hands on
 * signals to the command, waits for whoever lost its parent, and ends as the command did.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/wire.h"

/* What was opened while the container was made. */
#define SPARE_FDS 64

/* What the kernel sends about ourselves is not the command's. */
static bool is_ours(int sig)
{
	return sig == SIGCHLD || sig == SIGSEGV || sig == SIGBUS || sig == SIGILL ||
	       sig == SIGFPE || sig == SIGTRAP || sig == SIGSYS;
}

/* 1 when the command has ended, *out_status then is its own. */
static int reap(pid_t command, int *out_status)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command) {
			*out_status = status;
			return 1;
		}
	return 0;
}

/* The first process of a PID namespace cannot be ended by a signal of its own. */
static _Noreturn void end_like(int status)
{
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static _Noreturn void look_after(pid_t command)
{
	sigset_t all;
	int status = 0;
	int sig;

	sigfillset(&all); /* blocked since the program's begin */
	for (;;) {
		if (reap(command, &status))
			end_like(status);
		sig = sigwaitinfo(&all, NULL);
		if (sig > 0 && !is_ours(sig))
			(void)kill(command, sig); /* who is gone needs none */
	}
}

/* Signals of the terminal are for the command's group alone, else it would get them twice. */
static int stand_apart(const struct sandbox_description *description, struct err *err)
{
	if (setpgid(0, 0) < 0)
		return err_sys(err, "make a process group");
	/* SIGTTOU is blocked as all signals are */
	if (description->terminal && tcsetpgrp(STDIN_FILENO, getpid()) < 0)
		return err_sys(err, "give the terminal to the command");
	return 0;
}

int perform_init(const struct sandbox_description *description, const struct perform_ties *ties,
		 struct err *err)
{
	pid_t pid;

	if (!description->has_init)
		return 0;
	pid = fork();
	if (pid < 0)
		return err_sys(err, "fork");
	if (pid > 0) {
		/* the report's end is the command's exec, and nothing of the host's is held */
		for (int fd = 0; fd < WIRE_FIRST_FD + WIRE_MAX_FDS + SPARE_FDS; fd++)
			close(fd);
		look_after(pid);
	}
	if (perform_tie(ties->alive_fd, err) < 0)
		return -1;
	return stand_apart(description, err);
}
