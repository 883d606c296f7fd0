/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the calls that ask of files that are there, or change whose they are. */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/record.h"

/* ---- which file a call is about ---- */

/* Where its arguments are: a descriptor alone, a path alone, or both. */
struct subject {
	int number;
	signed char dir_arg;   /* -1: the working directory */
	signed char path_arg;  /* -1: the descriptor itself */
	signed char flags_arg; /* -1: none */
	int flags;             /* instead, or as well */
};

static const struct subject subjects[] = {
#ifdef SYS_chown
	{ SYS_chown, -1, 0, -1, 0 },
	{ SYS_lchown, -1, 0, -1, AT_SYMLINK_NOFOLLOW },
#endif
	{ SYS_fchown, 0, -1, -1, 0 },
	{ SYS_fchownat, 0, 1, 4, 0 },
#ifdef SYS_stat
	{ SYS_stat, -1, 0, -1, 0 },
	{ SYS_lstat, -1, 0, -1, AT_SYMLINK_NOFOLLOW },
#endif
	{ SYS_fstat, 0, -1, -1, 0 },
	{ SYS_newfstatat, 0, 1, 3, 0 },
	{ SYS_statx, 0, 1, 2, 0 },
	{ SYS_utimensat, 0, 1, 3, 0 },
	{ SYS_listxattr, -1, 0, -1, 0 },
	{ SYS_llistxattr, -1, 0, -1, AT_SYMLINK_NOFOLLOW },
	{ SYS_flistxattr, 0, -1, -1, 0 },
#ifdef SYS_chmod
	{ SYS_chmod, -1, 0, -1, 0 },
#endif
	{ SYS_fchmod, 0, -1, -1, 0 },
	{ SYS_fchmodat, 0, 1, -1, 0 },
	{ SUPERVISE_FCHMODAT2, 0, 1, 3, 0 },
	{ SYS_setxattr, -1, 0, -1, 0 },
	{ SYS_lsetxattr, -1, 0, -1, AT_SYMLINK_NOFOLLOW },
	{ SYS_fsetxattr, 0, -1, -1, 0 },
	{ SYS_removexattr, -1, 0, -1, 0 },
	{ SYS_fremovexattr, 0, -1, -1, 0 },
	{ SYS_lremovexattr, -1, 0, -1, AT_SYMLINK_NOFOLLOW },
};

static const struct subject *find_subject(int number)
{
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (subjects[i].number == number)
			return &subjects[i];
	return NULL;
}

int call_open_subject(struct call *call)
{
	const struct subject *subject = find_subject(call->number);
	const uint64_t *args = call->args;
	int dir_fd = AT_FDCWD;
	int flags;

	if (!subject)
		return -ENOSYS;
	flags = subject->flags;
	if (subject->flags_arg >= 0)
		flags |= (int)args[subject->flags_arg];
	if (subject->dir_arg >= 0)
		dir_fd = (int)args[subject->dir_arg];
	/* since Linux 6.11 no path is the empty path */
	if (subject->path_arg < 0 || (args[subject->path_arg] == 0 && (flags & AT_EMPTY_PATH))) {
		if (dir_fd < 0 && dir_fd != AT_FDCWD)
			return -EBADF;
		if (dir_fd != AT_FDCWD)
			return call_open_fd(call, dir_fd);
	}
	return call_open(call, dir_fd, args[subject->path_arg], flags);
}

int supervise_may_reach_subject(struct call *call, int want)
{
	const struct subject *subject = find_subject(call->number);
	struct at at = { .dir_fd = AT_FDCWD };

	if (!subject || subject->path_arg < 0)
		return 0;
	at.path = call->args[subject->path_arg];
	at.flags = subject->flags;
	if (subject->dir_arg >= 0)
		at.dir_fd = (int)call->args[subject->dir_arg];
	if (subject->flags_arg >= 0)
		at.flags |= (int)call->args[subject->flags_arg];
	return supervise_may_reach(call, at, want);
}

/* ---- owners ---- */

/* What chown(2) lets everybody do: give his file to another of his groups. */
static bool may_chown(const struct ids *ids, const struct stat *st, uid_t uid, gid_t gid)
{
	if (supervise_can(ids, CAP_CHOWN))
		return true;
	return ids->uid[ID_FILE] == st->st_uid && (uid == (uid_t)-1 || uid == st->st_uid) &&
	       (gid == (gid_t)-1 || gid == st->st_gid || supervise_has_group(ids, gid));
}

bool call_is_lent(int fd)
{
	struct stat raw;

	return fstat(fd, &raw) == 0 && (S_ISCHR(raw.st_mode) || S_ISBLK(raw.st_mode));
}

int answer_chown(struct call *call)
{
	const unsigned first = call->number == SYS_fchownat ? 2 : 1;
	const uid_t uid = (uid_t)call->args[first];
	const gid_t gid = (gid_t)call->args[first + 1];
	auto_close int fd = call_open_subject(call);
	bool is_recorded;
	struct stat st;
	int result;

	/* through a magic link: nothing that a layer holds, most often a pipe or a terminal */
	if (fd == -ELOOP || call->is_outer)
		return 0;
	if (fd < 0)
		return fd;
	if (call_is_lent(fd))
		return 0;
	result = supervise_may_reach_subject(call, 0);
	if (result == 0)
		result = supervise_stat(call, fd, &st, &is_recorded);
	if (result < 0)
		return result;
	if (!may_chown(supervise_ids(call), &st, uid, gid))
		return -EPERM;
	return call_is_alive(call) ? supervise_chown(call, fd, uid, gid) : -ESRCH;
}

/* ---- times ---- */

/* To now, whoever may write it; to anything else its owner. */
static int may_set_times(const struct call *call, int fd)
{
	const struct ids *ids = supervise_ids(call);
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };

	if (!supervise_is_checked(call, ids) || supervise_may_change(call, fd) == 0)
		return 0;
	if (call->args[2] && call_read(call, call->args[2], times, sizeof(times)) < 0)
		return -EFAULT;
	if (times[0].tv_nsec != UTIME_NOW || times[1].tv_nsec != UTIME_NOW)
		return -EPERM;
	return supervise_may(call, ids, fd, W_OK);
}

/* A link's time of access may be whom it belongs to: that stays. */
int answer_utimens(struct call *call)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };
	/* no path: the descriptor itself */
	auto_close int fd =
		call->args[1] ? call_open_subject(call) : call_open_fd(call, (int)call->args[0]);
	/* in a chroot by us, as in answer_change_open; a path alone leads to no device */
	const bool is_open = call->supervisor->dev_fd >= 0 &&
			     (!call->args[1] || (call->args[3] & AT_EMPTY_PATH));
	struct record record;
	struct stat st;
	bool is_recorded;
	int result;

	if (fd >= 0 && call_is_lent(fd))
		return 0;
	result = fd < 0 ? 0 : may_set_times(call, fd);
	if (result < 0)
		return result;
	if (fd < 0 || fstat(fd, &st) < 0)
		return is_open && fd < 0 ? fd : CALL_PASS;
	is_recorded = !record_is_attribute(st.st_mode) && record_of_time(&st.st_atim, &record);
	if (!is_recorded && !is_open)
		return CALL_PASS;
	if (!call->args[2])
		times[0].tv_nsec = UTIME_NOW;
	else if (call_read(call, call->args[2], times, sizeof(times)) < 0)
		return -EFAULT;
	if (is_recorded)
		times[0].tv_nsec = UTIME_OMIT;
	return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* ---- attributes: the record is not shown, so that nobody copies it ---- */

static size_t leave_out(char *list, size_t len, const char *name)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		const size_t step = strlen(list + at) + 1;

		if (strcmp(list + at, name) != 0) {
			memmove(list + kept, list + at, step);
			kept += step;
		}
		at += step;
	}
	return kept;
}

int answer_listxattr(struct call *call)
{
	const unsigned list_arg = 1;
	const size_t room = (size_t)call->args[list_arg + 1];
	auto_close int fd = call_open_subject(call);
	auto_free char *list = NULL;
	char path[32];
	size_t kept;
	ssize_t len;

	if (fd < 0)
		return CALL_PASS;
	list = mem_alloc(XATTR_LIST_MAX);
	snprintf(path, sizeof(path), "self/fd/%d", fd);
	len = listxattr(path, list, XATTR_LIST_MAX);
	if (len <= 0)
		return CALL_PASS;
	kept = leave_out(list, (size_t)len, RECORD_NAME);
	if (kept == (size_t)len)
		return CALL_PASS;
	call->value = (int64_t)kept;
	if (room == 0)
		return 0;
	if (kept > room)
		return -ERANGE;
	return call_write(call, call->args[list_arg], list, kept);
}

/* ---- stat ---- */

int answer_stat(struct call *call)
{
	const unsigned buffer = call->number == SYS_newfstatat ? 2 : 1;
	const int refused = supervise_may_reach_subject(call, 0);
	auto_close int fd = refused ? refused : call_open_subject(call);
	bool is_recorded;
	struct stat st;

	if (refused)
		return refused;
	/* whatever is wrong, the kernel finds out too */
	if (fd < 0 || supervise_stat(call, fd, &st, &is_recorded) < 0 ||
	    !(is_recorded || call->is_outer))
		return CALL_PASS;
	return call_write(call, call->args[buffer], &st, sizeof(st));
}

int answer_statx(struct call *call)
{
	const int refused = supervise_may_reach_subject(call, 0);
	auto_close int fd = refused ? refused : call_open_subject(call);
	const int flags = (int)call->args[2] & (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC);
	bool is_recorded;
	struct statx stx;
	struct stat st;

	if (refused)
		return refused;
	if (fd < 0 || supervise_stat(call, fd, &st, &is_recorded) < 0 ||
	    !(is_recorded || call->is_outer))
		return CALL_PASS;
	if (statx(fd, "", flags | AT_EMPTY_PATH, (unsigned)call->args[3], &stx) < 0)
		return -errno;
	stx.stx_uid = st.st_uid;
	stx.stx_gid = st.st_gid;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		stx.stx_mode = (uint16_t)st.st_mode;
		stx.stx_rdev_major = major(st.st_rdev);
		stx.stx_rdev_minor = minor(st.st_rdev);
		stx.stx_size = 0;
		stx.stx_blocks = 0;
	}
	return call_write(call, call->args[4], &stx, sizeof(stx));
}
