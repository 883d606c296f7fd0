/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the mounts that the daemon of a connection keeps: none of others', so that it holds
 * up nobody who unmounts, and no namespace.
 */
#include "fuse-overlay/own-mounts.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"

/* What is looked for by path while we serve. */
static const char *const kept[] = { "proc", "dev", "sys" };
#define KEPT_COUNT (sizeof(kept) / sizeof(kept[0]))

/* As one detached tree each; -1 for what there is not. */
static int take_kept(int out_fds[KEPT_COUNT], struct err *err)
{
	auto_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return err_sys(err, "open '/'");
	for (size_t i = 0; i < KEPT_COUNT; i++) {
		out_fds[i] = open_tree(root_fd, kept[i],
				       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (out_fds[i] < 0 && errno != ENOENT)
			return err_sys(err, "take '/%s' along", kept[i]);
	}
	return 0;
}

static int make_private(struct err *err)
{
	/* or what is mounted where we come from would be mounted here, and the other way round */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make the mounts private");
	return 0;
}

/* Of the namespace, where we may have been in a chroot: only such a one can be exchanged. */
static int go_to_first_root(struct err *err)
{
	auto_close int ns_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (ns_fd < 0 || setns(ns_fd, CLONE_NEWNS) < 0)
		return err_sys(err, "go to the root of the mount namespace");
	return 0;
}

/* The new root hides the place where it is until it is the root. */
static int make_root(struct err *err)
{
	auto_close int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	auto_close int root_fd = -1;

	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "755", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "make a root directory");
	root_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, 0);
	if (root_fd < 0 || move_mount(root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "mount a root directory");
	return fd_steal(&root_fd);
}

static int put_kept(int root_fd, const int fds[KEPT_COUNT], struct err *err)
{
	for (size_t i = 0; i < KEPT_COUNT; i++) {
		if (fds[i] < 0)
			continue;
		if (mkdirat(root_fd, kept[i], 0755) < 0 ||
		    move_mount(fds[i], "", root_fd, kept[i], MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return err_sys(err, "mount '/%s'", kept[i]);
	}
	return 0;
}

/* The old tree is first below, then taken from under, the new one (both are "."). */
static int exchange_root(int root_fd, struct err *err)
{
	if (fchdir(root_fd) < 0)
		return err_sys(err, "go to a root directory");
	/* EINVAL: the one that we have cannot be taken away, and the new one is */
	if (syscall(SYS_pivot_root, ".", ".") < 0 && errno != EINVAL)
		return err_sys(err, "change the root directory");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(err, "leave a root directory");
	return 0;
}

/* Libc looks for this library when threads are cancelled, and ends the process without it. */
static void load_unwinder(void)
{
	void *caller;

	(void)backtrace(&caller, 1);
}

static int enter(int fds[KEPT_COUNT], struct err *err)
{
	auto_close int root_fd = -1;

	load_unwinder();
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, "leave the mount namespace");
	if (take_kept(fds, err) < 0 || go_to_first_root(err) < 0 || make_private(err) < 0)
		return -1;
	root_fd = make_root(err);
	if (root_fd < 0 || put_kept(root_fd, fds, err) < 0 || exchange_root(root_fd, err) < 0)
		return -1;
	if (chdir("/") < 0)
		return err_sys(err, "go to '/'");
	/* what was taken along before is now */
	return make_private(err);
}

int own_mounts_enter(struct err *err)
{
	int fds[KEPT_COUNT] = { -1, -1, -1 };
	int result = enter(fds, err);

	for (size_t i = 0; i < KEPT_COUNT; i++)
		fd_close(&fds[i]);
	return result;
}
