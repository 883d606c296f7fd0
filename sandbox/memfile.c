/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for files that are in memory only: a tmpfs of their own, which real
 * root keeps out of the swap, and no name anywhere on the host.
 */
#include "sandbox/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/userns.h"

#define ROUND_BYTES ((size_t)65536)

static int new_tmpfs(size_t len, struct err *err)
{
	auto_close int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	char size[32];
	int fd;

	if (fs_fd < 0)
		return err_sys(err, "open file system tmpfs");
	snprintf(size, sizeof(size), "%zu", len + ROUND_BYTES);
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0)
		return err_sys(err, "set the size of a tmpfs");
	/* Linux 6.4; in a user namespace nobody may ask for it */
	if (!userns_is_nested() && fsconfig(fs_fd, FSCONFIG_SET_FLAG, "noswap", NULL, 0) < 0)
		return err_sys(err, "keep a tmpfs out of the swap");
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "make file system tmpfs");
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (fd < 0)
		return err_sys(err, "make a mount of tmpfs");
	return fd;
}

int memfile_mount(const struct memfile_spec *spec, struct err *err)
{
	auto_close int mount_fd = new_tmpfs(spec->len, err);
	auto_close int fd = -1;

	if (mount_fd < 0)
		return -1;
	fd = openat(mount_fd, MEMFILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys(err, "make a file in memory");
	if (fd_write_all(fd, spec->data, spec->len, "a file in memory", err) < 0)
		return -1;
	if (fchown(fd, spec->uid, spec->gid) < 0)
		return errno == EINVAL
			       ? err_set(err, ERR_INPUT,
					 "owner %ju:%ju does not exist in this user namespace",
					 (uintmax_t)spec->uid, (uintmax_t)spec->gid)
			       : err_sys(err, "set the owner of a file in memory");
	if (fchmod(fd, spec->mode) < 0)
		return err_sys(err, "set the mode of a file in memory");
	return fd_steal(&mount_fd);
}
