/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgoverlay: a union of directories as a FUSE file system, with the command line of
 * fuse-overlayfs. Answers for its own process: what is open, who waits for whom.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "fuse-overlay/ops.h"
#include "fuse-overlay/options.h"
#include "fuse-overlay/overlay.h"
#include "fuse-overlay/own-mounts.h"
#include "fuse-overlay/session.h"

#define PROGRAM "imgoverlay"
/* whose options these are; engines show this line, and some compare the number */
#define COMPATIBLE_VERSION "1.14"

static const char help[] =
	"Usage: imgoverlay [-f] [-d] [-o OPTION[,OPTION...]] MOUNTPOINT\n"
	"\n"
	"Show a union of directories: a writable one on top of others that stay as they are.\n"
	"\n"
	"  -f               stay in the foreground\n"
	"  -d, --debug      stay in the foreground and print every request\n"
	"  -s               serve with one thread\n"
	"  -h, --help       print this\n"
	"  -V, --version    print the version\n"
	"\n"
	"Options for -o (a backslash before a comma or colon makes it part of a name):\n"
	"  lowerdir=DIR[:DIR...]      what is below, the top one first\n"
	"  upperdir=DIR,workdir=DIR   what is written goes here; without, nothing can be written\n"
	"  redirect_dir=on|off        rename directories of lower layers (off)\n"
	"  uidmapping=MAP             STORED:SHOWN:COUNT[:...], who owns what is shown\n"
	"  gidmapping=MAP\n"
	"  squash_to_root, squash_to_uid=ID, squash_to_gid=ID\n"
	"                             show one owner for all\n"
	"  xattr_permissions=1|2      keep owner and mode in an attribute: 1 fuse-overlayfs', 2\n"
	"                             containers/storage's\n"
	"  volatile, fsync=0          never sync\n"
	"  timeout=SECONDS            how long the kernel may remember entries and attributes\n"
	"  passthrough=0|1            let the kernel read and write the files itself, where it can (1)\n"
	"  writeback=0|1              let the kernel collect writes (see the manual)\n"
	"  threaded=0                 as -s\n"
	"  polling=auto|never         keep processors awake while there is work (see the manual; auto)\n"
	"  marks=any|trusted|user     whose attributes .overlay.* are marks and not shown (any)\n"
	"  noacl, noxattrs=1          without access control lists; without any attributes\n"
	"  static_nlink               directories have one link\n"
	"  ino32_t                    inode numbers of 32 bits\n"
	"  allow_other, allow_root, default_permissions, ro, rw, suid, nosuid, dev, nodev, exec,\n"
	"  noexec, atime, noatime, fsname=, subtype=, auto_unmount\n"
	"                             of the mount itself\n"
	"Other options are ignored with a word on stderr.\n";

static int say_version(void)
{
	printf("fuse-overlayfs: version %s (%s %s)\n", COMPATIBLE_VERSION, PROGRAM, VERSION);
	printf("FUSE library version %s\n", fuse_pkgversion());
	return 0;
}

/* Every open file of the mount is one of ours. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- the one who waits, and the one who serves ----------------------------------- */

struct waiting {
	int fd;         /* the parent's pipe; -1 in the foreground */
	int nothing_fd; /* /dev/null */
};

/* The mount is live: let the parent go, and be a daemon. */
static void tell_ready(void *context)
{
	struct waiting *waiting = context;

	if (waiting->fd < 0)
		return;
	for (int fd = 0; fd <= 2; fd++)
		dup2(waiting->nothing_fd, fd);
	fd_write_quiet(waiting->fd, "1", 1);
	fd_close(&waiting->fd);
}

static int wait_ready(int fd)
{
	char byte;
	ssize_t got;

	do
		got = read(fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	/* else the child has said why, or something ended it */
	return got == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve(const struct options *options, struct overlay *overlay, const char *mountpoint,
		 struct waiting *waiting, struct err *err)
{
	struct ops_context context = { .overlay = overlay };
	struct session *session = NULL;
	int result = -1;

	if (session_new(options, &overlay_ops, &context, &session, err) == 0 &&
	    session_mount(session, mountpoint, err) == 0)
		result = session_serve(session, tell_ready, waiting, err);
	session_free(session);
	return result;
}

/* In the child, or in the foreground. */
static int serve_detached(const struct options *options, struct overlay *overlay,
			  const char *mountpoint, int ready_fd, struct err *err)
{
	auto_close int nothing_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_close int pipe_fd = ready_fd;
	struct waiting waiting = { .fd = pipe_fd, .nothing_fd = nothing_fd };
	int result;

	if (nothing_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (pipe_fd >= 0 && (setsid() < 0 || chdir("/") < 0))
		return err_sys(err, "leave the terminal");
	result = serve(options, overlay, mountpoint, &waiting, err);
	pipe_fd = waiting.fd;
	return result;
}

static int start(const struct options *options, struct overlay *overlay, const char *mountpoint,
		 int *out_status, struct err *err)
{
	int ends[2];
	pid_t pid;

	if (options->is_foreground)
		return serve_detached(options, overlay, mountpoint, -1, err);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_sys(err, "fork");
	}
	if (pid == 0) {
		close(ends[0]);
		return serve_detached(options, overlay, mountpoint, ends[1], err);
	}
	close(ends[1]);
	*out_status = wait_ready(ends[0]);
	close(ends[0]);
	return 0;
}

static int run(const struct options *options, int *out_status, struct err *err)
{
	/* "/dev/fd/N" is a connection whose mount somebody else has made */
	bool is_connection = strncmp(options->mountpoint, "/dev/fd/", 8) == 0;
	auto_free char *mountpoint =
		is_connection ? str_dup(options->mountpoint) : realpath(options->mountpoint, NULL);
	struct overlay *overlay = NULL;
	int result;

	if (!mountpoint)
		return err_sys(err, "mountpoint '%s'", options->mountpoint);
	raise_limits();
	umask(0);
	if (overlay_open(&overlay, options, err) < 0)
		return -1;
	/* nobody waits for an answer, and nobody knows us by a directory */
	result = is_connection ? own_mounts_enter(err) : 0;
	if (result == 0)
		result = start(options, overlay, mountpoint, out_status, err);
	overlay_free(overlay);
	return result;
}

int main(int argc, char **argv)
{
	auto_options struct options options = OPTIONS_INIT;
	struct err err = ERR_INIT;
	int status = EXIT_SUCCESS;
	int result = options_parse(&options, argc, (const char *const *)argv, stderr, &err);

	if (result == 0 && options.ask == OPTIONS_HELP)
		return fputs(help, stdout) < 0;
	if (result == 0 && options.ask == OPTIONS_VERSION)
		return say_version();
	if (result == 0)
		result = run(&options, &status, &err);
	if (result < 0) {
		/* engines look for 0 or 1 */
		err_print(&err, PROGRAM);
		return EXIT_FAILURE;
	}
	return status;
}
