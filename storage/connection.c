/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the kernel's half of a file system that a program of ours serves. */
#include "storage/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/proc-internal.h"

static int set_string(int fs_fd, const char *key, const char *value, struct err *err)
{
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, key, value, 0) == 0)
		return 0;
	return err_sys(err, "FUSE: option '%s=%s'", key, value);
}

static int set_number(int fs_fd, const char *key, const char *form, unsigned number,
		      struct err *err)
{
	char text[16];

	snprintf(text, sizeof(text), form[0] == 'o' ? "%o" : "%u", number);
	return set_string(fs_fd, key, text, err);
}

static int set_flag(int fs_fd, const char *key, struct err *err)
{
	if (fsconfig(fs_fd, FSCONFIG_SET_FLAG, key, NULL, 0) == 0)
		return 0;
	return err_sys(err, "FUSE: option '%s'", key);
}

int connection_open(struct err *err)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	return fd < 0 ? err_sys(err, "open '/dev/fuse'") : fd;
}

int connection_mount(int connection_fd, uint64_t attributes, struct err *err)
{
	auto_close int fs_fd = fsopen("fuse", FSOPEN_CLOEXEC);
	int mount_fd;

	if (fs_fd < 0)
		return err_sys(err, "open the file system 'fuse'");
	if (set_string(fs_fd, "source", "imgbuild", err) < 0 ||
	    set_number(fs_fd, "fd", "u", (unsigned)connection_fd, err) < 0 ||
	    set_number(fs_fd, "rootmode", "o", S_IFDIR, err) < 0 ||
	    set_number(fs_fd, "user_id", "u", geteuid(), err) < 0 ||
	    set_number(fs_fd, "group_id", "u", getegid(), err) < 0 ||
	    set_flag(fs_fd, "allow_other", err) < 0 ||
	    set_flag(fs_fd, "default_permissions", err) < 0)
		return -1;
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "FUSE");
	mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned)attributes);
	return mount_fd < 0 ? err_sys(err, "FUSE") : mount_fd;
}

int connection_wait(int mount_fd, const char *program, struct child *child, int log_fd,
		    struct err *err)
{
	char line[PROC_LINE_MAX];
	char text[64];
	struct stat st;
	int status;

	if (fstatat(mount_fd, ".", &st, 0) == 0)
		return 0;
	if (errno != ENOTCONN && errno != ECONNABORTED)
		return err_sys(err, "look at what %s shows", program);
	if (child_wait(child, &status, err) < 0)
		return -1;
	proc_stderr_line(log_fd, line);
	return err_set(err, ERR_SYSTEM, "%s failed: %s%s%s", program,
		       proc_status_text(status, text), line[0] ? ": " : "", line);
}
