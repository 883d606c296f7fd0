/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for showing the owners of files as others: directories as idmapped mounts, and
 * who makes the union of them.
 */
#include "storage/owners-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void owned_dirs_release(struct owned_dirs *dirs)
{
	for (size_t i = 0; i < dirs->count; i++)
		fd_close(&dirs->fds[i]);
	free(dirs->fds);
	dirs->fds = NULL;
	dirs->count = 0;
}

int owned_dir_clone(int dir_fd, int userns_fd, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (__u64)userns_fd };
	auto_close int fd =
		open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (fd < 0)
		return err_sys(err, "open a directory as a tree");
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		return fd_steal(&fd);
	if (errno != EINVAL && errno != EPERM)
		return err_sys(err, "show its files' owners as others");
	err_sys(err, "show its files' owners as others");
	return err_detail(err, "that is for root of the host to do, on a file system that can "
			       "(ext4, xfs, btrfs, tmpfs since Linux 6.3)");
}

static int add(struct owned_dirs *dirs, int fd)
{
	dirs->fds = mem_resize(dirs->fds, dirs->count + 1, sizeof(*dirs->fds));
	dirs->fds[dirs->count++] = fd;
	return fd;
}

/* The name by which the directory @fd is in its parent @parent_fd. */
static int name_of(int fd, char *buf, size_t size, struct err *err)
{
	char path[FD_PATH_MAX];
	char target[PATH_MAX];
	ssize_t len = readlink(fd_path(fd, path), target, sizeof(target) - 1);
	const char *slash;

	if (len < 0)
		return err_sys(err, "find a directory's name");
	target[len] = '\0';
	slash = strrchr(target, '/');
	if (!slash || strlen(slash + 1) >= size)
		return err_set(err, ERR_SYSTEM, "'%s' has no name", target);
	strcpy(buf, slash + 1);
	return 0;
}

/* The directory @fd once more, by way of its parent's mount @parent_fd. */
static int reopen(struct owned_dirs *dirs, int parent_fd, int fd, struct err *err)
{
	char name[NAME_MAX + 1];
	struct stat want;
	struct stat got;
	int again;

	if (name_of(fd, name, sizeof(name), err) < 0)
		return -1;
	again = openat(parent_fd, name, DIR_FLAGS);
	if (again < 0)
		return err_sys(err, "open '%s' of a layer", name);
	add(dirs, again);
	if (fstat(fd, &want) < 0 || fstat(again, &got) < 0 || want.st_dev != got.st_dev ||
	    want.st_ino != got.st_ino)
		return err_set(err, ERR_SYSTEM, "'%s' of a layer is another one by now", name);
	return again;
}

/* overlayfs wants both on one mount. */
static int open_upper(struct owned_dirs *dirs, struct err *err)
{
	struct mount_request *request = &dirs->request;
	auto_close int parent_fd = openat(request->upper_fd, "..", DIR_FLAGS);
	int mapped_fd;

	if (parent_fd < 0)
		return err_sys(err, "open the directory of an upper");
	mapped_fd = owned_dir_clone(parent_fd, request->owners->userns_fd, err);
	if (mapped_fd < 0)
		return -1;
	add(dirs, mapped_fd);
	request->upper_fd = reopen(dirs, mapped_fd, request->upper_fd, err);
	if (request->upper_fd < 0)
		return -1;
	request->work_fd = reopen(dirs, mapped_fd, request->work_fd, err);
	return request->work_fd < 0 ? -1 : 0;
}

int owned_dirs_open(const struct mount_request *request, struct owned_dirs *out, struct err *err)
{
	auto_owned_dirs struct owned_dirs dirs = { .request = *request };

	dirs.fds = mem_array(request->lower_count + 1, sizeof(*dirs.fds));
	for (; dirs.count < request->lower_count; dirs.count++) {
		dirs.fds[dirs.count] = owned_dir_clone(request->lowers[dirs.count],
						       request->owners->userns_fd, err);
		if (dirs.fds[dirs.count] < 0)
			return err_prefix(err, "mount layers");
	}
	if (request->upper_fd >= 0 && open_upper(&dirs, err) < 0)
		return err_prefix(err, "mount layers");
	dirs.request.lowers = dirs.fds;
	*out = dirs;
	dirs = (struct owned_dirs)OWNED_DIRS_INIT;
	return 0;
}

/* ---- who makes it ---- */

static int get_caps(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(SYS_capget, &header, data);
}

static int set_caps(const struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(SYS_capset, &header, data);
}

/*
 * While the union is made, too, its maker must be somebody who has an id in these mounts, for the
 * kernel makes work files and whiteouts in that name. Another file system id than 0 costs the
 * capabilities to do with files: they are taken back.
 */
int mount_owners_become(const struct mount_owners *owners, struct err *err)
{
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (!owners)
		return 0;
	if (get_caps(caps) < 0)
		return err_sys(err, "get the capabilities");
	(void)setfsgid(owners->root_gid);
	(void)setfsuid(owners->root_uid);
	if (set_caps(caps) == 0)
		return 0;
	err_sys(err, "keep the capabilities");
	mount_owners_unbecome(owners);
	return -1;
}

void mount_owners_unbecome(const struct mount_owners *owners)
{
	if (!owners)
		return;
	/* with 0 the capabilities come back by themselves */
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
}
