/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_ENTRY_H
#define LAYERS_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/err.h"

/*
 * One file of a tree as plain values: what a tar entry says of it (image-spec
 * layer.md), and no more: no inode, no atime, no ctime, no user names.
 */
struct xattr {
	char *name; /* "security.capability", "user.x": as a layer carries it, never an overlay's
		       own */
	void *value;
	size_t value_len;
};

struct xattrs { /* in name order (bytes), each name once */
	struct xattr *items;
	size_t count;
};

enum entry_type {
	ENTRY_FILE,
	ENTRY_DIRECTORY,
	ENTRY_SYMLINK,
	ENTRY_HARDLINK, /* `link` names the first entry with that inode, relative to the root */
	ENTRY_CHAR_DEVICE,
	ENTRY_BLOCK_DEVICE,
	ENTRY_FIFO,
	ENTRY_WHITEOUT, /* `path` is the deleted name itself; pack writes ".wh.NAME" */
	ENTRY_OPAQUE,   /* `path` is the directory; pack writes "DIR/.wh..wh..opq" */
};

struct entry {
	enum entry_type type;
	char *path;  /* relative, no leading "/" or "./", no trailing "/"; "" is the root itself */
	char *link;  /* symlink target as it stands, or hard-link target path; else NULL */
	mode_t mode; /* permission bits with setuid, setgid, sticky: 07777 */
	uid_t uid;
	gid_t gid;
	uint64_t size_bytes;   /* of ENTRY_FILE, else 0 */
	struct timespec mtime; /* tv_nsec is 0 in layers we write */
	unsigned dev_major;
	unsigned dev_minor;
	struct xattrs xattrs;
};

#define ENTRY_INIT           \
	{                    \
		.path = NULL \
	}
#define auto_entry __attribute__((cleanup(entry_release)))
void entry_release(struct entry *entry);

/* "file", "directory", … for messages. */
const char *entry_type_name(enum entry_type type);

/*
 * How the names of overlay's own attributes are written on this host: kernel
 * overlayfs mounted by root uses "trusted.overlay.", mounted with userxattr
 * (in a user namespace) "user.overlay.".
 */
enum overlay_ns {
	OVERLAY_TRUSTED,
	OVERLAY_USER, /* and devices are what is recorded (layers/record.h) */
	/* As OVERLAY_USER, and owners are what is recorded too. */
	OVERLAY_RECORDED,
};

/*
 * Read the extended attributes of a file given by descriptor (O_PATH works
 * too), as a layer carries them: overlay's own are left out, escaped ones
 * ("trusted.overlay.overlay.X") come out as "trusted.overlay.X"; security.selinux,
 * security.ima and security.evm are the host's and are left out; system.posix_acl_*
 * are kept. A file system without attributes gives none.
 */
int xattrs_load(int fd, enum overlay_ns ns, struct xattrs *out, const char *path, struct err *err);
/*
 * The same of a file that may be seen through a mounted union: that hides overlay's own, and shows
 * escaped ones as the file's own already.
 */
int xattrs_load_view(int fd, enum overlay_ns ns, struct xattrs *out, const char *path,
		     struct err *err);
void xattrs_release(struct xattrs *xattrs);
bool xattrs_equal(const struct xattrs *a, const struct xattrs *b);
void xattrs_copy(struct xattrs *to, const struct xattrs *from);
/* Keeps the order; a name that is there already is replaced. Copies name and value. */
void xattrs_set(struct xattrs *xattrs, const char *name, const void *value, size_t value_len);
const struct xattr *xattrs_get(const struct xattrs *xattrs, const char *name);

/*
 * Set each attribute on the file behind @fd (escaping overlay names for @ns):
 * call after owner and mode, since chown clears security.capability. One that
 * the file system or our privilege refuses (ENOTSUP, EPERM for security.* and trusted.* in a user
 * namespace) is skipped with a warning once per name; other failures are errors.
 */
int xattrs_apply(int fd, enum overlay_ns ns, const struct xattrs *xattrs, const char *path,
		 struct err *err);

/* The same where layers are mounted: there names are as users set them. */
int xattrs_apply_mounted(int fd, const struct xattrs *xattrs, const char *path, struct err *err);

/*
 * A plain tree that somebody has worked in, and that becomes a layer on disk: what was set there under
 * overlay's own names gets the escaped ones. Those that are escaped already stay.
 */
int xattrs_escape(int fd, enum overlay_ns ns, const char *path, struct err *err);
/* Is there anything to escape on the file @name? Cheap, for it is asked of many. */
bool xattrs_need_escape(int dir_fd, const char *name, enum overlay_ns ns);
/* Has the file any that is escaped? */
bool xattrs_have_escaped(int dir_fd, const char *name, enum overlay_ns ns);

/* Remove those that a layer carries, from a file on disk: marks and escaped ones too. */
int xattrs_clear(int fd, enum overlay_ns ns, const char *path, struct err *err);

/*
 * Give the directory or file @to_fd, which is on disk, the mode, owner, xattrs and times of
 * @from_fd (seen through a union, or of a plain tree): for the root of an upper and the directories
 * of an init layer, since in an overlay the topmost directory's metadata wins.
 */
int entry_copy_metadata(int from_fd, int to_fd, enum overlay_ns ns, const char *path,
			struct err *err);
/* The same from a layer's directory or an upper itself. */
int entry_copy_on_disk(int from_fd, int to_fd, enum overlay_ns ns, const char *path,
		       struct err *err);

#endif
