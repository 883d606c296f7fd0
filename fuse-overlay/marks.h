/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_MARKS_H
#define FUSE_OVERLAY_MARKS_H

#include "fuse-overlay/place.h"

/*
 * What overlays write into layers to speak of the layers below, in every form that there is:
 *
 *	deleted   a character device 0:0 of that name; a file ".wh.NAME";
 *	          an empty file with the attribute PREFIX "whiteout"; the directory that it is in has
 *	          the attribute PREFIX "opaque" = "x", for the kernel looks only there
 *	opaque    a directory with the attribute PREFIX "opaque" = "y", or with a file ".wh..wh..opq"
 *	redirect  a directory with the attribute PREFIX "redirect" = NAME or "/" PATH:
 *	          what it is merged with has that name, or that path from the layers' roots
 *	origin    a file with the attribute PREFIX "origin": the inode number that it had below
 *	PREFIX    "trusted.overlay." | "user.overlay." | "user.fuseoverlayfs."
 *
 * The option "marks" leaves one of the three; what begins with another is an attribute of the file.
 */
#define WHITEOUT_PREFIX "." "wh."

/* Names that are marks and no files. */
bool mark_is_name(const char *name);
/* Attributes that are marks: no one sees them but us. Escaped ones ("PREFIX overlay.X") are none. */
bool mark_is_private(const struct overlay *overlay, const char *name);
/*
 * A user's attribute that would look like a mark is kept under an escaped name, as the kernel
 * does it. The name on disk for the user's, and back; @buf has XATTR_NAME_MAX + 1 bytes. NULL: it has no
 * such name.
 */
const char *mark_escape(const struct overlay *overlay, const char *name, char *buf);
const char *mark_unescape(const struct overlay *overlay, const char *name, char *buf);

/* Of what fstatat gave for @name in @dir_fd. */
bool mark_is_whiteout(const struct overlay *overlay, int dir_fd, const char *name,
		      const struct stat *st);
/* Whether the file ".wh.NAME" is in @dir_fd. */
bool mark_has_whiteout_file(int dir_fd, const char *name);

struct dir_marks {
	bool is_opaque;
	char *redirect; /* the caller frees */
};
/* Of the directory @name in @dir_fd. */
int dir_marks_load(const struct overlay *overlay, const struct layer *layer, int dir_fd,
		   const char *name, struct dir_marks *out);
bool mark_has_opaque_file(int dir_fd, const char *name);

/* Mark a directory, by an attribute where there can be one, else by a file. */
int mark_set_opaque(struct overlay *overlay, int dir_fd);
int mark_set_redirect(struct overlay *overlay, int dir_fd, const char *redirect);

/*
 * Write a whiteout for @name. Nothing else is there, or, with .wh. files, it may be: they
 * hide only what is below. Being there already is success.
 */
int mark_make_whiteout(struct overlay *overlay, int dir_fd, const char *name);
/*
 * A whiteout of a form that stands where the name stood, device or attribute, at a name that is free.
 * All of them are one inode, as with the kernel's overlayfs: a name costs less than an inode.
 */
int mark_make_standing(struct overlay *overlay, int dir_fd, const char *name);
/* Before such a one is moved there: what the directory must say. */
int mark_expect_whiteouts(struct overlay *overlay, int dir_fd);
/* Remove the ".wh." file of @name, if there is one. */
int mark_remove_whiteout_file(struct overlay *overlay, int dir_fd, const char *name);

/* The number that a file of the upper had below; false: none, or of another file system. */
bool mark_get_origin(struct overlay *overlay, const struct where *where, dev_t *out_dev,
		     ino_t *out_ino);
void mark_set_origin(struct overlay *overlay, const char *path, dev_t dev, ino_t ino);

#endif
