/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for mounts of the kernel's overlayfs: its options, its limits, and what
 * it says when it refuses. Which directories are mounted is mount.c's business.
 *
 * Layers are given as /proc/self/fd/N, so no path of the store can be too long,
 * hold a colon, or be exchanged under way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/tmpfile.h"
#include "common/tree.h"
#include "layers/whiteout.h"
#include "storage/driver-internal.h"
#include "storage/owners-internal.h"
#include "storage/store-internal.h"
#include "storage/trial-internal.h"

/* What the kernel wrote into the context's log, the last line, without "e ". */
static void read_log(int fs_fd, char *buf, size_t size)
{
	char line[256];
	ssize_t n;

	buf[0] = '\0';
	while ((n = read(fs_fd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, size, "%s", n > 2 && line[1] == ' ' ? line + 2 : line);
	}
}

/* Word a refusal: the kernel's own words when it has some. */
static int refused(int fs_fd, const char *what, struct err *err)
{
	int saved = errno;
	char log[256];

	read_log(fs_fd, log, sizeof(log));
	errno = saved;
	if (log[0])
		return err_sys(err, "mount layers: %s: %s", what, log);
	return err_sys(err, "mount layers: %s", what);
}

static int set_string(int fs_fd, const char *key, const char *value, struct err *err)
{
	char what[128];

	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, key, value, 0) == 0)
		return 0;
	snprintf(what, sizeof(what), "option '%s=%s'", key, value);
	return refused(fs_fd, what, err);
}

static int set_flag(int fs_fd, const char *key, struct err *err)
{
	char what[128];

	if (fsconfig(fs_fd, FSCONFIG_SET_FLAG, key, NULL, 0) == 0)
		return 0;
	snprintf(what, sizeof(what), "option '%s'", key);
	return refused(fs_fd, what, err);
}

static int set_dir(int fs_fd, const char *key, int dir_fd, struct err *err)
{
	char path[FD_PATH_MAX];

	return set_string(fs_fd, key, fd_path(dir_fd, path), err);
}

static int set_dirs(int fs_fd, const struct mount_request *request, struct err *err)
{
	/* overlayfs takes them from the top down */
	for (size_t i = request->lower_count; i > 0; i--)
		if (set_dir(fs_fd, "lowerdir+", request->lowers[i - 1], err) < 0)
			return -1;
	if (request->upper_fd < 0)
		return 0;
	if (set_dir(fs_fd, "upperdir", request->upper_fd, err) < 0 ||
	    set_dir(fs_fd, "workdir", request->work_fd, err) < 0)
		return -1;
	return set_flag(fs_fd, "volatile", err);
}

/*
 * Said outright, whatever the host's module parameters are: a redirect or a
 * metacopy in an upper could not be expressed in a layer.
 */
static int set_features(int fs_fd, enum overlay_ns ns, struct err *err)
{
	static const char *const features[] = { "metacopy", "index", "xino" };

	/* "off" may still mean to follow those that are there, which userxattr refuses */
	if (set_string(fs_fd, "redirect_dir", "nofollow", err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (set_string(fs_fd, features[i], "off", err) < 0)
			return -1;
	return ns != OVERLAY_TRUSTED ? set_flag(fs_fd, "userxattr", err) : 0;
}

/*
 * A volatile mount leaves a mark in its work directory, by which the kernel
 * refuses to mount it again: a container that is started once more. What the mark
 * warns of, a crash of the machine in between, its user has accepted.
 */
int overlay_clear_volatile(int work_fd, struct err *err)
{
	auto_close int fd =
		openat(work_fd, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, "mount layers: open 'work'");
	return tree_remove(fd, "incompat", err);
}

static int overlay_mount(const struct mount_request *request, enum overlay_ns ns, struct err *err)
{
	auto_close int fs_fd = fsopen("overlay", FSOPEN_CLOEXEC);
	unsigned int attributes = request->upper_fd < 0 ? MOUNT_ATTR_RDONLY : 0;
	int mount_fd;

	if (fs_fd < 0 && errno == ENODEV)
		return err_set(err, ERR_SYSTEM, "mount layers: this kernel has no overlayfs");
	if (fs_fd < 0)
		return err_sys(err, "mount layers: open overlayfs");
	if (request->upper_fd >= 0 && overlay_clear_volatile(request->work_fd, err) < 0)
		return -1;
	if (set_string(fs_fd, "source", "imgbuild", err) < 0 || set_features(fs_fd, ns, err) < 0 ||
	    set_dirs(fs_fd, request, err) < 0)
		return -1;
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return refused(fs_fd, "overlayfs", err);
	mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
	if (mount_fd < 0)
		return refused(fs_fd, "overlayfs", err);
	return mount_fd;
}

static int mount_owned(const struct mount_request *request, enum overlay_ns ns, struct err *err)
{
	auto_owned_dirs struct owned_dirs dirs = OWNED_DIRS_INIT;
	int mount_fd;

	if (owned_dirs_open(request, &dirs, err) < 0 ||
	    mount_owners_become(request->owners, err) < 0)
		return -1;
	mount_fd = overlay_mount(&dirs.request, ns, err);
	mount_owners_unbecome(request->owners);
	return mount_fd;
}

/* ---- the driver ------------------------------------------------------------- */

void overlay_fill_up(struct mount_request *request, int two[2])
{
	if (request->lower_count == 0) {
		request->lowers = two;
		request->lower_count = 1;
	} else if (request->lower_count == 1 && request->upper_fd < 0) {
		two[1] = request->lowers[0];
		request->lowers = two;
		request->lower_count = 2;
	}
}

static int driver_mount(struct store *store, const struct mount_request *request, struct err *err)
{
	struct mount_request shown = *request;
	int two[2] = { store->empty_fd, -1 };

	if (shown.lower_count == 0 && shown.upper_fd < 0)
		return mount_directory(store->empty_fd, true, err);
	overlay_fill_up(&shown, two);
	return shown.owners ? mount_owned(&shown, store->ns, err)
			    : overlay_mount(&shown, store->ns, err);
}

static int driver_probe(struct store *store, struct err *err)
{
	return trial_run(store, &mount_driver_overlay, err);
}

const struct mount_driver mount_driver_overlay = {
	.name = "overlay",
	.description = "the kernel's overlayfs",
	.lowers_max = MOUNT_LOWERS_MAX,
	.is_lasting = true,
	.has_owners = true,
	.probe = driver_probe,
	.mount = driver_mount,
};
