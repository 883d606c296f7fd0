/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for one file that is no directory being made again elsewhere: content first, then
 * owner, mode, attributes and times, in the order in which none undoes another.
 */
#include "layers/node.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/record.h"

static int make_regular(int from_fd, const char *name, int to_fd, const struct stat *st,
			const char *path, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	auto_close int from = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_close int to = -1;

	if (from < 0)
		return err_sys(err, "open '%s'", path);
	to = openat(to_fd, name, flags, 0600);
	if (to < 0)
		return err_sys(err, "make '%s'", path);
	return fd_copy_file(from, to, st, path, err);
}

static int make_link(int from_fd, const char *name, int to_fd, const char *path, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(from_fd, name, target, sizeof(target) - 1);

	if (len < 0)
		return err_sys(err, "read link '%s'", path);
	target[len] = '\0';
	return symlinkat(target, to_fd, name) < 0 ? err_sys(err, "make the link '%s'", path) : 0;
}

static int make(int from_fd, const char *name, int to_fd, enum overlay_ns ns, const struct stat *st,
		const char *path, struct err *err)
{
	if (S_ISREG(st->st_mode))
		return make_regular(from_fd, name, to_fd, st, path, err);
	if (S_ISLNK(st->st_mode))
		return make_link(from_fd, name, to_fd, path, err);
	if (record_mknod(to_fd, name, ns, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
		return err_sys(err, "make '%s'", path);
	return 0;
}

static int copy_attributes(int from_fd, const char *name, int to, enum overlay_ns ns,
			   const char *path, struct err *err)
{
	auto_close int from = openat(from_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct xattrs xattrs = { .items = NULL };
	int result;

	if (from < 0)
		return err_sys(err, "open '%s'", path);
	result = xattrs_load(from, ns, &xattrs, path, err);
	if (result == 0)
		result = xattrs_apply(to, ns, &xattrs, path, err);
	xattrs_release(&xattrs);
	return result;
}

int node_copy(int from_fd, const char *name, int to_fd, enum overlay_ns ns, const char *path,
	      struct err *err)
{
	auto_close int to = -1;
	char by_fd[FD_PATH_MAX];
	struct stat st;

	if (record_stat(from_fd, name, ns, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	if (make(from_fd, name, to_fd, ns, &st, path, err) < 0)
		return -1;
	to = openat(to_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_sys(err, "open the copy of '%s'", path);
	if (record_chown(to, "", ns, st.st_uid, st.st_gid) < 0)
		return err_sys(err, "set the owner of '%s'", path);
	/* an O_PATH descriptor: the call by descriptor is younger than the kernels we run on */
	if (!S_ISLNK(st.st_mode) && chmod(fd_path(to, by_fd), st.st_mode & 07777) < 0)
		return err_sys(err, "set the mode of '%s'", path);
	if (copy_attributes(from_fd, name, to, ns, path, err) < 0)
		return -1;
	if (utimensat(to_fd, name, (struct timespec[]){ st.st_atim, st.st_mtim },
		      AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set the times of '%s'", path);
	return 0;
}
