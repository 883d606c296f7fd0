/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for containers that another runtime runs, and for bundles. */
#include "sandbox/run-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/runtime.h"

static void fill_spec(const struct run *run, struct runtime_spec *out)
{
	*out = (struct runtime_spec){ .program = run->options->runtime,
				      .id = run->container.id,
				      .dir_fd = run->container.dir_fd,
				      .has_filter = run->seccomp_fd >= 0 };
}

int run_by_runtime(struct run *run, const struct sandbox_description *description, bool *out_began,
		   struct run_outcome *out, struct err *err)
{
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int stdio[3] = { run->options->interactive ? STDIN_FILENO : null_fd, STDOUT_FILENO,
			       STDERR_FILENO };
	auto_free char *bundle = NULL;
	auto_free char *root = NULL;
	struct runtime_spec spec;
	int result;

	fill_spec(run, &spec);
	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (runtime_make_bundle(&spec, description, &bundle, err) < 0 ||
	    run_save_state(run, err) < 0)
		return -1;
	*out_began = true;
	result = runtime_run(&spec, bundle, stdio, &out->status, err);
	root = str_format("%s/rootfs", bundle);
	if (umount2(root, MNT_DETACH) < 0 && result == 0)
		return err_sys(err, "unmount '%s'", root);
	return result;
}

/* It stays for the other runtime, with a container of ours that nobody runs. */
int run_make_bundle(struct run *run, const struct sandbox_description *description, bool *out_began,
		    struct err *err)
{
	auto_free char *bundle = NULL;
	auto_free char *path = NULL;
	struct runtime_spec spec;

	fill_spec(run, &spec);
	if (mkdir(run->options->bundle, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make '%s'", run->options->bundle);
	path = realpath(run->options->bundle, NULL);
	if (!path)
		return err_sys(err, "look for '%s'", run->options->bundle);
	spec.bundle = path;
	run->state.bundle = str_dup(path);
	if (run_save_state(run, err) < 0 ||
	    runtime_make_bundle(&spec, description, &bundle, err) < 0)
		return -1;
	*out_began = true;
	run->is_bundled = true;
	printf("%s\n", run->container.id);
	return 0;
}
