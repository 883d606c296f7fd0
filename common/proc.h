/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROC_H
#define COMMON_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/strbuf.h"

/*
 * Child processes, started by vfork-like spawn from any thread: the child runs
 * nothing of ours before its exec. It has exactly the descriptors named in @fds,
 * and none that we were started with. Signals are as at start-up: none
 * ignored, none blocked.
 */
struct proc_fd {
	int from; /* ours */
	int to;   /* its number in the child; any order, swaps too */
};

struct proc_spec {
	const char *const *argv;   /* argv[0] is the program: a path, or a name looked up in PATH */
	const char *const *envp;   /* NULL: ours */
	const struct proc_fd *fds; /* 0, 1 and 2 not named are /dev/null, ours, ours */
	size_t fd_count;
	bool new_group; /* a process group of its own */
};

struct child {
	pid_t pid; /* 0: none */
};

#define CHILD_INIT       \
	{                \
		.pid = 0 \
	}
/* Still running at the end of the scope: killed (SIGKILL) and waited for. */
#define auto_child __attribute__((cleanup(child_release)))
void child_release(struct child *child);

/* ERR_SYSTEM with errno when it cannot be started (ENOENT: no such program). */
int child_start(struct child *child, const struct proc_spec *spec, struct err *err);
/* Wait; *out_status as of waitpid(2). Retries EINTR. */
int child_wait(struct child *child, int *out_status, struct err *err);

/*
 * Start, wait, and demand exit status 0; else ERR_SYSTEM with the last line of its
 * stderr. Processes that it leaves behind are not waited for.
 */
int proc_run(const char *const *argv, struct err *err);

/* "exit status 3" or "killed by signal 9 (Killed)" for a waitpid status. Returns @buf (64 bytes).
 */
const char *proc_status_text(int status, char *buf);

/* Whether child_start() would find the program @name, which is no path. */
bool proc_is_in_path(const char *name);
/* The directory of our own executable, resolved; to find libexec programs. */
int proc_self_dir(struct strbuf *out, struct err *err);
/*
 * The program at @relative to our own directory, or to one or two above it, as where we were
 * built. When there is none *out_found is false, and @out empty.
 */
int proc_find_beside(const char *relative, struct strbuf *out, bool *out_found, struct err *err);
/*
 * The path of our own program @name that no user starts: in libexec, or, for a program that
 * runs where it was built, in @folder of the build tree.
 */
int proc_find_own(const char *folder, const char *name, struct strbuf *out, struct err *err);

#endif
