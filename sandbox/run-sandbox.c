/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for a container from the start of its sandbox to its end. What happens meanwhile is in
 * attend.c. */
#include "sandbox/run-internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/fd.h"
#include "sandbox/attend.h"
#include "sandbox/launch.h"

int run_open_log(struct run *run, struct err *err)
{
	run->log_fd = openat(run->container.dir_fd, CONTAINER_LOG,
			     O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	return run->log_fd < 0 ? err_sys(err, "make the log of the container") : 0;
}

/* What is needed when its terminal is left. */
struct leaving {
	struct run *run;
	const struct run_observer *observer;
};

/* From now on it is as one that was started in the background. */
static int leave(void *context, int *out_fd, struct err *err)
{
	struct leaving *leaving = context;
	struct run *run = leaving->run;

	run->state.is_detached = true;
	if (run_open_log(run, err) < 0 || run_save_state(run, err) < 0)
		return -1;
	*out_fd = run->log_fd;
	leaving->observer->left(leaving->observer->context, run->container.name);
	return 0;
}

/* *out_began: the command was executed, whatever came of it. */
int run_in_sandbox(struct run *run, const struct sandbox_description *description,
		   const struct run_observer *observer, bool *out_began, struct run_outcome *out,
		   struct err *err)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const bool has_log = run->log_fd >= 0;
	const int stdio[3] = { run->options->interactive ? STDIN_FILENO : null_fd,
			       has_log ? run->log_fd : STDOUT_FILENO,
			       has_log ? run->log_fd : STDERR_FILENO };
	struct leaving leaving = { .run = run, .observer = observer };
	const bool can_leave = observer && observer->left;
	const struct attend_options attending = {
		.interactive = run->options->interactive,
		.out_fd = stdio[1],
		.control_fd = run->control_fd,
		.detach_keys = can_leave ? &run->options->detach_keys : NULL,
		.leave = leave,
		.context = &leaving,
	};

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	attend_hold();
	if (sandbox_start(description, description->terminal ? NULL : stdio, &sandbox,
			  &out->exec_errno, err) < 0)
		return -1;
	*out_began = true;
	/* the container's are the only ones from here on */
	fd_close(&run->procview.mount_fd);
	run->state.pid = sandbox.init_pid;
	run->state.started = run_time_text();
	if (run_save_state(run, err) < 0)
		return -1;
	if (observer && observer->started)
		observer->started(observer->context, run->container.id);
	if (attend(&sandbox, &attending, err) < 0)
		return -1;
	return sandbox_wait(&sandbox, &out->status, err);
}
