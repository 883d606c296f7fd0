/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for single mounts held by descriptors: made, copied, attached to a
 * descriptor. No path is resolved between looking at a target and mounting on
 * it, so nothing can be swapped in between.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

uint64_t mountfd_attributes(unsigned flags)
{
	return (flags & SANDBOX_MOUNT_READ_ONLY ? MOUNT_ATTR_RDONLY : 0U) |
	       (flags & SANDBOX_MOUNT_NOSUID ? MOUNT_ATTR_NOSUID : 0U) |
	       (flags & SANDBOX_MOUNT_NODEV ? MOUNT_ATTR_NODEV : 0U) |
	       (flags & SANDBOX_MOUNT_NOEXEC ? MOUNT_ATTR_NOEXEC : 0U);
}

/* "mode=0755,size=64m": each word a parameter of the file system. */
static int set_parameters(int fs_fd, const char *type, const char *data, struct err *err)
{
	auto_free char *copy = str_dup(data);
	char *rest = copy;
	char *word;

	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');
		int r;

		if (!*word)
			continue;
		if (value)
			*value++ = '\0';
		r = value ? fsconfig(fs_fd, FSCONFIG_SET_STRING, word, value, 0)
			  : fsconfig(fs_fd, FSCONFIG_SET_FLAG, word, NULL, 0);
		if (r < 0)
			return err_sys(err, "%s does not take '%s=%s'", type, word,
				       value ? value : "");
	}
	return 0;
}

int mountfd_new(const struct mount_spec *spec, struct err *err)
{
	auto_close int fs_fd = fsopen(spec->type, FSOPEN_CLOEXEC);
	int fd;

	if (fs_fd < 0)
		return err_sys(err, "open file system %s", spec->type);
	/* what the first column of mount(8) and df(1) shows */
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", spec->type, 0) < 0)
		return err_sys(err, "name a file system %s", spec->type);
	if (spec->data && set_parameters(fs_fd, spec->type, spec->data, err) < 0)
		return -1;
	if (spec->is_read_only_fs && fsconfig(fs_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return err_sys(err, "make %s read-only", spec->type);
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "make file system %s", spec->type);
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned)spec->attributes);
	if (fd < 0)
		return err_sys(err, "make a mount of %s", spec->type);
	return fd;
}

/* Private: what the host mounts below it later stays out, what the container does stays in. */
static int clone_at(int dir_fd, const char *path, bool recursive, uint64_t attributes,
		    const char *what, struct err *err)
{
	const unsigned depth = recursive ? AT_RECURSIVE : 0;
	const unsigned empty = *path ? 0 : AT_EMPTY_PATH;
	struct mount_attr attr = { .attr_set = attributes, .propagation = MS_PRIVATE };
	auto_close int fd =
		open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | empty | depth);

	if (fd < 0)
		return err_sys(err, "copy the mount of '%s'", what);
	if (mount_setattr(fd, "", AT_EMPTY_PATH | depth, &attr, sizeof(attr)) < 0)
		return err_sys(err, "set the flags of the mount of '%s'", what);
	return fd_steal(&fd);
}

int mountfd_clone(int fd, bool recursive, uint64_t attributes, const char *what, struct err *err)
{
	return clone_at(fd, "", recursive, attributes, what, err);
}

int mountfd_clone_path(const char *path, bool recursive, uint64_t attributes, struct err *err)
{
	return clone_at(AT_FDCWD, path, recursive, attributes, path, err);
}

int mountfd_set(int fd, uint64_t attributes, const char *what, struct err *err)
{
	struct mount_attr attr = { .attr_set = attributes };

	if (attributes && mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "set the flags of the mount of '%s'", what);
	return 0;
}

int mountfd_own(int fd, int userns_fd, const char *what, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (__u64)userns_fd };

	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(err, "show the owners of '%s' as others", what);
	return 0;
}

int mountfd_attach(int mount_fd, int target_fd, const char *target, struct err *err)
{
	if (move_mount(mount_fd, "", target_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(err, "mount on '%s'", target);
	return 0;
}
