/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_XATTRS_INTERNAL_H
#define LAYERS_XATTRS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "layers/entry.h"

/*
 * What an attribute on disk means. The names on disk are, with PREFIX being
 * "trusted.overlay." or "user.overlay.":
 *
 *   PREFIX "overlay." X     an attribute PREFIX X of the file itself, escaped
 *   PREFIX word             overlay's own
 *   anything else           an attribute of the file itself, or the host's
 */
enum xattr_role {
	XATTR_PLAIN,
	XATTR_ESCAPED,
	XATTR_HOST,     /* labels of the host's policy, views that a file system makes up */
	XATTR_OPAQUE,   /* PREFIX "opaque" */
	XATTR_WHITEOUT, /* PREFIX "whiteout" */
	XATTR_IMPLIED,  /* PREFIX "implied-root": ours, see whiteout.h */
	XATTR_REDIRECT,
	XATTR_METACOPY,
	XATTR_BOOKKEEPING, /* PREFIX and any other word */
};

const char *overlay_prefix(enum overlay_ns ns); /* with the final dot */
enum xattr_role xattr_role(const char *name, enum overlay_ns ns);
/* One of overlay's words, not escaped? */
bool xattr_role_is_overlays(enum xattr_role role);
/* Of no layer, whatever overlay makes of it: what XATTR_HOST is for. */
bool xattr_name_is_of_host(const char *name);

/* How an attribute PREFIX X of a file is called on disk, new memory; NULL for a name without PREFIX. */
char *xattr_name_escape(const char *name, enum overlay_ns ns);
/* The other way round, of a name whose role is XATTR_ESCAPED. */
char *xattr_name_unescape(const char *name, enum overlay_ns ns);

/* As xattrs_set(), but takes @value, which came from malloc or is NULL. */
void xattrs_put(struct xattrs *xattrs, const char *name, void *value, size_t value_len);

/* As f*xattr(2), but an O_PATH descriptor (of a link, too) will do. Return -1 with errno. */
ssize_t xattr_list_fd(int fd, char *list, size_t size);
ssize_t xattr_read_fd(int fd, const char *name, void *value, size_t size);
int xattr_write_fd(int fd, const char *name, const void *value, size_t len);
int xattr_remove_fd(int fd, const char *name);

/* How a tree that is read writes attribute names. */
enum xattr_form {
	XATTR_FORM_TRUSTED, /* an upper or a layer on disk */
	XATTR_FORM_USER,
	XATTR_FORM_MERGED, /* seen through a mounted union, which translates them itself */
};

static inline enum xattr_form xattr_form_of(enum overlay_ns ns)
{
	return ns == OVERLAY_TRUSTED ? XATTR_FORM_TRUSTED : XATTR_FORM_USER;
}

/*
 * The form in which files below @fd show them: a union that is mounted shows attributes as its
 * users set them, anything else as they are on disk, @on_disk.
 */
int xattr_form_at(int fd, enum xattr_form on_disk, enum xattr_form *out, struct err *err);

/* What overlay's own attributes say of a file. */
struct xattr_marks {
	bool is_opaque;
	bool has_file_whiteouts; /* opaque is "x": files with the attribute whiteout are such */
	bool is_whiteout;
	bool has_implied_root;
	bool has_bookkeeping;
	bool has_redirect;
	bool has_metacopy;
};

/* One reading of all attributes; @out_marks may be NULL. @out is empty at the call. */
int xattrs_scan(int fd, enum xattr_form form, struct xattrs *out, struct xattr_marks *out_marks,
		const char *path, struct err *err);

#endif
