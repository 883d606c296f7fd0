/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the marks that overlays leave in layers: all that others write is read, and one form
 * is written. What is done about a mark is its readers' affair.
 */
#include "fuse-overlay/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "fuse-overlay/copyup.h"
#include "layers/whiteout.h"

enum {
	PREFIX_TRUSTED,
	PREFIX_USER,
	KERNEL_PREFIX_COUNT,
};
static const char *const prefixes[] = {
	[PREFIX_TRUSTED] = "trusted.overlay.",
	[PREFIX_USER] = "user.overlay.",
	"user.fuseoverlayfs.",
};
#define PREFIX_COUNT (sizeof(prefixes) / sizeof(prefixes[0]))

#define ESCAPE "overlay."
#define SHARED		"#whiteout"

bool mark_is_name(const char *name)
{
	return strncmp(name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0;
}

/* Is what begins so a mark here? */
static bool is_read(const struct overlay *overlay, size_t prefix)
{
	switch (overlay->options->marks) {
	case MARKS_ANY:
		return true;
	case MARKS_TRUSTED:
		return prefix == PREFIX_TRUSTED;
	case MARKS_USER:
		return prefix == PREFIX_USER;
	}
	return false;
}

/* The prefix that a name has, or NULL. */
static const char *prefix_of(const struct overlay *overlay, const char *name)
{
	for (size_t i = 0; i < PREFIX_COUNT; i++)
		if (is_read(overlay, i) && strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return prefixes[i];
	return NULL;
}

static bool is_escaped(const char *name, const char *prefix)
{
	return strncmp(name + strlen(prefix), ESCAPE, strlen(ESCAPE)) == 0;
}

bool mark_is_private(const struct overlay *overlay, const char *name)
{
	const char *prefix = prefix_of(overlay, name);

	return prefix && !is_escaped(name, prefix);
}

const char *mark_escape(const struct overlay *overlay, const char *name, char *buf)
{
	const char *prefix = prefix_of(overlay, name);

	if (!prefix)
		return name;
	if (snprintf(buf, XATTR_NAME_MAX + 1, "%s" ESCAPE "%s", prefix, name + strlen(prefix)) >
	    XATTR_NAME_MAX)
		return NULL;
	return buf;
}

const char *mark_unescape(const struct overlay *overlay, const char *name, char *buf)
{
	const char *prefix = prefix_of(overlay, name);

	if (!prefix)
		return name;
	if (!is_escaped(name, prefix))
		return NULL;
	snprintf(buf, XATTR_NAME_MAX + 1, "%s%s", prefix, name + strlen(prefix) + strlen(ESCAPE));
	return buf;
}

/* ---- deletions -------------------------------------------------------------------- */

static bool has_mark(const struct overlay *overlay, int dir_fd, const char *name,
		     const char *mark)
{
	const struct where where = { .fd = dir_fd, .name = name };
	char attribute[64];

	for (size_t i = 0; i < KERNEL_PREFIX_COUNT; i++) {
		if (!is_read(overlay, i))
			continue;
		snprintf(attribute, sizeof(attribute), "%s%s", prefixes[i], mark);
		if (where_getxattr(&where, attribute, NULL, 0) >= 0)
			return true;
	}
	return false;
}

bool mark_is_whiteout(const struct overlay *overlay, int dir_fd, const char *name,
		      const struct stat *st)
{
	if (S_ISCHR(st->st_mode))
		return whiteout_is_device(st);
	return S_ISREG(st->st_mode) && st->st_size == 0 && has_mark(overlay, dir_fd, name, "whiteout");
}

bool mark_has_whiteout_file(int dir_fd, const char *name)
{
	char file[NAME_MAX + 8];
	struct stat st;

	if (snprintf(file, sizeof(file), WHITEOUT_PREFIX "%s", name) > NAME_MAX)
		return false;
	return fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static const char *own_attribute(const struct overlay *overlay, const char *mark, char *buf,
				 size_t size)
{
	snprintf(buf, size, "%s%s", overlay->xattr_prefix, mark);
	return buf;
}

static int make_marked_file(struct overlay *overlay, int dir_fd, const char *name)
{
	auto_close int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	char attribute[64];
	int r;

	if (fd < 0)
		return -errno;
	if (fsetxattr(fd, own_attribute(overlay, "whiteout", attribute, sizeof(attribute)), "y", 1,
		      0) == 0)
		return 0;
	r = -errno;
	unlinkat(dir_fd, name, 0);
	return r;
}

static int make_unshared(struct overlay *overlay, int dir_fd, const char *name)
{
	if (overlay->whiteouts == WHITEOUT_ATTRIBUTE)
		return make_marked_file(overlay, dir_fd, name);
	return mknodat(dir_fd, name, S_IFCHR, 0) < 0 ? -errno : 0;
}

/*
 * The one that all the others are names of. Also a new one, when it has as many as it can have. Nobody sees
 * it half made.
 */
static int renew_shared(struct overlay *overlay)
{
	auto_latch struct latch *held = latch_hold(&overlay->whiteout_latch);
	char temporary[WORK_NAME_MAX];
	int r = make_unshared(overlay, overlay->work_fd, work_name(overlay, temporary));

	if (r < 0)
		return r;
	if (renameat(overlay->work_fd, temporary, overlay->work_fd, SHARED) == 0)
		return 0;
	r = -errno;
	unlinkat(overlay->work_fd, temporary, 0);
	return r;
}

int mark_make_standing(struct overlay *overlay, int dir_fd, const char *name)
{
	for (int tries = 0; tries < 2; tries++) {
		if (linkat(overlay->work_fd, SHARED, dir_fd, name, 0) == 0)
			return 0;
		if (errno == EEXIST)
			return -EEXIST;
		if ((errno != ENOENT && errno != EMLINK) || renew_shared(overlay) < 0)
			break;
	}
	return make_unshared(overlay, dir_fd, name);
}

int mark_expect_whiteouts(struct overlay *overlay, int dir_fd)
{
	char path[FD_PATH_MAX];
	char attribute[64];

	if (overlay->whiteouts != WHITEOUT_ATTRIBUTE)
		return 0;
	/* what says more, that it is opaque, stays */
	own_attribute(overlay, "opaque", attribute, sizeof(attribute));
	if (setxattr(fd_path(dir_fd, path), attribute, "x", 1, XATTR_CREATE) < 0 &&
	    errno != EEXIST)
		return -errno;
	return 0;
}

int mark_make_whiteout(struct overlay *overlay, int dir_fd, const char *name)
{
	char file[NAME_MAX + 8];
	int fd;

	if (overlay->whiteouts != WHITEOUT_DOT_FILE) {
		int r = mark_expect_whiteouts(overlay, dir_fd);

		if (r == 0)
			r = mark_make_standing(overlay, dir_fd, name);
		return r == -EEXIST ? 0 : r;
	}
	if (snprintf(file, sizeof(file), WHITEOUT_PREFIX "%s", name) > NAME_MAX)
		return -ENAMETOOLONG;
	fd = openat(dir_fd, file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int mark_remove_whiteout_file(struct overlay *overlay, int dir_fd, const char *name)
{
	char file[NAME_MAX + 8];

	if (!overlay->layers[0].has_whiteout_files)
		return 0;
	if (snprintf(file, sizeof(file), WHITEOUT_PREFIX "%s", name) > NAME_MAX)
		return 0;
	return unlinkat(dir_fd, file, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* ---- directories -------------------------------------------------------------------- */

bool mark_has_opaque_file(int dir_fd, const char *name)
{
	char file[NAME_MAX + 32];
	struct stat st;

	snprintf(file, sizeof(file), "%s/" WHITEOUT_PREFIX WHITEOUT_PREFIX ".opq", name);
	return fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* One attribute's value with a NUL behind it, or NULL. */
static char *read_mark(const struct where *where, const char *attribute)
{
	char value[PATH_MAX];
	ssize_t len = where_getxattr(where, attribute, value, sizeof(value) - 1);

	return len < 0 ? NULL : str_ndup(value, (size_t)len);
}

static void take_mark(const struct overlay *overlay, const struct where *where,
		      const char *attribute, struct dir_marks *out)
{
	for (size_t i = 0; i < PREFIX_COUNT; i++) {
		size_t len = strlen(prefixes[i]);
		auto_free char *value = NULL;

		if (!is_read(overlay, i) || strncmp(attribute, prefixes[i], len) != 0)
			continue;
		if (strcmp(attribute + len, "opaque") == 0) {
			value = read_mark(where, attribute);
			out->is_opaque |= value && strcmp(value, "y") == 0;
		} else if (strcmp(attribute + len, "redirect") == 0 && !out->redirect) {
			out->redirect = read_mark(where, attribute);
		}
	}
}

int dir_marks_load(const struct overlay *overlay, const struct layer *layer, int dir_fd,
		   const char *name, struct dir_marks *out)
{
	const struct where where = { .fd = dir_fd, .name = name };
	auto_free char *list = NULL;
	ssize_t len;

	*out = (struct dir_marks){ 0 };
	if (layer->has_whiteout_files && mark_has_opaque_file(dir_fd, name))
		out->is_opaque = true;
	len = where_listxattr(&where, &list);
	if (len < 0)
		return len == -ENOTSUP ? 0 : (int)len;
	for (const char *at = list; at < list + len; at += strlen(at) + 1)
		take_mark(overlay, &where, at, out);
	return 0;
}

static int set_mark(struct overlay *overlay, int dir_fd, const char *mark, const char *value)
{
	char path[FD_PATH_MAX];
	char attribute[64];

	if (!overlay->xattr_prefix)
		return -ENOTSUP;
	own_attribute(overlay, mark, attribute, sizeof(attribute));
	return setxattr(fd_path(dir_fd, path), attribute, value, strlen(value), 0) < 0 ? -errno : 0;
}

int mark_set_opaque(struct overlay *overlay, int dir_fd)
{
	int fd;

	if (set_mark(overlay, dir_fd, "opaque", "y") == 0)
		return 0;
	fd = openat(dir_fd, WHITEOUT_PREFIX WHITEOUT_PREFIX ".opq",
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	overlay->layers[0].has_whiteout_files = true;
	close(fd);
	return 0;
}

int mark_set_redirect(struct overlay *overlay, int dir_fd, const char *redirect)
{
	return set_mark(overlay, dir_fd, "redirect", redirect);
}

/* ---- inode numbers -------------------------------------------------------------------- */

/*
 * The kernel's "origin" is a file handle behind a header; of a version that it does not know
 * it takes no notice. So this one is ours: such a header, device and number.
 */
#define ORIGIN_VERSION 0x7f
#define ORIGIN_MAGIC   0xfb

struct origin {
	uint8_t version;
	uint8_t magic;
	uint8_t len;
	uint8_t flags;
	uint8_t type;
	uint8_t padding[3];
	uint64_t dev;
	uint64_t ino;
};

bool mark_get_origin(struct overlay *overlay, const struct where *where, dev_t *out_dev,
		     ino_t *out_ino)
{
	char attribute[64];
	struct origin origin;

	if (!overlay->xattr_prefix)
		return false;
	own_attribute(overlay, "origin", attribute, sizeof(attribute));
	if (where_getxattr(where, attribute, &origin, sizeof(origin)) != sizeof(origin) ||
	    origin.version != ORIGIN_VERSION || origin.magic != ORIGIN_MAGIC)
		return false;
	*out_dev = origin.dev;
	*out_ino = origin.ino;
	return true;
}

void mark_set_origin(struct overlay *overlay, const char *path, dev_t dev, ino_t ino)
{
	const struct origin origin = { .version = ORIGIN_VERSION,
				       .magic = ORIGIN_MAGIC,
				       .len = sizeof(origin),
				       .dev = dev,
				       .ino = ino };
	char attribute[64];

	if (!overlay->xattr_prefix)
		return;
	own_attribute(overlay, "origin", attribute, sizeof(attribute));
	/* without it the number is another one after the next mount: no reason to fail */
	if (lsetxattr(path, attribute, &origin, sizeof(origin), 0) == 0)
		atomic_store(&overlay->has_origins, true);
}
