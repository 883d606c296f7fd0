/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_OVERLAY_INTERNAL_H
#define FUSE_OVERLAY_OVERLAY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "fuse-overlay/latch.h"
#include "fuse-overlay/overlay.h"

/*
 * Locks, each taken before those below it:
 *
 *	node.latch      where a file's data is (upper or lower), the names of what is no directory
 *	overlay.shape   names and parents of directories; shared while a path is walked, exclusive
 *	                while a directory gets another name or loses it
 *	the tables      (node.c, place.c, listing.c): never held while anything else is waited for
 *
 * Two latches are taken by latch_lock_two.
 */

/* One directory of the union. layers[0] is the upper, where there is one. */
struct layer {
	int fd; /* O_PATH */
	dev_t dev;
	uint16_t device; /* which of the different file systems: 0 is that of layers[0] */
	bool is_upper;
	bool has_whiteout_files; /* ".wh." names may be in there */
	bool is_idmapped;        /* its mount shows owners as the union shall: see attr_unshift */
	bool has_redirects;      /* directories may say where the layers below have them */
};

/* How deletions are written to the upper. */
enum whiteout_form {
	WHITEOUT_DEVICE,
	WHITEOUT_ATTRIBUTE,
	WHITEOUT_DOT_FILE,
};

struct handle;
struct places;
struct listings;
struct table;

struct overlay {
	const struct options *options;
	struct layer *layers;
	uint16_t layer_count;
	uint16_t device_count;
	bool has_upper;
	bool can_rename_whiteout; /* renameat2 RENAME_WHITEOUT */
	enum whiteout_form whiteouts;
	enum xattr_permissions permissions; /* in which attribute owners and modes are */
	const char *xattr_prefix;  /* "trusted.overlay." or "user.overlay.", or NULL: none can be set */
	int work_fd;               /* where what is made waits until it is whole; -1 without upper */
	int claims[2];             /* upper and work directory: nobody else may write there */
	_Atomic uint64_t work_seq; /* for names in there */
	struct latch whiteout_latch; /* while the shared whiteout is made */
	_Atomic bool has_origins;  /* files in the upper may say what number they had below */
	pthread_rwlock_t shape;
	struct node *root;
	struct table *table;
	struct places *places;
	struct listings *listings;
	struct latch handles_latch;
	struct handle *handles;
};

static inline struct layer *overlay_upper(struct overlay *overlay)
{
	return overlay->has_upper ? &overlay->layers[0] : NULL;
}

#endif
