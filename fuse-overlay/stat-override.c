/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attribute that stands in for owner and mode. What to do when a file cannot have attributes
 * (a symlink, a device) is for those who create it.
 */
#include "fuse-overlay/stat-override.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "common/fd.h"

#define MODE_BITS 07777

static const char *const names[] = {
	[XATTR_PERMISSIONS_NONE] = NULL,
	[XATTR_PERMISSIONS_PRIVILEGED] = "security.fuseoverlayfs.override_stat",
	[XATTR_PERMISSIONS_USER] = "user.fuseoverlayfs.override_stat",
	[XATTR_PERMISSIONS_CONTAINERS] = "user.containers.override_stat",
};

static const struct {
	const char *word;
	mode_t type;
	bool is_device;
} types[] = {
	{ "file", S_IFREG, false }, { "dir", S_IFDIR, false },     { "symlink", S_IFLNK, false },
	{ "pipe", S_IFIFO, false }, { "socket", S_IFSOCK, false }, { "block", S_IFBLK, true },
	{ "char", S_IFCHR, true },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

const char *stat_override_name(enum xattr_permissions how)
{
	return names[how];
}

bool stat_override_is_name(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* One number up to @end or the end of the text; moves *p behind @end. */
static int number(const char **p, unsigned base, uint64_t max, char end, uint64_t *out)
{
	uint64_t value = 0;
	const char *at = *p;

	for (; *at >= '0' && *at < '0' + (int)base; at++) {
		value = value * base + (uint64_t)(*at - '0');
		if (value > max)
			return -EINVAL;
	}
	if (at == *p || (*at && *at != end))
		return -EINVAL;
	*out = value;
	*p = *at ? at + 1 : at;
	return 0;
}

static int device_parse(const char *p, dev_t *out)
{
	uint64_t major_number;
	uint64_t minor_number;

	if (number(&p, 10, UINT32_MAX >> 20, '-', &major_number) < 0 ||
	    number(&p, 10, UINT32_MAX >> 12, '\0', &minor_number) < 0 || *p)
		return -EINVAL;
	*out = makedev(major_number, minor_number);
	return 0;
}

static int type_parse(const char *p, struct stat_override *out)
{
	for (size_t i = 0; i < TYPES; i++) {
		size_t len = strlen(types[i].word);

		if (strncmp(p, types[i].word, len) != 0)
			continue;
		if (p[len] != (types[i].is_device ? '-' : '\0'))
			continue;
		out->mode |= types[i].type;
		return types[i].is_device ? device_parse(p + len + 1, &out->rdev) : 0;
	}
	return -EINVAL;
}

int stat_override_parse(const char *text, size_t len, struct stat_override *out)
{
	struct stat_override got = { 0 };
	uint64_t uid;
	uint64_t gid;
	uint64_t mode;
	char buf[STAT_OVERRIDE_MAX];
	const char *p = buf;

	if (len >= sizeof(buf) || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (number(&p, 10, UINT32_MAX - 1, ':', &uid) < 0 ||
	    number(&p, 10, UINT32_MAX - 1, ':', &gid) < 0 ||
	    number(&p, 8, S_IFMT | MODE_BITS, ':', &mode) < 0)
		return -EINVAL;
	got.uid = (uid_t)uid;
	got.gid = (gid_t)gid;
	/* fuse-overlayfs writes the mode as the kernel gave it, at times with a type */
	got.mode = (mode_t)mode & MODE_BITS;
	if (p[-1] == ':' && type_parse(p, &got) < 0)
		return -EINVAL;

	*out = got;
	return 0;
}

size_t stat_override_format(const struct stat_override *override, char *buf)
{
	int len = snprintf(buf, STAT_OVERRIDE_MAX, "%u:%u:%o", override->uid, override->gid,
			   override->mode & MODE_BITS);

	for (size_t i = 0; i < TYPES; i++) {
		if ((override->mode & S_IFMT) != types[i].type || S_ISREG(override->mode) ||
		    S_ISDIR(override->mode))
			continue;
		len += snprintf(buf + len, STAT_OVERRIDE_MAX - (size_t)len, ":%s", types[i].word);
		if (types[i].is_device)
			len += snprintf(buf + len, STAT_OVERRIDE_MAX - (size_t)len, "-%u-%u",
					major(override->rdev), minor(override->rdev));
	}
	return (size_t)len;
}

/* The attribute's text, or -errno. */
static ssize_t read_override(const char *path, enum xattr_permissions how, char *text, size_t size)
{
	const enum xattr_permissions others[] = {
		[XATTR_PERMISSIONS_PRIVILEGED] = XATTR_PERMISSIONS_USER,
		[XATTR_PERMISSIONS_USER] = XATTR_PERMISSIONS_PRIVILEGED,
		[XATTR_PERMISSIONS_CONTAINERS] = XATTR_PERMISSIONS_NONE,
	};
	ssize_t len = getxattr(path, names[how], text, size);

	if (len < 0 && errno == ENODATA && names[others[how]])
		len = getxattr(path, names[others[how]], text, size);
	return len < 0 ? -errno : len;
}

int stat_override_load(int fd, enum xattr_permissions how, struct stat *st)
{
	struct stat_override got;
	char path[FD_PATH_MAX];
	char text[STAT_OVERRIDE_MAX];
	ssize_t len;

	/* the kernel keeps attributes of the name space user for these two alone */
	if (how == XATTR_PERMISSIONS_NONE || (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)))
		return 0;
	len = read_override(fd_path(fd, path), how, text, sizeof(text));
	if (len < 0)
		return len == -ENODATA || len == -EOPNOTSUPP ? 0 : len == -ERANGE ? -EINVAL : (int)len;
	if (stat_override_parse(text, (size_t)len, &got) < 0)
		return -EINVAL;
	if (S_ISDIR(got.mode) != S_ISDIR(st->st_mode) && (got.mode & S_IFMT) != 0)
		return -EINVAL;
	st->st_uid = got.uid;
	st->st_gid = got.gid;
	st->st_mode = (got.mode & S_IFMT ? 0 : st->st_mode & S_IFMT) | got.mode;
	if (S_ISCHR(got.mode) || S_ISBLK(got.mode))
		st->st_rdev = got.rdev;
	return 0;
}

int stat_override_save(int fd, enum xattr_permissions how, const struct stat *st)
{
	const struct stat_override override = { st->st_uid, st->st_gid, st->st_mode, st->st_rdev };
	char path[FD_PATH_MAX];
	char text[STAT_OVERRIDE_MAX];
	size_t len;

	if (how == XATTR_PERMISSIONS_NONE)
		return 0;
	len = stat_override_format(&override, text);
	return setxattr(fd_path(fd, path), names[how], text, len, 0) < 0 ? -errno : 0;
}
