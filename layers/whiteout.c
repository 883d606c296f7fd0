/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for deletions, on disk and in a tar, and for the marks that overlayfs
 * leaves on an upper. How attribute names are written is left to xattrs.
 */
#include "layers/whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/xattrs-internal.h"

#define PREFIX        ".wh."
#define PREFIX_LEN    4
#define NAME_SIZE_MAX 64 /* of overlay's own attribute names */

enum whiteout_name whiteout_parse(const char *basename, const char **out_target)
{
	const char *target = basename + PREFIX_LEN;

	if (!whiteout_is_reserved(basename))
		return WHITEOUT_NONE;
	if (strcmp(target, PREFIX ".opq") == 0)
		return WHITEOUT_OPAQUE;
	if (strncmp(target, PREFIX, PREFIX_LEN) == 0)
		return WHITEOUT_RESERVED;
	if (strcmp(target, "") == 0 || strcmp(target, ".") == 0 || strcmp(target, "..") == 0)
		return WHITEOUT_INVALID;
	*out_target = target;
	return WHITEOUT_FILE;
}

bool whiteout_is_reserved(const char *basename)
{
	return strncmp(basename, PREFIX, PREFIX_LEN) == 0;
}

int whiteout_refuse_reserved(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');

	if (!whiteout_is_reserved(slash ? slash + 1 : path))
		return 0;
	return err_set(err, ERR_INPUT,
		       "'%s' cannot be stored in a layer: names that begin with '.wh.' mean "
		       "deletions there",
		       path);
}

bool whiteout_is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static const char *own_name(enum overlay_ns ns, const char *word, char *buf)
{
	size_t len = strlen(overlay_prefix(ns));

	memcpy(buf, overlay_prefix(ns), len);
	strcpy(buf + len, word);
	return buf;
}

static int mark_get(int fd, enum overlay_ns ns, const char *word, bool *out_is_set, struct err *err)
{
	char name[NAME_SIZE_MAX];
	char value[2];
	ssize_t len = xattr_read_fd(fd, own_name(ns, word, name), value, sizeof(value));

	if (len < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ERANGE)
		return err_sys(err, "read attribute '%s'", name);
	*out_is_set = len == 1 && value[0] == 'y';
	return 0;
}

static int mark_set(int fd, enum overlay_ns ns, const char *word, const char *value,
		    struct err *err)
{
	char name[NAME_SIZE_MAX];

	if (xattr_write_fd(fd, own_name(ns, word, name), value, strlen(value)) < 0)
		return err_sys(err, "set attribute '%s'", name);
	return 0;
}

static int mark_clear(int fd, enum overlay_ns ns, const char *word, struct err *err)
{
	char name[NAME_SIZE_MAX];

	if (xattr_remove_fd(fd, own_name(ns, word, name)) < 0 && errno != ENODATA &&
	    errno != EOPNOTSUPP)
		return err_sys(err, "remove attribute '%s'", name);
	return 0;
}

bool whiteout_is(int dir_fd, const char *name, const struct stat *st, enum overlay_ns ns)
{
	char attribute[NAME_SIZE_MAX];
	char value[2];
	int fd;
	ssize_t len;

	if (whiteout_is_device(st))
		return true;
	if (!S_ISREG(st->st_mode) || st->st_size != 0)
		return false;
	fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	len = fd < 0 ? -1
		     : xattr_read_fd(fd, own_name(ns, "whiteout", attribute), value, sizeof(value));
	if (fd >= 0)
		close(fd);
	return len >= 0;
}

/*
 * The kernel's other form: it looks for the attribute only in directories that say so. In one that
 * is opaque nothing below shows anyhow.
 */
static int make_file(int dir_fd, const char *name, enum overlay_ns ns, struct err *err)
{
	auto_close int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool is_opaque = false;

	if (fd < 0)
		return err_sys(err, "make whiteout '%s'", name);
	if (mark_set(fd, ns, "whiteout", "y", err) < 0 ||
	    opaque_get(dir_fd, ns, &is_opaque, err) < 0 ||
	    (!is_opaque && mark_set(dir_fd, ns, "opaque", "x", err) < 0)) {
		(void)unlinkat(dir_fd, name, 0);
		return err_prefix(err, "make whiteout '%s'", name);
	}
	return 0;
}

/* The device 0:0 is the one that needs no privilege: it opens nothing. */
int whiteout_make(int dir_fd, const char *name, enum overlay_ns ns, struct err *err)
{
	if (mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno == EPERM)
		return make_file(dir_fd, name, ns, err);
	return err_sys(err, "make whiteout '%s'", name);
}

int opaque_get(int dir_fd, enum overlay_ns ns, bool *out_is_opaque, struct err *err)
{
	return mark_get(dir_fd, ns, "opaque", out_is_opaque, err);
}

int opaque_set(int dir_fd, enum overlay_ns ns, struct err *err)
{
	return mark_set(dir_fd, ns, "opaque", "y", err);
}

int opaque_clear(int dir_fd, enum overlay_ns ns, struct err *err)
{
	return mark_clear(dir_fd, ns, "opaque", err);
}

int whiteouts_note(int dir_fd, enum overlay_ns ns, struct err *err)
{
	return mark_set(dir_fd, ns, "origin", "", err);
}

int implied_root_get(int layer_fd, enum overlay_ns ns, bool *out_is_implied, struct err *err)
{
	return mark_get(layer_fd, ns, "implied-root", out_is_implied, err);
}

int implied_root_set(int layer_fd, enum overlay_ns ns, struct err *err)
{
	return mark_set(layer_fd, ns, "implied-root", "y", err);
}

static int strip_one(int fd, const char *name, enum overlay_ns ns, const char *path,
		     struct err *err)
{
	switch (xattr_role(name, ns)) {
	case XATTR_PLAIN:
	case XATTR_ESCAPED:
	case XATTR_HOST:
	case XATTR_OPAQUE:
	case XATTR_WHITEOUT:
	case XATTR_IMPLIED:
		return 0;
	case XATTR_REDIRECT:
	case XATTR_METACOPY:
		return err_set(err, ERR_BUG,
			       "'%s' has the attribute '%s': its content is elsewhere", path, name);
	case XATTR_BOOKKEEPING:
		if (xattr_remove_fd(fd, name) < 0 && errno != ENODATA)
			return err_sys(err, "remove attribute '%s' of '%s'", name, path);
		return 0;
	}
	return 0;
}

int overlay_xattrs_strip(int fd, enum overlay_ns ns, const char *path, struct err *err)
{
	auto_free char *list = mem_alloc(XATTR_LIST_MAX);
	ssize_t len = xattr_list_fd(fd, list, XATTR_LIST_MAX);

	if (len < 0 && errno == EOPNOTSUPP)
		return 0;
	if (len < 0)
		return err_sys(err, "list the attributes of '%s'", path);
	for (const char *name = list; name < list + len; name += strlen(name) + 1)
		if (strip_one(fd, name, ns, path, err) < 0)
			return -1;
	return 0;
}
