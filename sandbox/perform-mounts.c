/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the container's mount tree: attaches the root, then every mount
 * of the description below it, hides what is to be hidden, and makes the root
 * the "/" of this process. The image's content is hostile: each target is
 * opened in the root (perform-target.c), looked at, and mounted on, by one and the
 * same descriptor.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"

#define PLAIN (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int perform_clone_sources(struct sandbox_description *description, struct err *err)
{
	for (size_t i = 0; i < description->mount_count; i++) {
		struct sandbox_mount *mount = &description->mounts[i];

		if (mount->kind != SANDBOX_MOUNT_BIND)
			continue;
		mount->source_fd =
			mountfd_clone(mount->source_fd, mount->flags & SANDBOX_MOUNT_RECURSIVE,
				      mountfd_attributes(mount->flags), mount->target, err);
		if (mount->source_fd < 0 ||
		    ((mount->flags & SANDBOX_MOUNT_OWNED) &&
		     mountfd_own(mount->source_fd,
				 sandbox_description_join_fd(description, SANDBOX_NS_USER),
				 mount->target, err) < 0))
			return -1;
	}
	return 0;
}

void perform_close_sources(struct sandbox_description *description)
{
	for (size_t i = 0; i < description->mount_count; i++) {
		if (description->mounts[i].kind == SANDBOX_MOUNT_BIND)
			fd_close(&description->mounts[i].source_fd);
	}
}

/* Only where isolation 'namespaces' was asked for: a chroot would have been the rung else. */
static int fail_private(struct err *err)
{
	if (errno != EINVAL)
		return err_sys(err, "make the mounts private");
	return err_set(err, ERR_SYSTEM,
		       "make the mounts private: the root directory is no mount point, for this "
		       "runs in a chroot: mount --bind DIR DIR before it is entered, or "
		       "--isolation=chroot");
}

/*
 * The root is put on top of the host's "/" in our own copy of the mount tree.
 * Paths of this process still begin below it until enter_root.
 */
static int attach_root(const struct sandbox_description *description, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = (description->read_only_root ? MOUNT_ATTR_RDONLY : 0U) |
			    (description->opens_devices ? 0U : MOUNT_ATTR_NODEV),
	};
	struct stat st;

	if (fstat(description->root_fd, &st) < 0)
		return err_sys(err, "stat the root");
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_BUG, "the root is not a directory");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail_private(err);
	if (attr.attr_set &&
	    mount_setattr(description->root_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "set the flags of the root's mount");
	if (move_mount(description->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "attach the root");
	return 0;
}

/* The old tree is first below, then taken from under, the new one (both are "."). */
static int enter_root(int root_fd, struct err *err)
{
	if (fchdir(root_fd) < 0)
		return err_sys(err, "change to the root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(err, "pivot to the root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(err, "leave the host's root");
	if (chdir("/") < 0)
		return err_sys(err, "change to the new root");
	return 0;
}

static int new_of_kind(const char *type, const struct sandbox_mount *mount, struct err *err)
{
	const struct mount_spec spec = {
		.type = type,
		.data = mount->data,
		.attributes = mountfd_attributes(mount->flags),
	};

	return mountfd_new(&spec, err);
}

/* An ordinary user's container that has the host's. */
static bool is_shared(const struct sandbox_description *description, unsigned ns)
{
	return description->nested && !(description->namespaces & ns) &&
	       !sandbox_description_joins(description, ns);
}

/*
 * Where the network is the host's but the user namespace is not, the kernel
 * gives no sysfs of that network: the host's is shown, with all below it.
 */
static int new_sysfs(const struct sandbox_description *description,
		     const struct sandbox_mount *mount, struct err *err)
{
	if (is_shared(description, SANDBOX_NS_NET))
		return mountfd_clone_path("/sys", true, mountfd_attributes(mount->flags), err);
	return new_of_kind("sysfs", mount, err);
}

/* The same for the processes and queues of the host, where we have none of our own. */
static int new_shared(const struct sandbox_description *description,
		      const struct sandbox_mount *mount, const char *type, unsigned ns,
		      struct err *err)
{
	if (is_shared(description, ns))
		return mountfd_clone_path(mount->target, true, mountfd_attributes(mount->flags),
					  err);
	return new_of_kind(type, mount, err);
}

static bool host_has_cgroup2(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* What the host has not got cannot be shown. */
static bool is_left_out(const struct sandbox_description *description,
			const struct sandbox_mount *mount)
{
	if (mount->kind == SANDBOX_MOUNT_CGROUP)
		return !host_has_cgroup2();
	return mount->kind == SANDBOX_MOUNT_MQUEUE && is_shared(description, SANDBOX_NS_IPC) &&
	       access(mount->target, F_OK) < 0;
}

/* The outer process made it ready (perform_clone_sources). */
static int dup_source(const struct sandbox_mount *mount, struct err *err)
{
	int fd = fcntl(mount->source_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, "duplicate the source");
	return fd;
}

static int copy_beneath(const struct sandbox_mount *mount, const char *path, struct err *err)
{
	auto_close int fd = beneath_open(mount->source_fd, path, BENEATH_IN_ROOT, O_PATH, err);

	if (fd < 0)
		return err_prefix(err, "source");
	return mountfd_clone(fd, false, mountfd_attributes(mount->flags), path, err);
}

/*
 * The tree is put over the root as long as it takes to copy from it: the kernel copies only
 * what is attached somewhere in our mount namespace. Descriptors are below it and not aware.
 */
static int attach_source(int root_fd, const struct sandbox_mount *mount, struct err *err)
{
	return mountfd_attach(mount->source_fd, root_fd, mount->target, err);
}

static int take_away_source(const struct sandbox_mount *mount, struct err *err)
{
	if (fchdir(mount->source_fd) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_sys(err, "take away the source of '%s'", mount->target);
	return 0;
}

static int copy_from_tree(int root_fd, const struct sandbox_mount *mount, struct err *err)
{
	auto_close int copy_fd = -1;

	if (attach_source(root_fd, mount, err) < 0)
		return -1;
	copy_fd = copy_beneath(mount, mount->data, err);
	if (copy_fd < 0 || take_away_source(mount, err) < 0)
		return -1;
	return fd_steal(&copy_fd);
}

static int put_file(int root_fd, const struct sandbox_mount *mount, const char *name,
		    struct err *err)
{
	auto_free char *path = str_format("%s/%s", mount->target, name);
	const struct sandbox_mount one = { .kind = mount->kind, .target = path };
	auto_close int fd = copy_beneath(mount, name, err);
	auto_close int target_fd = fd < 0 ? -1 : perform_target(root_fd, &one, fd, err);

	return target_fd < 0 ? -1 : mountfd_attach(fd, target_fd, path, err);
}

static int put_files(int root_fd, const struct sandbox_mount *mount, struct err *err)
{
	auto_free char *names = str_dup(mount->data ? mount->data : "");
	char *rest = names;
	const char *name;

	if (attach_source(root_fd, mount, err) < 0)
		return -1;
	while ((name = strsep(&rest, ",")))
		if (put_file(root_fd, mount, name, err) < 0)
			return -1;
	return take_away_source(mount, err);
}

static int new_tree(int root_fd, const struct sandbox_mount *mount, struct err *err)
{
	if (mount->data)
		return copy_from_tree(root_fd, mount, err);
	if (mountfd_set(mount->source_fd, mountfd_attributes(mount->flags), mount->target, err) < 0)
		return -1;
	return dup_source(mount, err);
}

/* Nodev only once the devices in it are made. */
static int new_dev(const struct sandbox_description *description, const struct sandbox_mount *mount,
		   struct err *err)
{
	struct sandbox_mount open_dev = *mount;

	if (!description->nested)
		open_dev.flags &= ~(unsigned)SANDBOX_MOUNT_NODEV;
	return new_of_kind("tmpfs", &open_dev, err);
}

/* A detached mount of what @mount says. */
static int new_mount(const struct sandbox_description *description,
		     const struct sandbox_mount *mount, struct err *err)
{
	switch (mount->kind) {
	case SANDBOX_MOUNT_PROC:
		return new_shared(description, mount, "proc", SANDBOX_NS_PID, err);
	case SANDBOX_MOUNT_SYSFS:
		return new_sysfs(description, mount, err);
	case SANDBOX_MOUNT_TMPFS:
		return new_of_kind("tmpfs", mount, err);
	case SANDBOX_MOUNT_DEV:
		return new_dev(description, mount, err);
	case SANDBOX_MOUNT_DEVPTS:
		return new_of_kind("devpts", mount, err);
	case SANDBOX_MOUNT_MQUEUE:
		return new_shared(description, mount, "mqueue", SANDBOX_NS_IPC, err);
	case SANDBOX_MOUNT_CGROUP:
		return new_of_kind("cgroup2", mount, err);
	case SANDBOX_MOUNT_BIND:
		return dup_source(mount, err);
	case SANDBOX_MOUNT_TREE:
		return new_tree(description->root_fd, mount, err);
	case SANDBOX_MOUNT_FILES:
		break; /* they are several: put_files */
	}
	return err_set(err, ERR_BUG, "a mount of an unknown kind");
}

static int perform_mount(const struct sandbox_description *description,
			 const struct sandbox_mount *mount, struct perform_fds *fds,
			 struct err *err)
{
	auto_close int target_fd = -1;
	auto_close int fd = -1;

	if (is_left_out(description, mount))
		return 0;
	if (mount->kind == SANDBOX_MOUNT_FILES)
		return put_files(description->root_fd, mount, err);
	fd = new_mount(description, mount, err);
	if (fd < 0)
		return -1;
	target_fd = perform_target(description->root_fd, mount, fd, err);
	if (target_fd < 0 || mountfd_attach(fd, target_fd, mount->target, err) < 0)
		return -1;
	if (mount->kind == SANDBOX_MOUNT_DEV) {
		fds->dev_fd = fd_steal(&fd);
		return perform_dev(description, fds->dev_fd, err);
	}
	if (mount->kind == SANDBOX_MOUNT_DEVPTS)
		fds->pts_fd = fd_steal(&fd);
	return 0;
}

/* ---- hiding ---- */

struct mask {
	int root_fd;
	int null_fd;  /* the host's /dev/null, looked at */
	int empty_fd; /* an attached empty tmpfs to copy, or -1 while there is none */
};

static int open_null(struct err *err)
{
	auto_close int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '/dev/null'");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(err, ERR_SYSTEM, "'/dev/null' of the host is not the null device");
	return fd_steal(&fd);
}

/* One empty file system serves all directories: the first is made, the others are copies. */
static int mask_directory(struct mask *mask, int target_fd, const char *path, struct err *err)
{
	const struct mount_spec spec = {
		.type = "tmpfs",
		.data = "mode=0755,size=4k,nr_inodes=1",
		.attributes = PLAIN | MOUNT_ATTR_RDONLY,
		.is_read_only_fs = true,
	};
	auto_close int fd = -1;

	fd = mask->empty_fd < 0 ? mountfd_new(&spec, err)
				: mountfd_clone(mask->empty_fd, false, spec.attributes, path, err);
	if (fd < 0 || mountfd_attach(fd, target_fd, path, err) < 0)
		return -1;
	if (mask->empty_fd < 0)
		mask->empty_fd = fd_steal(&fd);
	return 0;
}

static int mask_file(struct mask *mask, int target_fd, const char *path, struct err *err)
{
	auto_close int fd =
		mountfd_clone(mask->null_fd, false,
			      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, path, err);

	if (fd < 0)
		return -1;
	return mountfd_attach(fd, target_fd, path, err);
}

/* 1 and *out_fd, or 0 when there is nothing at @path. No links: these are the kernel's own files.
 */
static int open_hidden(int root_fd, const char *path, int *out_fd, struct err *err)
{
	int fd = beneath_open(root_fd, path, BENEATH_NO_LINKS, O_PATH, err);

	if (fd < 0 && errno == ENOENT) {
		err_clear(err);
		return 0;
	}
	if (fd < 0)
		return -1;
	*out_fd = fd;
	return 1;
}

static int perform_masks(const struct sandbox_description *description, struct mask *mask,
			 struct err *err)
{
	const struct strlist *paths = &description->masked_paths;

	for (size_t i = 0; i < paths->count; i++) {
		auto_close int fd = -1;
		struct stat st;
		int there = open_hidden(mask->root_fd, paths->items[i], &fd, err);

		if (there < 0)
			return -1;
		if (there == 0)
			continue;
		if (fstat(fd, &st) < 0)
			return err_sys(err, "stat '%s'", paths->items[i]);
		if ((S_ISDIR(st.st_mode) ? mask_directory(mask, fd, paths->items[i], err)
					 : mask_file(mask, fd, paths->items[i], err)) < 0)
			return -1;
	}
	return 0;
}

static int perform_read_only(const struct sandbox_description *description, struct err *err)
{
	const struct strlist *paths = &description->read_only_paths;

	for (size_t i = 0; i < paths->count; i++) {
		auto_close int fd = -1;
		auto_close int copy_fd = -1;
		int there = open_hidden(description->root_fd, paths->items[i], &fd, err);

		if (there < 0)
			return -1;
		if (there == 0)
			continue;
		copy_fd = mountfd_clone(fd, true, MOUNT_ATTR_RDONLY, paths->items[i], err);
		if (copy_fd < 0 || mountfd_attach(copy_fd, fd, paths->items[i], err) < 0)
			return -1;
	}
	return 0;
}

static int hide(const struct sandbox_description *description, struct err *err)
{
	auto_close int null_fd = open_null(err);
	struct mask mask = {
		.root_fd = description->root_fd,
		.null_fd = null_fd,
		.empty_fd = -1,
	};
	int r;

	if (null_fd < 0)
		return -1;
	r = perform_masks(description, &mask, err);
	fd_close(&mask.empty_fd);
	return r < 0 ? -1 : perform_read_only(description, err);
}

int perform_mounts(const struct sandbox_description *description, struct perform_fds *out,
		   struct err *err)
{
	if (attach_root(description, err) < 0)
		return -1;
	for (size_t i = 0; i < description->mount_count; i++) {
		const struct sandbox_mount *mount = &description->mounts[i];

		if (perform_mount(description, mount, out, err) < 0)
			return err_prefix(err, "mount '%s'", mount->target);
	}
	if (perform_sysctls(description, err) < 0 || hide(description, err) < 0)
		return -1;
	return enter_root(description->root_fd, err);
}
