/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_WHITEOUT_H
#define LAYERS_WHITEOUT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/err.h"
#include "layers/entry.h"

/*
 * Deletions, in both forms: on disk as the kernel's overlayfs reads them (a
 * character device 0:0, or a file with the attribute overlay.whiteout in a directory whose
 * overlay.opaque is "x"; overlay.opaque = "y" on a directory), in a tar as ".wh.NAME" and
 * ".wh..wh..opq" (image-spec layer.md, "Whiteouts"). No other module knows
 * either.
 */
enum whiteout_name {
	WHITEOUT_NONE,     /* an ordinary name */
	WHITEOUT_FILE,     /* ".wh.NAME": *out_target is NAME */
	WHITEOUT_OPAQUE,   /* ".wh..wh..opq" */
	WHITEOUT_RESERVED, /* another ".wh..wh.…" name (AUFS's own): readers skip it */
	WHITEOUT_INVALID,  /* ".wh.", ".wh..", ".wh...": would delete the directory or its parent */
};

/* What the last component of a tar name means; *out_target points into @basename. */
enum whiteout_name whiteout_parse(const char *basename, const char **out_target);

/* True for names that a layer cannot hold as a file (beginning with ".wh."). */
bool whiteout_is_reserved(const char *basename);
/* ERR_INPUT when the last component of @path is such a name. */
int whiteout_refuse_reserved(const char *path, struct err *err);

/* On disk. */
bool whiteout_is_device(const struct stat *st);
/* Of either form, @st being what fstatat gave for @name. */
bool whiteout_is(int dir_fd, const char *name, const struct stat *st, enum overlay_ns ns);
/*
 * A device where the file system takes it; an overlay does not, and there it is a file with the
 * attribute. Replaces nothing.
 */
int whiteout_make(int dir_fd, const char *name, enum overlay_ns ns, struct err *err);
int opaque_get(int dir_fd, enum overlay_ns ns, bool *out_is_opaque, struct err *err);
int opaque_set(int dir_fd, enum overlay_ns ns, struct err *err);
int opaque_clear(int dir_fd, enum overlay_ns ns, struct err *err);

/*
 * Mark a directory that holds whiteouts. Where a directory is in one layer only, the kernel lists
 * what is in there as it stands, and a whiteout of what was never below is a name that cannot be
 * opened. It looks closer at directories that were copied up, which an attribute overlay.origin
 * says; an empty one names no origin.
 */
int whiteouts_note(int dir_fd, enum overlay_ns ns, struct err *err);

/*
 * A tar need not have an entry for its root, and a directory always has one: the
 * attribute overlay.implied-root on a layer's directory (unknown to the kernel, hidden by it)
 * says that the layer's tar has none, so that packing it again gives none. A directory without the
 * mark has a root entry. Set by diff_upper with settle, and by whoever unpacks a tar without one.
 */
int implied_root_get(int layer_fd, enum overlay_ns ns, bool *out_is_implied, struct err *err);
int implied_root_set(int layer_fd, enum overlay_ns ns, struct err *err);

/*
 * Remove overlay's bookkeeping (origin, impure, nlink, redirect, metacopy,
 * uuid, upper, protattr) from a file, keeping opaque, whiteout and escaped user data.
 * ERR_BUG when a redirect or a metacopy is found: uppers are mounted so that
 * neither can appear, and dropping it would lose content.
 */
int overlay_xattrs_strip(int fd, enum overlay_ns ns, const char *path, struct err *err);

#endif
