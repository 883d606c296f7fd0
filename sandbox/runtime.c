/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for containers that another runtime runs: its bundle, its process, and its end. */
#include "sandbox/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "sandbox/oci-config.h"

int runtime_prepare(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, "make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make the mounts private");
	return 0;
}

static char *path_of(int fd, struct err *err)
{
	char link[FD_PATH_MAX];
	char *path = realpath(fd_path(fd, link), NULL);

	if (!path)
		err_sys(err, "look for the container's directory");
	return path;
}

static int make_dir(const char *path, struct err *err)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? err_sys(err, "make '%s'", path) : 0;
}

static int write_config(const char *bundle, const struct runtime_spec *spec,
			const struct sandbox_description *description, struct err *err)
{
	const struct oci_config_options options = { .root_path = "rootfs",
						    .has_filter = spec->has_filter,
						    .is_lasting = spec->bundle };
	auto_free char *path = str_format("%s/config.json", bundle);
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_close int fd = -1;

	if (oci_config_format(description, &options, &text, err) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "make '%s'", path);
	return fd_write_all(fd, text.data, text.len, path, err);
}

int runtime_make_bundle(const struct runtime_spec *spec,
			const struct sandbox_description *description, char **out_path,
			struct err *err)
{
	auto_free char *dir = spec->bundle ? NULL : path_of(spec->dir_fd, err);
	auto_free char *bundle = dir ? str_format("%s/bundle", dir) : str_dup(spec->bundle);
	auto_free char *root = bundle ? str_format("%s/rootfs", bundle) : NULL;

	if (!bundle || make_dir(bundle, err) < 0 || make_dir(root, err) < 0 ||
	    write_config(bundle, spec, description, err) < 0)
		return -1;
	if (move_mount(description->root_fd, "", AT_FDCWD, root, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "attach the root at '%s'", root);
	*out_path = ptr_steal(&bundle);
	return 0;
}

static int start(const struct runtime_spec *spec, const char *bundle, const int stdio[3],
		 struct child *out, struct err *err)
{
	auto_free char *state = str_format("%s/state", bundle);
	const char *argv[] = { spec->program, "--root", state,    "run",
			       "--bundle",    bundle,   spec->id, NULL };
	const struct proc_fd fds[] = { { stdio[0], 0 }, { stdio[1], 1 }, { stdio[2], 2 } };
	const struct proc_spec what = { .argv = argv, .fds = fds, .fd_count = 3 };

	if (child_start(out, &what, err) == 0)
		return 0;
	if (err->sys_errno == ENOENT)
		return err_set(err, ERR_SYSTEM, "runtime '%s' is not here", spec->program);
	return -1;
}

/* Signals are blocked (attend_hold) and taken here: a runtime in the foreground hands them on. */
static int wait_for(struct child *child, int *out_status, struct err *err)
{
	sigset_t wanted;
	int status;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	for (;;) {
		int sig;

		if (waitpid(child->pid, &status, WNOHANG) == child->pid)
			break;
		sig = sigwaitinfo(&wanted, NULL);
		if (sig > 0 && sig != SIGCHLD && kill(child->pid, sig) < 0)
			return err_sys(err, "hand a signal on to the runtime");
	}
	child->pid = 0;
	*out_status = status;
	return 0;
}

int runtime_run(const struct runtime_spec *spec, const char *bundle_path, const int stdio[3],
		int *out_status, struct err *err)
{
	auto_child struct child child = CHILD_INIT;

	if (start(spec, bundle_path, stdio, &child, err) < 0)
		return -1;
	return wait_for(&child, out_status, err);
}
