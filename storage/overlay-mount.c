/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for mounts of the kernel's overlayfs where it takes all layers in one option of mount(2):
 * before Linux 6.8. The page that holds the options is enough for hundreds of layers, for they are
 * named by the numbers of their descriptors, from the directory /proc/self/fd.
 *
 * mount(2) wants a directory to mount at. So a thread leaves for a mount namespace of its own,
 * mounts there, takes a detached clone of the mount, and with the thread's end the namespace and
 * the mount in it are gone. In that namespace directories must be opened anew: overlayfs takes none
 * of another's mounts.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/thread.h"
#include "common/tree.h"
#include "storage/driver-internal.h"
#include "storage/store-internal.h"
#include "storage/trial-internal.h"

/* The kernel copies one page, whose last byte must be 0. */
#define OPTIONS_MAX 4095

struct work {
	const struct store *store;
	const struct mount_request *request;
	int *fds; /* opened in the namespace; freed by who made the work */
	size_t count;
	int mount_fd;
	int result;
	struct err err;
};

/* The directory @fd once more, as this namespace has it; its number. */
static int reopen(struct work *work, int fd, struct err *err)
{
	char link[FD_PATH_MAX];
	char path[PATH_MAX];
	struct stat want;
	struct stat got;
	ssize_t len = readlink(fd_path(fd, link), path, sizeof(path) - 1);
	int again;

	if (len < 0)
		return err_sys(err, "mount layers: find the path of a directory");
	path[len] = '\0';
	again = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (again < 0)
		return err_sys(err, "mount layers: open '%s'", path);
	work->fds[work->count++] = again;
	if (fstat(fd, &want) < 0 || fstat(again, &got) < 0 || want.st_dev != got.st_dev ||
	    want.st_ino != got.st_ino)
		return err_set(err, ERR_SYSTEM, "mount layers: '%s' is another directory by now",
			       path);
	return again;
}

static int add_dirs(struct work *work, struct strbuf *options, struct err *err)
{
	const struct mount_request *request = work->request;
	int fd;

	/* overlayfs takes them from the top down */
	for (size_t i = request->lower_count; i > 0; i--) {
		fd = reopen(work, request->lowers[i - 1], err);
		if (fd < 0)
			return -1;
		strbuf_printf(options, "%s%d", i < request->lower_count ? ":" : "lowerdir=", fd);
	}
	if (request->upper_fd < 0)
		return 0;
	fd = reopen(work, request->upper_fd, err);
	if (fd < 0)
		return -1;
	strbuf_printf(options, ",upperdir=%d", fd);
	fd = reopen(work, request->work_fd, err);
	if (fd < 0)
		return -1;
	strbuf_printf(options, ",workdir=%d,volatile", fd);
	return 0;
}

static int mount_in_namespace(struct work *work, struct err *err)
{
	auto_strbuf struct strbuf options = STRBUF_INIT;
	auto_free char *target = str_format("%s/empty", work->store->root_path);

	if (unshare(CLONE_FS | CLONE_NEWNS) < 0)
		return err_sys(err, "mount layers: make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "mount layers: keep mounts to itself");
	if (add_dirs(work, &options, err) < 0)
		return -1;
	strbuf_puts(&options, ",redirect_dir=nofollow,metacopy=off,index=off,xino=off");
	if (work->store->ns != OVERLAY_TRUSTED)
		strbuf_puts(&options, ",userxattr");
	if (options.len > OPTIONS_MAX)
		return err_set(
			err, ERR_INPUT,
			"%zu layers are more than overlayfs takes on this kernel: from Linux "
			"6.8 on it takes %d",
			work->request->lower_count, MOUNT_LOWERS_MAX);
	if (chdir("/proc/self/fd") < 0)
		return err_sys(err, "mount layers: go to '/proc/self/fd'");
	if (mount("imgbuild", target, "overlay", work->request->upper_fd < 0 ? MS_RDONLY : 0,
		  options.data) < 0)
		return err_sys(err, "mount layers: overlayfs by mount(2)");
	work->mount_fd = open_tree(AT_FDCWD, target, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return work->mount_fd < 0 ? err_sys(err, "mount layers: detach the mount") : 0;
}

static void *run(void *context)
{
	struct work *work = context;

	work->result = mount_in_namespace(work, &work->err);
	return NULL;
}

static int mount_by_thread(struct work *work, struct err *err)
{
	pthread_t thread;

	work->fds = mem_array(work->request->lower_count + 2, sizeof(*work->fds));
	if (thread_start(&thread, run, work, err) < 0)
		return -1;
	pthread_join(thread, NULL);
	for (size_t i = 0; i < work->count; i++)
		fd_close(&work->fds[i]);
	if (work->result == 0)
		return work->mount_fd;
	*err = work->err;
	return -1;
}

static int driver_mount(struct store *store, const struct mount_request *request, struct err *err)
{
	struct mount_request shown = *request;
	int two[2] = { store->empty_fd, -1 };
	struct work work = { .store = store, .request = &shown, .mount_fd = -1 };
	int mount_fd;

	if (shown.lower_count == 0 && shown.upper_fd < 0)
		return mount_directory(store->empty_fd, true, err);
	overlay_fill_up(&shown, two);
	if (shown.upper_fd >= 0 && overlay_clear_volatile(shown.work_fd, err) < 0)
		return -1;
	mount_fd = mount_by_thread(&work, err);
	free(work.fds);
	return mount_fd;
}

static int driver_probe(struct store *store, struct err *err)
{
	return trial_run(store, &mount_driver_overlay_mount, err);
}

const struct mount_driver mount_driver_overlay_mount = {
	.name = "overlay-mount",
	.description = "the kernel's overlayfs, by mount(2)",
	.lowers_max = MOUNT_LOWERS_MAX,
	.is_lasting = true,
	.is_as_good = true,
	.probe = driver_probe,
	.mount = driver_mount,
};
