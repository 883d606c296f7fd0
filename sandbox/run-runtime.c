/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for containers that another runtime runs, and for bundles. */
#include "sandbox/run-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/attend.h"
#include "sandbox/runtime.h"

int run_by_runtime(struct run *run, const struct sandbox_description *description,
		   const char *cgroups_path, bool *out_began, struct run_outcome *out,
		   struct err *err)
{
	auto_runtime struct runtime runtime = RUNTIME_INIT;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	const struct runtime_spec spec = { .program = run->options->runtime,
					   .id = run->container.id,
					   .dir_fd = run->container.dir_fd,
					   .cgroups_path = cgroups_path,
					   .has_filter = run->seccomp_fd >= 0 };
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int stdio[3] = { run->options->interactive ? STDIN_FILENO : null_fd, STDOUT_FILENO,
			       STDERR_FILENO };
	const struct attend_options attending = { .out_fd = STDOUT_FILENO,
						  .control_fd = run->control_fd };

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (run_save_state(run, err) < 0 || runtime_prepare(&spec, description, &runtime, err) < 0)
		return -1;
	attend_hold();
	if (runtime_start(&spec, &runtime, stdio, &sandbox, err) < 0)
		return -1;
	*out_began = true;
	if (attend(&sandbox, &attending, err) < 0)
		return -1;
	return sandbox_wait(&sandbox, &out->status, err);
}

/* It stays for the other runtime, with a container of ours that nobody runs. */
int run_make_bundle(struct run *run, const struct sandbox_description *description, bool *out_began,
		    struct err *err)
{
	auto_free char *path = NULL;

	if (mkdir(run->options->bundle, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make '%s'", run->options->bundle);
	path = realpath(run->options->bundle, NULL);
	if (!path)
		return err_sys(err, "look for '%s'", run->options->bundle);
	run->state.bundle = str_dup(path);
	if (run_save_state(run, err) < 0 ||
	    runtime_leave_bundle(path, description, run->seccomp_fd >= 0, err) < 0)
		return -1;
	*out_began = true;
	run->is_bundled = true;
	printf("%s\n", run->container.id);
	return 0;
}
