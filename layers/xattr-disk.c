/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes on disk: read into a set, set from one, escaped and
 * removed.
 */
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
#include "layers/entry.h"
#include "layers/xattrs-internal.h"

#define FUSE_SUPER_MAGIC 0x65735546
#define SMALL_LIST_MAX   1024
#define SMALL_VALUE_MAX  1024

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
		xattrs_put(out, name, value, (size_t)len);
	return 0;
}

static int add_escaped(int fd, const char *on_disk, enum overlay_ns ns, struct xattrs *out,
		       const char *path, struct err *err)
{
	auto_free char *name = xattr_name_unescape(on_disk, ns);

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

/* One of a file's attributes. 0, or -1 with @err set. */
typedef int (*take_name)(void *ctx, int fd, const char *name, const char *path, struct err *err);

/* @take may change or remove attributes: the names are those of before. */
static int each_name(int fd, take_name take, void *ctx, const char *path, struct err *err)
{
	char small[SMALL_LIST_MAX];
	auto_free char *large = NULL;
	const ssize_t len = read_names(fd, small, &large, path, err);
	const char *list = large ? large : small;

	if (len < 0)
		return -1;
	for (const char *name = list; name < list + len; name += strlen(name) + 1)
		if (take(ctx, fd, name, path, err) < 0)
			return -1;
	return 0;
}

struct scan {
	enum xattr_form form;
	struct xattrs *out;
	struct xattr_marks marks;
};

static int scan_one(void *ctx, int fd, const char *name, const char *path, struct err *err)
{
	struct scan *scan = ctx;
	enum overlay_ns ns = scan->form == XATTR_FORM_USER ? OVERLAY_USER : OVERLAY_TRUSTED;
	struct xattrs *out = scan->out;
	struct xattr_marks *marks = &scan->marks;

	if (scan->form == XATTR_FORM_MERGED)
		return xattr_name_is_of_host(name) ? 0
						   : add_value(fd, name, name, out, path, err);
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

int xattrs_scan(int fd, enum xattr_form form, struct xattrs *out, struct xattr_marks *out_marks,
		const char *path, struct err *err)
{
	struct scan scan = { .form = form, .out = out };

	if (each_name(fd, scan_one, &scan, path, err) < 0)
		return -1;
	if (out_marks)
		*out_marks = scan.marks;
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

/* @ctx: whose names, an enum overlay_ns. */
static int escape_one(void *ctx, int fd, const char *name, const char *path, struct err *err)
{
	const enum overlay_ns *ns = ctx;
	auto_free char *escaped = NULL;
	auto_free void *value = NULL;
	ssize_t len = -1;

	if (!xattr_role_is_overlays(xattr_role(name, *ns)))
		return 0;
	if (read_value(fd, name, &value, &len, path, err) < 0)
		return -1;
	if (len < 0)
		return 0;
	escaped = xattr_name_escape(name, *ns);
	if (xattr_write_fd(fd, escaped, value, (size_t)len) < 0 || xattr_remove_fd(fd, name) < 0)
		return err_sys(err, "keep the attribute '%s' of '%s'", name, path);
	return 0;
}

int xattrs_escape(int fd, enum overlay_ns ns, const char *path, struct err *err)
{
	return each_name(fd, escape_one, &ns, path, err);
}

/* Any of overlay's names, escaped or not? */
static bool has_overlay_name(int dir_fd, const char *name, enum overlay_ns ns, bool is_escaped)
{
	auto_free char *path = str_format("/proc/self/fd/%d/%s", dir_fd, name);
	char list[SMALL_LIST_MAX];
	const ssize_t len = llistxattr(path, list, sizeof(list));

	/* who lists too many may have one among them */
	if (len < 0)
		return errno == ERANGE;
	for (const char *at = list; at < list + len; at += strlen(at) + 1) {
		enum xattr_role role = xattr_role(at, ns);

		if (is_escaped ? role == XATTR_ESCAPED : xattr_role_is_overlays(role))
			return true;
	}
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

/* @ctx: whose names, an enum overlay_ns. */
static int clear_one(void *ctx, int fd, const char *name, const char *path, struct err *err)
{
	const enum overlay_ns *ns = ctx;

	if (xattr_role(name, *ns) != XATTR_HOST && xattr_remove_fd(fd, name) < 0 &&
	    errno != ENODATA && errno != EOPNOTSUPP)
		return err_sys(err, "remove attribute '%s' of '%s'", name, path);
	return 0;
}

int xattrs_clear(int fd, enum overlay_ns ns, const char *path, struct err *err)
{
	return each_name(fd, clear_one, &ns, path, err);
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

/* user.* on anything but files and directories is EPERM whoever asks */
static bool is_refused(const char *name)
{
	return errno == EOPNOTSUPP || (errno == EPERM && strncmp(name, "system.", 7) != 0);
}

static int set_one(int fd, const char *name, const struct xattr *x, const char *path,
		   struct err *err)
{
	if (xattr_write_fd(fd, name, x->value, x->value_len) == 0)
		return 0;
	if (!is_refused(x->name))
		return err_sys(err, "set attribute '%s' of '%s'", x->name, path);
	warn_once(x->name, path);
	return 0;
}

int xattrs_apply(int fd, enum overlay_ns ns, const struct xattrs *xattrs, const char *path,
		 struct err *err)
{
	for (size_t i = 0; i < xattrs->count; i++) {
		const struct xattr *x = &xattrs->items[i];
		auto_free char *escaped = xattr_name_escape(x->name, ns);

		if (set_one(fd, escaped ? escaped : x->name, x, path, err) < 0)
			return -1;
	}
	return 0;
}

int xattrs_apply_mounted(int fd, const struct xattrs *xattrs, const char *path, struct err *err)
{
	for (size_t i = 0; i < xattrs->count; i++)
		if (set_one(fd, xattrs->items[i].name, &xattrs->items[i], path, err) < 0)
			return -1;
	return 0;
}
