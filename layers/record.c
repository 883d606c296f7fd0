/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for owners and devices that are written on a file because the kernel does not let us
 * have them: their two forms, and the calls that read and write them.
 */
#include "layers/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fd.h"
#include "layers/xattrs-internal.h"

#define TIME_ID_MAX  ((uint32_t)INT32_MAX)
#define GID_LOW_BITS 29
#define TIME_SPAN    ((int64_t)1 << 33)

/* ---- the attribute ---- */

/* A decimal number below 2^32 - 1, which means "none", without leading zeros. */
static bool take_number(const char **at, const char *end, uint32_t *out)
{
	const char *p = *at;
	uint64_t value = 0;

	while (p < end && *p >= '0' && *p <= '9' && value < UINT32_MAX)
		value = value * 10 + (uint64_t)(*p++ - '0');
	if (p == *at || value >= UINT32_MAX || (**at == '0' && p != *at + 1))
		return false;
	*at = p;
	*out = (uint32_t)value;
	return true;
}

static bool take_char(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	(*at)++;
	return true;
}

static bool take_device(const char **at, const char *end, struct record *out)
{
	uint32_t numbers[2];

	if (take_char(at, end, 'c'))
		out->device = S_IFCHR;
	else if (take_char(at, end, 'b'))
		out->device = S_IFBLK;
	else
		return false;
	for (int i = 0; i < 2; i++)
		if (!take_char(at, end, ':') || !take_number(at, end, &numbers[i]))
			return false;
	out->rdev = makedev(numbers[0], numbers[1]);
	return true;
}

bool record_parse(const char *value, size_t len, struct record *out)
{
	const char *end = value + len;
	struct record record = { .device = 0 };

	if (!take_number(&value, end, &record.uid) || !take_char(&value, end, ':') ||
	    !take_number(&value, end, &record.gid))
		return false;
	if (value < end && (!take_char(&value, end, ':') || !take_device(&value, end, &record)))
		return false;
	if (value != end)
		return false;
	*out = record;
	return true;
}

size_t record_format(const struct record *record, char *out)
{
	int len = snprintf(out, RECORD_TEXT_MAX, "%" PRIu32 ":%" PRIu32, record->uid, record->gid);

	if (record->device)
		len += snprintf(out + len, RECORD_TEXT_MAX - (size_t)len, ":%c:%u:%u",
				record->device == S_IFCHR ? 'c' : 'b', major(record->rdev),
				minor(record->rdev));
	return (size_t)len;
}

/* ---- the time ---- */

bool record_of_time(const struct timespec *atime, struct record *out)
{
	int64_t code = (int64_t)atime->tv_sec - RECORD_EPOCH;

	if (code < 0 || code >= TIME_SPAN || atime->tv_nsec >> GID_LOW_BITS)
		return false;
	*out = (struct record){ .uid = (uid_t)(code >> 2),
				.gid = (gid_t)((code & 3) << GID_LOW_BITS | atime->tv_nsec) };
	return true;
}

bool record_to_time(const struct record *record, struct timespec *out)
{
	if (record->uid > TIME_ID_MAX || record->gid > TIME_ID_MAX)
		return false;
	out->tv_sec =
		(time_t)(RECORD_EPOCH + ((int64_t)record->uid << 2 | record->gid >> GID_LOW_BITS));
	out->tv_nsec = (long)(record->gid & ((1U << GID_LOW_BITS) - 1));
	return true;
}

/* ---- files ---- */

void record_apply(const struct record *record, struct stat *st)
{
	st->st_uid = record->uid;
	st->st_gid = record->gid;
	if (!record->device)
		return;
	st->st_mode = record->device | (st->st_mode & 07777);
	st->st_rdev = record->rdev;
	st->st_size = 0;
	st->st_blocks = 0;
}

/* Whether there is one; -1 when that cannot be found out. */
static int read_record(int fd, const struct stat *st, struct record *out)
{
	char text[RECORD_TEXT_MAX];
	ssize_t len;

	if (!record_is_attribute(st->st_mode))
		return record_of_time(&st->st_atim, out);
	len = xattr_read_fd(fd, RECORD_NAME, text, sizeof(text));
	if (len >= 0)
		return record_parse(text, (size_t)len, out);
	/* too long: not ours */
	return errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE ? 0 : -1;
}

/* The file's descriptor: @dir_fd itself, or *out_opened, which is then the caller's to close. */
static int open_path(int dir_fd, const char *name, int *out_opened)
{
	if (!*name)
		return dir_fd;
	*out_opened = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *out_opened;
}

/* Where owners are the kernel's, only an empty file can be something else. */
static bool may_be_recorded(enum overlay_ns ns, const struct stat *st)
{
	return record_has_owners(ns) ||
	       (record_has_devices(ns) && S_ISREG(st->st_mode) && st->st_size == 0);
}

int record_stat(int dir_fd, const char *name, enum overlay_ns ns, struct stat *out)
{
	auto_close int opened = -1;
	struct record record;
	int found;
	int fd;

	if (!record_has_owners(ns) &&
	    fstatat(dir_fd, name, out, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -1;
	if (!may_be_recorded(ns, out))
		return 0;
	fd = open_path(dir_fd, name, &opened);
	if (fd < 0 || fstat(fd, out) < 0)
		return -1;
	found = read_record(fd, out, &record);
	if (found > 0 && !record_has_owners(ns)) {
		record.uid = out->st_uid;
		record.gid = out->st_gid;
	}
	if (found > 0)
		record_apply(&record, out);
	return found < 0 ? -1 : 0;
}

static int write_attribute(int fd, const struct record *record)
{
	char text[RECORD_TEXT_MAX];

	if (record->uid || record->gid || record->device)
		return xattr_write_fd(fd, RECORD_NAME, text, record_format(record, text));
	if (xattr_remove_fd(fd, RECORD_NAME) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return -1;
	return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int write_time(int fd, const struct record *record)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	char path[FD_PATH_MAX];
	struct stat st;

	if ((record->uid || record->gid) && !record_to_time(record, &times[0])) {
		errno = EINVAL;
		return -1;
	}
	/* younger kernels take the descriptor itself; through /proc a link's is the link */
	if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0 &&
	    utimensat(AT_FDCWD, fd_path(fd, path), times, 0) < 0)
		return -1;
	if (times[0].tv_nsec == UTIME_NOW)
		return 0;
	if (fstat(fd, &st) < 0)
		return -1;
	errno = EOVERFLOW; /* the file system cuts times off */
	return same_time(&st.st_atim, &times[0]) ? 0 : -1;
}

/*
 * The kernel is asked for a change to what the owner is already: that takes setuid bits and
 * capabilities away, sets ctime and refuses what it would refuse.
 */
int record_chown(int dir_fd, const char *name, enum overlay_ns ns, uid_t uid, gid_t gid)
{
	auto_close int opened = -1;
	struct record record = { .uid = 0 };
	struct stat st;
	int fd;

	if (!record_has_owners(ns))
		return fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	fd = open_path(dir_fd, name, &opened);
	if (fd < 0 || fstat(fd, &st) < 0 || read_record(fd, &st, &record) < 0 ||
	    fchownat(fd, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0)
		return -1;
	if (uid != (uid_t)-1)
		record.uid = uid;
	if (gid != (gid_t)-1)
		record.gid = gid;
	return record_is_attribute(st.st_mode) ? write_attribute(fd, &record)
					       : write_time(fd, &record);
}

int record_mknod(int dir_fd, const char *name, enum overlay_ns ns, mode_t mode, dev_t rdev)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct record record = { .device = mode & S_IFMT, .rdev = rdev };
	auto_close int fd = -1;

	if (!record_has_devices(ns) || (!S_ISCHR(mode) && !S_ISBLK(mode)))
		return mknodat(dir_fd, name, mode, rdev);
	fd = openat(dir_fd, name, flags, mode & 0777);
	if (fd < 0)
		return -1;
	if (write_attribute(fd, &record) == 0)
		return 0;
	unlinkat(dir_fd, name, 0);
	return -1;
}
