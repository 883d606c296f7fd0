/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the calls that make files. The kernel makes them all as 0:0. That is right for root
 * but in a directory whose setgid bit gives what is in it another group, and wrong for everybody
 * else: there we make the file ourselves, and record its owner. Devices are recorded always.
 */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fd.h"
#include "layers/record.h"

/* A new file: where, and whose. */
struct birth {
	int dir_fd;
	char name[NAME_MAX + 1];
	uid_t uid;
	gid_t gid;
};
#define BIRTH_INIT           \
	{                    \
		.dir_fd = -1 \
	}
#define auto_birth __attribute__((cleanup(birth_release)))

static void birth_release(struct birth *birth)
{
	fd_close(&birth->dir_fd);
}

/* CALL_PASS when it would be 0:0, or when the name is such that the kernel refuses it. */
static int find_birth(struct call *call, int dir_fd, uint64_t path, struct birth *out)
{
	const struct ids *ids = supervise_ids(call);
	bool is_recorded;
	struct stat dir;

	out->dir_fd = call_open_parent(call, dir_fd, path, out->name);
	if (out->dir_fd < 0 || !out->name[0] || strcmp(out->name, ".") == 0 ||
	    strcmp(out->name, "..") == 0 || fstat(out->dir_fd, &dir) < 0)
		return CALL_PASS;
	out->uid = ids->uid[ID_FILE];
	out->gid = ids->gid[ID_FILE];
	if ((dir.st_mode & S_ISGID) && supervise_stat(call, out->dir_fd, &dir, &is_recorded) == 0)
		out->gid = dir.st_gid;
	if (out->uid == 0 && out->gid == 0)
		return CALL_PASS;
	return call_is_alive(call) ? 0 : -ESRCH;
}

static int may_give_birth(struct call *call, int dir_fd, uint64_t path)
{
	return supervise_may_enter(call, (struct at){ .dir_fd = dir_fd, .path = path }, ENTER_NEW);
}

/* What was just made and is no directory that somebody else put there meanwhile. */
static int own_new(const struct call *call, const struct birth *birth)
{
	auto_close int fd = openat(birth->dir_fd, birth->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : supervise_chown(call, fd, birth->uid, birth->gid);
}

/* ---- directories, links, devices ---- */

int answer_mkdir(struct call *call)
{
	const bool is_at = call->number == SYS_mkdirat;
	const int dir_fd = is_at ? (int)call->args[0] : AT_FDCWD;
	const uint64_t *args = call->args + (is_at ? 1 : 0);
	auto_birth struct birth birth = BIRTH_INIT;
	mode_t mode;
	int result = may_give_birth(call, dir_fd, args[0]);

	if (result == 0)
		result = find_birth(call, dir_fd, args[0], &birth);
	if (result != 0)
		return result;
	mode = (mode_t)args[1] & ~call_umask(call);
	if (mkdirat(birth.dir_fd, birth.name, mode) < 0)
		return -errno;
	return own_new(call, &birth);
}

int answer_symlink(struct call *call)
{
	const bool is_at = call->number == SYS_symlinkat;
	const int dir_fd = is_at ? (int)call->args[1] : AT_FDCWD;
	const uint64_t path = call->args[is_at ? 2 : 1];
	auto_birth struct birth birth = BIRTH_INIT;
	char target[PATH_MAX];
	int result = may_give_birth(call, dir_fd, path);

	if (result == 0)
		result = find_birth(call, dir_fd, path, &birth);
	if (result != 0)
		return result;
	result = call_read_text(call, call->args[0], target, sizeof(target));
	if (result < 0)
		return result;
	if (symlinkat(target, birth.dir_fd, birth.name) < 0)
		return -errno;
	return own_new(call, &birth);
}

/* The number as the kernel has it in calls, not as the C library. */
static dev_t device_of(uint32_t number)
{
	return makedev((number & 0xfff00) >> 8, (number & 0xff) | ((number >> 12) & 0xfff00));
}

/* The kernel knows who it is, and gives the file its owner. */
static int make_device(struct call *call, int dir_fd, uint64_t path, mode_t mode, dev_t device)
{
	auto_birth struct birth birth = BIRTH_INIT;

	birth.dir_fd = call_open_parent(call, dir_fd, path, birth.name);
	if (birth.dir_fd < 0 || !birth.name[0] || !call_can(call, CAP_MKNOD))
		return CALL_PASS;
	if (!call_is_alive(call))
		return -ESRCH;
	return record_mknod(birth.dir_fd, birth.name, OVERLAY_USER, mode, device) < 0 ? -errno : 0;
}

int answer_mknod(struct call *call)
{
	const bool is_at = call->number == SYS_mknodat;
	const int dir_fd = is_at ? (int)call->args[0] : AT_FDCWD;
	const uint64_t *args = call->args + (is_at ? 1 : 0);
	const mode_t mode = (mode_t)args[1] & ~call_umask(call);
	const dev_t device = device_of((uint32_t)args[2]);
	const bool is_device = (S_ISCHR(mode) || S_ISBLK(mode)) && device != makedev(0, 0);
	auto_birth struct birth birth = BIRTH_INIT;
	int result;

	if (call->supervisor->only_devices)
		return is_device ? make_device(call, dir_fd, args[0], mode, device) : CALL_PASS;
	result = may_give_birth(call, dir_fd, args[0]);
	if (result == 0)
		result = find_birth(call, dir_fd, args[0], &birth);
	if (result < 0 || (result == CALL_PASS && (!is_device || birth.dir_fd < 0)))
		return result;
	if (is_device && !supervise_can(supervise_ids(call), CAP_MKNOD))
		return -EPERM;
	if (record_mknod(birth.dir_fd, birth.name, OVERLAY_RECORDED, mode, device) < 0)
		return -errno;
	return own_new(call, &birth);
}

/* ---- files ---- */

/* Its descriptor in our stead, as what the call returns. */
static int hand_over(struct call *call, int fd, bool closes_on_exec)
{
	struct seccomp_notif_addfd add = { .id = call->id,
					   .flags = SECCOMP_ADDFD_FLAG_SEND,
					   .srcfd = (uint32_t)fd,
					   .newfd_flags = closes_on_exec ? O_CLOEXEC : 0 };

	if (ioctl(call->supervisor->listener_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
		return -errno;
	return CALL_SENT;
}

/* In /proc or /dev of the outer tree; CALL_PASS when it is not. */
static int open_outer(struct call *call, uint64_t path, uint64_t flags)
{
	auto_close int fd = -1;
	char text[PATH_MAX];

	if (call->supervisor->dev_fd < 0 || call_read_text(call, path, text, sizeof(text)) < 0)
		return CALL_PASS;
	fd = call_open_outer(call, text, (int)flags);
	if (fd >= 0)
		return hand_over(call, fd, flags & O_CLOEXEC);
	return fd == -ENOENT ? CALL_PASS : fd;
}

static int make_file(struct call *call, int dir_fd, uint64_t path, uint64_t flags, mode_t mode)
{
	auto_birth struct birth birth = BIRTH_INIT;
	auto_close int fd = -1;
	int result = open_outer(call, path, flags);

	if (result != CALL_PASS)
		return result;
	result =
		supervise_may_open(call, (struct at){ .dir_fd = dir_fd, .path = path }, (int)flags);
	if (result == 0)
		result = flags & O_CREAT ? find_birth(call, dir_fd, path, &birth) : CALL_PASS;
	if (result != 0)
		return result;
	mode &= ~call_umask(call);
	fd = openat(birth.dir_fd, birth.name,
		    (int)flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, mode);
	/* it is there: opened like any other, unless that was not wanted */
	if (fd < 0 && errno == EEXIST && !(flags & O_EXCL))
		return CALL_PASS;
	if (fd < 0)
		return -errno;
	if (record_chown(fd, "", OVERLAY_RECORDED, birth.uid, birth.gid) < 0)
		return -errno;
	return hand_over(call, fd, flags & O_CLOEXEC);
}

int answer_open(struct call *call)
{
	const uint64_t *args = call->args;
	struct open_how how;

	switch (call->number) {
#ifdef SYS_open
	case SYS_open:
		return make_file(call, AT_FDCWD, args[0], args[1], (mode_t)args[2] & 07777);
	case SYS_creat:
		return make_file(call, AT_FDCWD, args[0], O_CREAT | O_WRONLY | O_TRUNC,
				 (mode_t)args[1] & 07777);
#endif
	case SYS_openat:
		return make_file(call, (int)args[0], args[1], args[2], (mode_t)args[3] & 07777);
	case SYS_openat2:
		/* its own ways of resolving are for the kernel */
		if (args[3] < sizeof(how) || call_read(call, args[2], &how, sizeof(how)) < 0 ||
		    how.resolve)
			return CALL_PASS;
		return make_file(call, (int)args[0], args[1], how.flags, (mode_t)how.mode & 07777);
	}
	return -ENOSYS;
}
