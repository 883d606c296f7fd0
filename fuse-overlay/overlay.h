/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_OVERLAY_H
#define FUSE_OVERLAY_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "common/err.h"
#include "fuse-overlay/options.h"

/*
 * A union of directories, without the kernel's protocol: each function does what one request
 * asks for. Where nothing else is said they return 0 or -errno and may be called by any number of
 * threads at once, under the rules that the kernel keeps for every file system: names in one
 * directory change one at a time and not while one is looked up or the directory is listed, and
 * a node is used only while it is held (by a lookup, as the root, or through a handle).
 *
 * Nobody else changes the layers while they are in use: what is not there stays away until we make it.
 */
struct overlay;
struct node;
struct handle;
struct listing;

/*
 * Open the layers and see what they can do. Starts no threads: it may be called before
 * the program goes to the background. @options must outlive it. Returns 0 or -1 with @err.
 */
int overlay_open(struct overlay **out, const struct options *options, struct err *err);
void overlay_free(struct overlay *overlay);

struct node *overlay_root(struct overlay *overlay);
const struct options *overlay_options(const struct overlay *overlay);
/* Whether anything can ever change: there is an upper. */
bool overlay_is_writable(const struct overlay *overlay);

/* Who asks. */
struct caller {
	uid_t uid;
	gid_t gid;
	mode_t umask;
};

/*
 * A node as it is given to the kernel: held once more for it. node is NULL, and the result 0, where
 * there is no such name.
 */
struct entry_reply {
	struct node *node;
	uint64_t generation;
	struct stat st;
};

int overlay_lookup(struct overlay *overlay, struct node *parent, const char *name,
		   struct entry_reply *out);
/* Holds of a node that are over. */
void overlay_forget(struct overlay *overlay, struct node *node, uint64_t count);
int overlay_getattr(struct overlay *overlay, struct node *node, struct stat *out);
/* The target, NUL-terminated; the caller frees. */
int overlay_readlink(struct overlay *overlay, struct node *node, char **out);
int overlay_statfs(struct overlay *overlay, struct statvfs *out);

/*
 * What a directory holds, in an order of its own in which each name has its cookie for ever: the
 * place of a name does not depend on what comes and goes beside it, so a reader can go on
 * after any cookie, whatever was changed, and sees each name that stays exactly once.
 */
struct listing_entry {
	const char *name;
	uint64_t cookie; /* give it to go on behind this one */
	mode_t type;     /* S_IFMT bits */
	uint64_t ino;
	uint16_t layer;
	uint32_t version; /* of the directory, when it was read */
};
int overlay_list(struct overlay *overlay, struct node *node, struct listing **out);
void listing_put(struct listing *listing);
/* Somebody has come to the end: a large one is not kept for others. */
void overlay_list_done(struct overlay *overlay, struct listing *listing);
/* The first entry behind @cookie (0: the first), or false. *out is valid until listing_put. */
bool listing_next(const struct listing *listing, uint64_t cookie, struct listing_entry *out);
/* As overlay_lookup for a name that was listed. */
int overlay_lookup_listed(struct overlay *overlay, struct node *parent,
			  const struct listing_entry *entry, struct entry_reply *out);

struct making {
	mode_t mode;        /* with S_IFMT */
	dev_t rdev;         /* of devices */
	const char *target; /* of symbolic links */
};
int overlay_make(struct overlay *overlay, const struct caller *caller, struct node *parent,
		 const char *name, const struct making *making, struct entry_reply *out);
/* Make a regular file and open it. */
int overlay_create(struct overlay *overlay, const struct caller *caller, struct node *parent,
		   const char *name, mode_t mode, int flags, struct entry_reply *out,
		   struct handle **out_handle);
/* A file without a name. */
int overlay_tmpfile(struct overlay *overlay, const struct caller *caller, struct node *parent,
		    mode_t mode, int flags, struct entry_reply *out, struct handle **out_handle);
int overlay_link(struct overlay *overlay, struct node *node, struct node *parent, const char *name,
		 struct entry_reply *out);
int overlay_unlink(struct overlay *overlay, struct node *parent, const char *name);
int overlay_rmdir(struct overlay *overlay, struct node *parent, const char *name);

/* @flags as renameat2(2). */
struct renaming {
	struct node *parent;
	const char *name;
	struct node *new_parent;
	const char *new_name;
	unsigned int flags;
};
int overlay_rename(struct overlay *overlay, const struct renaming *renaming);

/* What changes of a file. */
enum change {
	CHANGE_MODE = 1 << 0,
	CHANGE_UID = 1 << 1,
	CHANGE_GID = 1 << 2,
	CHANGE_SIZE = 1 << 3,
	CHANGE_ATIME = 1 << 4,
	CHANGE_MTIME = 1 << 5,
	CHANGE_ATIME_NOW = 1 << 6,
	CHANGE_MTIME_NOW = 1 << 7,
};
/* @handle is NULL, or one through which it is asked. *out is as it is afterwards. */
int overlay_setattr(struct overlay *overlay, const struct caller *caller, struct node *node,
		    struct handle *handle, unsigned int changes, const struct stat *to,
		    struct stat *out);

/*
 * Extended attributes, as *xattr(2) has them: a size of 0 asks how much there is. Those that
 * overlays keep for themselves are neither shown nor can they be set.
 */
ssize_t overlay_getxattr(struct overlay *overlay, struct node *node, const char *name, void *value,
			 size_t size);
ssize_t overlay_listxattr(struct overlay *overlay, struct node *node, char *list, size_t size);
int overlay_setxattr(struct overlay *overlay, struct node *node, const char *name,
		     const void *value, size_t size, int flags);
int overlay_removexattr(struct overlay *overlay, struct node *node, const char *name);

/* Open files. A handle holds its node; the last overlay_file_close of a handle closes it. */
int overlay_file_open(struct overlay *overlay, const struct caller *caller, struct node *node,
		      int flags, struct handle **out);
void overlay_file_hold(struct handle *handle);
void overlay_file_close(struct overlay *overlay, struct handle *handle);
/* The descriptor of the file as it is now, borrowed; after a copy-up it is another one. */
int overlay_file_fd(struct overlay *overlay, struct handle *handle);
/* Before bytes that the kernel has not cached are written for @caller: set-id bits go. */
int overlay_file_drop_setid(struct overlay *overlay, const struct caller *caller,
			    struct handle *handle);
int overlay_fsync(struct overlay *overlay, struct handle *handle, bool data_only);
int overlay_fsyncdir(struct overlay *overlay, struct node *node, bool data_only);
/* FS_IOC_GETFLAGS and its like: @data is what the command's number says it is. */
int overlay_ioctl(struct overlay *overlay, struct node *node, unsigned int command, void *data);

#endif
