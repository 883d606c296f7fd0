/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for containers that another runtime runs: its bundle, its process, and its end. */
#include "sandbox/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
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

/* ---- its end ---- */

#define PATIENCE   3       /* SIGINTs and SIGTERMs */
#define GONE       SIGUSR1 /* what the keeper hears when who made it is gone */
#define EXIT_OURS  125
#define EXIT_FORCE (128 + SIGKILL)

/* The runtime is no more, or does not do what it should: the container and its groups go. */
static void end_by_force(const struct runtime_spec *spec, const char *bundle)
{
	auto_free char *state = str_format("%s/state", bundle);
	const char *const argv[] = { spec->program, "--root", state, "delete",
				     "--force",     spec->id, NULL };
	struct err ignored = ERR_INIT; /* there may be nothing left */

	(void)proc_run(argv, &ignored);
}

static void wanted_signals(sigset_t *out)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, GONE };

	sigemptyset(out);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(out, signals[i]);
}

/*
 * Hand on signals until @pid ends; those of a terminal it has got itself. For the keeper, whom
 * @maker made (else 0), false when it has to be ended: nobody waits for it any more, or it was
 * asked often enough.
 */
static bool wait_for(pid_t pid, pid_t maker, int *out_status)
{
	unsigned asked = 0;
	siginfo_t info;
	sigset_t wanted;
	int sig;

	wanted_signals(&wanted);
	while (waitpid(pid, out_status, WNOHANG) != pid) {
		sig = sigwaitinfo(&wanted, &info);
		if (maker && getppid() != maker)
			return false;
		if (maker && (sig == SIGINT || sig == SIGTERM) && ++asked == PATIENCE)
			return false;
		if (sig > 0 && sig != SIGCHLD && info.si_code != SI_KERNEL)
			(void)kill(pid, sig); /* not yet waited for, so it is there */
	}
	return true;
}

/*
 * The keeper stands between us and the runtime, for that lets a container live on when we are
 * killed, and the keeper does not. It tells an error of the start, else nothing, over @fd.
 */
static _Noreturn void keep(const struct runtime_spec *spec, const char *bundle, const int stdio[3],
			   pid_t maker, int fd)
{
	auto_child struct child child = CHILD_INIT;
	struct err err = ERR_INIT;
	int status = 0;

	if (prctl(PR_SET_PDEATHSIG, GONE) < 0 || getppid() != maker ||
	    start(spec, bundle, stdio, &child, &err) < 0) {
		(void)fd_write_quiet(fd, &err, sizeof(err)); /* gone: needs no word */
		_exit(EXIT_OURS);
	}
	close(fd);
	if (!wait_for(child.pid, maker, &status)) {
		child_release(&child);
		end_by_force(spec, bundle);
		_exit(EXIT_FORCE);
	}
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	end_by_force(spec, bundle);
	_exit(128 + WTERMSIG(status));
}

static int start_keeper(const struct runtime_spec *spec, const char *bundle, const int stdio[3],
			pid_t *out, struct err *err)
{
	const pid_t maker = getpid();
	auto_close int ours = -1;
	struct err told;
	sigset_t wanted;
	int fds[2];
	ssize_t n;
	pid_t pid;

	wanted_signals(&wanted);
	if (sigprocmask(SIG_BLOCK, &wanted, NULL) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	ours = fds[0];
	pid = fork();
	if (pid == 0)
		keep(spec, bundle, stdio, maker, fds[1]);
	close(fds[1]);
	if (pid < 0)
		return err_sys(err, "fork");
	n = fd_read_full(ours, &told, sizeof(told), "what became of the runtime", err);
	if (n == 0) {
		*out = pid;
		return 0;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	if (n == sizeof(told))
		*err = told;
	return n < 0 || n == sizeof(told) ? -1
					  : err_set(err, ERR_SYSTEM, "the runtime did not begin");
}

int runtime_run(const struct runtime_spec *spec, const char *bundle_path, const int stdio[3],
		int *out_status, struct err *err)
{
	pid_t pid;

	if (start_keeper(spec, bundle_path, stdio, &pid, err) < 0)
		return -1;
	(void)wait_for(pid, 0, out_status);
	/* a keeper that was killed keeps nothing */
	if (WIFSIGNALED(*out_status))
		end_by_force(spec, bundle_path);
	return 0;
}
