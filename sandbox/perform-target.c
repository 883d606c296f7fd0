/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a mount is put on: found in the root as the image sees it,
 * or made, if that is allowed and leaves nothing in the root.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"

/* Which mount @fd is on. */
static int mount_id(int fd, uint64_t *out, struct err *err)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return err_sys(err, "ask for a mount's number");
	if (!(st.stx_mask & STATX_MNT_ID))
		return err_set(err, ERR_SYSTEM, "this kernel does not tell a mount's number");
	*out = st.stx_mnt_id;
	return 0;
}

/* The longest part of @path that is there, and how long it is. */
static int open_existing(int root_fd, const char *path, size_t *out_len, struct err *err)
{
	size_t len = strlen(path);

	for (;;) {
		auto_free char *part = str_ndup(path, len);
		int fd = beneath_open(root_fd, part, BENEATH_IN_ROOT, O_PATH | O_DIRECTORY, err);

		if (fd >= 0) {
			*out_len = len;
			return fd;
		}
		if (errno != ENOENT || len == 0)
			return -1;
		err_clear(err);
		while (len > 0 && path[len - 1] == '/')
			len--;
		while (len > 0 && path[len - 1] != '/')
			len--;
	}
}

/* The last component is made as the mount is: a directory or an empty file. */
static int make_last(int dir_fd, const char *path, bool is_directory, struct err *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = str_ndup(path, slash ? (size_t)(slash - path) : 0);
	auto_close int fd = -1;

	fd = beneath_mkdirs(dir_fd, is_directory ? path : parent, BENEATH_NO_LINKS, 0755, err);
	if (fd < 0 || is_directory)
		return fd < 0 ? -1 : 0;
	fd_close(&fd);
	fd = beneath_create(dir_fd, path, O_RDONLY, 0644, err);
	return fd < 0 ? -1 : 0;
}

static int make_target(int root_fd, const char *target, bool is_directory, struct err *err)
{
	auto_close int dir_fd = -1;
	uint64_t root_id;
	uint64_t dir_id;
	size_t len;

	dir_fd = open_existing(root_fd, target, &len, err);
	if (dir_fd < 0 || mount_id(root_fd, &root_id, err) < 0 ||
	    mount_id(dir_fd, &dir_id, err) < 0)
		return -1;
	if (dir_id == root_id)
		return err_set(err, ERR_INPUT, "there is no '%s' to mount on", target);
	return make_last(dir_fd, target + len + strspn(target + len, "/"), is_directory, err);
}

static bool may_follow(enum sandbox_mount_kind kind)
{
	return kind == SANDBOX_MOUNT_BIND || kind == SANDBOX_MOUNT_TMPFS ||
	       kind == SANDBOX_MOUNT_TREE;
}

/*
 * Links are followed, inside of the root, where a user named the target. The
 * kernel's own file systems go exactly where they belong or nowhere.
 */
static int open_target(int root_fd, const struct sandbox_mount *mount, bool is_directory,
		       struct err *err)
{
	int fd = beneath_open(root_fd, mount->target,
			      may_follow(mount->kind) ? BENEATH_IN_ROOT : BENEATH_NO_LINKS, O_PATH,
			      err);

	if (fd >= 0 || errno != ENOENT || !(mount->flags & SANDBOX_MOUNT_MAKE_TARGET))
		return fd;
	err_clear(err);
	if (make_target(root_fd, mount->target, is_directory, err) < 0)
		return -1;
	return beneath_open(root_fd, mount->target, BENEATH_IN_ROOT, O_PATH, err);
}

int perform_target(int root_fd, const struct sandbox_mount *mount, int source_fd, struct err *err)
{
	auto_close int fd = -1;
	bool wants_dir;
	struct stat st;

	if (fstat(source_fd, &st) < 0)
		return err_sys(err, "stat the source");
	wants_dir = S_ISDIR(st.st_mode);
	fd = open_target(root_fd, mount, wants_dir, err);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", mount->target);
	if (wants_dir && !S_ISDIR(st.st_mode))
		return err_set(err, ERR_INPUT, "'%s' is not a directory", mount->target);
	if (!wants_dir && S_ISDIR(st.st_mode))
		return err_set(err, ERR_INPUT, "'%s' is a directory, the source is a file",
			       mount->target);
	return fd_steal(&fd);
}
