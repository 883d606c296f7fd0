/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for extended attributes: which of those on disk belong to a layer,
 * how overlay's names are escaped, and that a set is in name order. What the
 * marks of deletions mean is left to whiteout.
 */
#include "layers/entry.h"

#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strlist.h"
#include "layers/record.h"
#include "layers/xattrs-internal.h"

#define FUSE_SUPER_MAGIC 0x65735546
#define ESCAPE           "overlay."
#define SMALL_LIST_MAX   1024
#define SMALL_VALUE_MAX  1024

const char *overlay_prefix(enum overlay_ns ns)
{
	return ns == OVERLAY_TRUSTED ? "trusted.overlay." : "user.overlay.";
}

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/*
 * What a layer carries is what a container itself can set, in the namespaces
 * that every host has. XFS shows an ACL a second time as trusted.SGI_ACL_*,
 * which would make the digest depend on the file system.
 */
static bool is_of_host(const char *name)
{
	static const char *const labels[] = { "security.selinux", "security.ima", "security.evm",
					      "security.apparmor", RECORD_NAME };

	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
		if (strcmp(name, labels[i]) == 0)
			return true;
	if (has_prefix(name, "security.SMACK64") || has_prefix(name, "trusted.SGI_ACL_"))
		return true;
	if (has_prefix(name, "system."))
		return !has_prefix(name, "system.posix_acl_");
	return !has_prefix(name, "user.") && !has_prefix(name, "trusted.") &&
	       !has_prefix(name, "security.");
}

enum xattr_role xattr_role(const char *name, enum overlay_ns ns)
{
	static const struct {
		const char *word;
		enum xattr_role role;
	} words[] = {
		{ "opaque", XATTR_OPAQUE },        { "whiteout", XATTR_WHITEOUT },
		{ "redirect", XATTR_REDIRECT },    { "metacopy", XATTR_METACOPY },
		{ "implied-root", XATTR_IMPLIED },
	};
	const char *prefix = overlay_prefix(ns);

	if (!has_prefix(name, prefix))
		return is_of_host(name) ? XATTR_HOST : XATTR_PLAIN;
	name += strlen(prefix);
	if (has_prefix(name, ESCAPE))
		return XATTR_ESCAPED;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(name, words[i].word) == 0)
			return words[i].role;
	return XATTR_BOOKKEEPING;
}

/*
 * The f*xattr calls refuse O_PATH descriptors, the only ones that a link or a
 * device can be had by; through /proc the kernel goes to the very same file.
 */
ssize_t xattr_list_fd(int fd, char *list, size_t size)
{
	char buf[FD_PATH_MAX];
	ssize_t n = flistxattr(fd, list, size);

	return n < 0 && errno == EBADF ? listxattr(fd_path(fd, buf), list, size) : n;
}

ssize_t xattr_read_fd(int fd, const char *name, void *value, size_t size)
{
	char buf[FD_PATH_MAX];
	ssize_t n = fgetxattr(fd, name, value, size);

	return n < 0 && errno == EBADF ? getxattr(fd_path(fd, buf), name, value, size) : n;
}

int xattr_write_fd(int fd, const char *name, const void *value, size_t len)
{
	char buf[FD_PATH_MAX];
	int r = fsetxattr(fd, name, value, len, 0);

	return r < 0 && errno == EBADF ? setxattr(fd_path(fd, buf), name, value, len, 0) : r;
}

int xattr_remove_fd(int fd, const char *name)
{
	char buf[FD_PATH_MAX];
	int r = fremovexattr(fd, name);

	return r < 0 && errno == EBADF ? removexattr(fd_path(fd, buf), name) : r;
}

void xattrs_release(struct xattrs *xattrs)
{
	for (size_t i = 0; i < xattrs->count; i++) {
		free(xattrs->items[i].name);
		free(xattrs->items[i].value);
	}
	free(xattrs->items);
	*xattrs = (struct xattrs){ .items = NULL };
}

bool xattrs_equal(const struct xattrs *a, const struct xattrs *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct xattr *x = &a->items[i];
		const struct xattr *y = &b->items[i];

		if (strcmp(x->name, y->name) != 0 || x->value_len != y->value_len)
			return false;
		if (x->value_len && memcmp(x->value, y->value, x->value_len) != 0)
			return false;
	}
	return true;
}

/* Where @name is, or where it would go. */
static size_t position_of(const struct xattrs *xattrs, const char *name, bool *out_found)
{
	size_t low = 0;
	size_t high = xattrs->count;

	*out_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(xattrs->items[middle].name, name);

		if (order == 0) {
			*out_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Takes @value. */
static void put(struct xattrs *xattrs, const char *name, void *value, size_t value_len)
{
	bool found;
	size_t at = position_of(xattrs, name, &found);
	struct xattr *item;

	if (!found) {
		xattrs->items = mem_resize(xattrs->items, xattrs->count + 1, sizeof(*item));
		memmove(&xattrs->items[at + 1], &xattrs->items[at],
			(xattrs->count - at) * sizeof(*item));
		xattrs->items[at] = (struct xattr){ .name = str_dup(name) };
		xattrs->count++;
	}
	item = &xattrs->items[at];
	free(item->value);
	item->value = value;
	item->value_len = value_len;
}

void xattrs_set(struct xattrs *xattrs, const char *name, const void *value, size_t value_len)
{
	put(xattrs, name, value_len ? mem_dup(value, value_len) : NULL, value_len);
}

const struct xattr *xattrs_get(const struct xattrs *xattrs, const char *name)
{
	bool found;
	size_t at = position_of(xattrs, name, &found);

	return found ? &xattrs->items[at] : NULL;
}

void xattrs_copy(struct xattrs *to, const struct xattrs *from)
{
	struct xattrs fresh = { .items = NULL };

	for (size_t i = 0; i < from->count; i++)
		xattrs_set(&fresh, from->items[i].name, from->items[i].value,
			   from->items[i].value_len);
	xattrs_release(to);
	*to = fresh;
}

/*
 * Read a value into memory of its own. One that is gone, or that only the list
 * knows, is no attribute: *out stays NULL with *out_len -1.
 */
static int read_value(int fd, const char *name, void **out, ssize_t *out_len, const char *path,
		      struct err *err)
{
	char small[SMALL_VALUE_MAX];
	auto_free char *large = NULL;
	char *value = small;
	ssize_t len = xattr_read_fd(fd, name, small, sizeof(small));

	if (len < 0 && errno == ERANGE) {
		value = large = mem_alloc(XATTR_SIZE_MAX);
		len = xattr_read_fd(fd, name, large, XATTR_SIZE_MAX);
	}
	if (len < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return err_sys(err, "read attribute '%s' of '%s'", name, path);
	*out = len > 0 ? mem_dup(value, (size_t)len) : NULL;
	*out_len = len;
	return 0;
}

static int add_value(int fd, const char *on_disk, const char *name, struct xattrs *out,
		     const char *path, struct err *err)
{
	void *value = NULL;
	ssize_t len = -1;

	if (read_value(fd, on_disk, &value, &len, path, err) < 0)
		return -1;
	if (len >= 0)
		put(out, name, value, (size_t)len);
	return 0;
}

/* "PREFIX overlay.X" is the file's own "PREFIX X". */
static int add_escaped(int fd, const char *on_disk, enum overlay_ns ns, struct xattrs *out,
		       const char *path, struct err *err)
{
	const char *prefix = overlay_prefix(ns);
	auto_free char *name =
		str_format("%s%s", prefix, on_disk + strlen(prefix) + strlen(ESCAPE));

	return add_value(fd, on_disk, name, out, path, err);
}

static int note_opaque(int fd, const char *name, struct xattr_marks *marks, const char *path,
		       struct err *err)
{
	auto_free char *value = NULL;
	ssize_t len = -1;

	if (read_value(fd, name, (void **)&value, &len, path, err) < 0)
		return -1;
	marks->is_opaque = len == 1 && value[0] == 'y';
	marks->has_file_whiteouts = len == 1 && value[0] == 'x';
	return 0;
}

static int scan_one(int fd, const char *name, enum xattr_form form, struct xattrs *out,
		    struct xattr_marks *marks, const char *path, struct err *err)
{
	enum overlay_ns ns = form == XATTR_FORM_USER ? OVERLAY_USER : OVERLAY_TRUSTED;

	if (form == XATTR_FORM_MERGED)
		return is_of_host(name) ? 0 : add_value(fd, name, name, out, path, err);
	switch (xattr_role(name, ns)) {
	case XATTR_PLAIN:
		return add_value(fd, name, name, out, path, err);
	case XATTR_ESCAPED:
		return add_escaped(fd, name, ns, out, path, err);
	case XATTR_HOST:
		return 0;
	case XATTR_OPAQUE:
		return note_opaque(fd, name, marks, path, err);
	case XATTR_WHITEOUT:
		marks->is_whiteout = true;
		return 0;
	case XATTR_IMPLIED:
		marks->has_implied_root = true;
		return 0;
	case XATTR_REDIRECT:
		marks->has_redirect = true;
		return 0;
	case XATTR_METACOPY:
		marks->has_metacopy = true;
		return 0;
	case XATTR_BOOKKEEPING:
		marks->has_bookkeeping = true;
		return 0;
	}
	return 0;
}

/* All names, each with its NUL: in @small, or in *out_large where that is not enough. */
static ssize_t read_names(int fd, char small[SMALL_LIST_MAX], char **out_large, const char *path,
			  struct err *err)
{
	ssize_t len = xattr_list_fd(fd, small, SMALL_LIST_MAX);

	if (len < 0 && errno == ERANGE) {
		*out_large = mem_alloc(XATTR_LIST_MAX);
		len = xattr_list_fd(fd, *out_large, XATTR_LIST_MAX);
	}
	if (len < 0 && errno == EOPNOTSUPP)
		return 0;
	return len < 0 ? err_sys(err, "list the attributes of '%s'", path) : len;
}

int xattrs_scan(int fd, enum xattr_form form, struct xattrs *out, struct xattr_marks *out_marks,
		const char *path, struct err *err)
{
	struct xattr_marks marks = { .is_opaque = false };
	char small[SMALL_LIST_MAX];
	auto_free char *large = NULL;
	const ssize_t len = read_names(fd, small, &large, path, err);
	const char *list = large ? large : small;

	if (len < 0)
		return -1;
	for (const char *name = list; name < list + len; name += strlen(name) + 1)
		if (scan_one(fd, name, form, out, &marks, path, err) < 0)
			return -1;
	if (out_marks)
		*out_marks = marks;
	return 0;
}

int xattr_form_at(int fd, enum xattr_form on_disk, enum xattr_form *out, struct err *err)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return err_sys(err, "stat the file system of the layers below");
	*out = fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == FUSE_SUPER_MAGIC
		       ? XATTR_FORM_MERGED
		       : on_disk;
	return 0;
}

static int load_in_form(int fd, enum xattr_form form, struct xattrs *out, const char *path,
			struct err *err)
{
	struct xattrs fresh = { .items = NULL };

	if (xattrs_scan(fd, form, &fresh, NULL, path, err) < 0) {
		xattrs_release(&fresh);
		return -1;
	}
	xattrs_release(out);
	*out = fresh;
	return 0;
}

int xattrs_load(int fd, enum overlay_ns ns, struct xattrs *out, const char *path, struct err *err)
{
	return load_in_form(fd, xattr_form_of(ns), out, path, err);
}

int xattrs_load_view(int fd, enum overlay_ns ns, struct xattrs *out, const char *path,
		     struct err *err)
{
	enum xattr_form form = xattr_form_of(ns);

	if (xattr_form_at(fd, form, &form, err) < 0)
		return -1;
	return load_in_form(fd, form, out, path, err);
}

static bool is_unescaped(const char *name, const char *prefix)
{
	return has_prefix(name, prefix) && !has_prefix(name + strlen(prefix), ESCAPE);
}

static int escape_one(int fd, const char *name, const char *prefix, const char *path,
		      struct err *err)
{
	auto_free char *escaped = str_format("%s" ESCAPE "%s", prefix, name + strlen(prefix));
	auto_free void *value = NULL;
	ssize_t len = -1;

	if (read_value(fd, name, &value, &len, path, err) < 0)
		return -1;
	if (len < 0)
		return 0;
	if (xattr_write_fd(fd, escaped, value, (size_t)len) < 0 || xattr_remove_fd(fd, name) < 0)
		return err_sys(err, "keep the attribute '%s' of '%s'", name, path);
	return 0;
}

int xattrs_escape(int fd, enum overlay_ns ns, const char *path, struct err *err)
{
	const char *prefix = overlay_prefix(ns);
	char small[SMALL_LIST_MAX];
	auto_free char *large = NULL;
	const ssize_t len = read_names(fd, small, &large, path, err);
	const char *list = large ? large : small;

	if (len < 0)
		return -1;
	for (const char *name = list; name < list + len; name += strlen(name) + 1)
		if (is_unescaped(name, prefix) && escape_one(fd, name, prefix, path, err) < 0)
			return -1;
	return 0;
}

/* Any of overlay's names, escaped or not? */
static bool has_overlay_name(int dir_fd, const char *name, enum overlay_ns ns, bool is_escaped)
{
	const char *prefix = overlay_prefix(ns);
	auto_free char *path = str_format("/proc/self/fd/%d/%s", dir_fd, name);
	char list[SMALL_LIST_MAX];
	const ssize_t len = llistxattr(path, list, sizeof(list));

	/* who lists too many may have one among them */
	if (len < 0)
		return errno == ERANGE;
	for (const char *at = list; at < list + len; at += strlen(at) + 1)
		if (has_prefix(at, prefix) && is_unescaped(at, prefix) != is_escaped)
			return true;
	return false;
}

bool xattrs_need_escape(int dir_fd, const char *name, enum overlay_ns ns)
{
	return has_overlay_name(dir_fd, name, ns, false);
}

bool xattrs_have_escaped(int dir_fd, const char *name, enum overlay_ns ns)
{
	return has_overlay_name(dir_fd, name, ns, true);
}

int xattrs_clear(int fd, enum overlay_ns ns, const char *path, struct err *err)
{
	char small[SMALL_LIST_MAX];
	auto_free char *large = NULL;
	const ssize_t len = read_names(fd, small, &large, path, err);
	const char *list = large ? large : small;

	if (len < 0)
		return -1;
	for (const char *name = list; name < list + len; name += strlen(name) + 1)
		if (xattr_role(name, ns) != XATTR_HOST && xattr_remove_fd(fd, name) < 0 &&
		    errno != ENODATA && errno != EOPNOTSUPP)
			return err_sys(err, "remove attribute '%s' of '%s'", name, path);
	return 0;
}

/* One warning for each name in the life of a process; a layer can hold thousands of it. */
static void warn_once(const char *name, const char *path)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects `warned` */
	static struct strlist warned = STRLIST_INIT;
	int refused = errno;
	bool is_new;

	pthread_mutex_lock(&lock);
	is_new = !strlist_has(&warned, name);
	if (is_new)
		strlist_add(&warned, name);
	pthread_mutex_unlock(&lock);
	if (is_new)
		log_warn("attribute '%s' of '%s' cannot be set here and is left out: %s", name,
			 path, strerror(refused));
}

static bool is_refused(const char *name)
{
	if (errno == EOPNOTSUPP)
		return true;
	/* user.* on anything but files and directories is EPERM whoever asks */
	return errno == EPERM && (has_prefix(name, "security.") || has_prefix(name, "trusted.") ||
				  has_prefix(name, "user."));
}

/* @prefix: of the names that are escaped, or NULL. */
static int apply(int fd, const char *prefix, const struct xattrs *xattrs, const char *path,
		 struct err *err)
{
	for (size_t i = 0; i < xattrs->count; i++) {
		const struct xattr *x = &xattrs->items[i];
		auto_free char *escaped = NULL;

		if (prefix && has_prefix(x->name, prefix))
			escaped = str_format("%s" ESCAPE "%s", prefix, x->name + strlen(prefix));
		if (xattr_write_fd(fd, escaped ? escaped : x->name, x->value, x->value_len) == 0)
			continue;
		if (!is_refused(x->name))
			return err_sys(err, "set attribute '%s' of '%s'", x->name, path);
		warn_once(x->name, path);
	}
	return 0;
}

int xattrs_apply(int fd, enum overlay_ns ns, const struct xattrs *xattrs, const char *path,
		 struct err *err)
{
	return apply(fd, overlay_prefix(ns), xattrs, path, err);
}

int xattrs_apply_mounted(int fd, const struct xattrs *xattrs, const char *path, struct err *err)
{
	return apply(fd, NULL, xattrs, path, err);
}
