/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_STAT_OVERRIDE_H
#define FUSE_OVERLAY_STAT_OVERRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * An owner and a mode that the file system below does not let us give a file, kept in an extended
 * attribute of it, as containers/storage and fuse-overlayfs write them:
 *
 *	override = uid ":" gid ":" mode [ ":" type ]
 *	type     = "file" | "dir" | "symlink" | "pipe" | "socket"
 *	         | ( "block" | "char" ) "-" major "-" minor
 *
 * uid and gid are decimal, mode is octal without a type.
 */
#define STAT_OVERRIDE_MAX 80 /* bytes of the longest one, with its NUL */

enum xattr_permissions {
	XATTR_PERMISSIONS_NONE,       /* files have their own owner and mode */
	XATTR_PERMISSIONS_PRIVILEGED, /* security.fuseoverlayfs.override_stat */
	XATTR_PERMISSIONS_USER,       /* user.fuseoverlayfs.override_stat, where that cannot be */
	XATTR_PERMISSIONS_CONTAINERS, /* user.containers.override_stat */
};

struct stat_override {
	uid_t uid;
	gid_t gid;
	mode_t mode; /* the type is 0 where none is said */
	dev_t rdev;
};

/* The attribute's name, or NULL for NONE. */
const char *stat_override_name(enum xattr_permissions how);
/* Whether @name is one of the three: none is shown in the mount. */
bool stat_override_is_name(const char *name);

/* 0 or -EINVAL. @text need not end with a NUL. */
int stat_override_parse(const char *text, size_t len, struct stat_override *out);
/* The length, without the NUL. The type is written for what is neither file nor directory. */
size_t stat_override_format(const struct stat_override *override, char *buf);

/*
 * Put what the attribute of the file says in place of what is in *st, if it has one. PRIVILEGED and
 * USER are both read where either is written, that one first. Of a type
 * only what a regular file or directory can stand for is believed: a file may stand for anything
 * but a directory. @fd may be O_PATH. 0, or -errno; -EINVAL for an attribute that makes no sense.
 */
int stat_override_load(int fd, enum xattr_permissions how, struct stat *st);
/* Write owner, mode and device of *st to the attribute. @fd may be O_PATH. */
int stat_override_save(int fd, enum xattr_permissions how, const struct stat *st);

#endif
