/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_VIEW_INTERNAL_H
#define STORAGE_VIEW_INTERNAL_H

#include "common/err.h"
#include "storage/image.h"
#include "storage/mount.h"
#include "storage/store.h"

/*
 * An image's files for longer than the command that shows them. Most drivers' mounts go on by
 * themselves; where layers are put together as plain directories, one of an image stays here as
 * long as there is a row of a mount of it (attach-internal.h):
 *
 *   views/links-DIGEST   to be mounted read-only: its files are further names of the layers'
 *   views/copy-DIGEST    where nothing can be mounted: to be looked at where it lies
 *
 * The lock of the directory is held from making one until the row is written, and while those
 * without a row are removed.
 */
struct view {
	int mount_fd; /* -1: nothing can be mounted, the files are at @path */
	char *path;   /* or NULL */
	int lock_fd;
};
#define VIEW_INIT                             \
	{                                     \
		.mount_fd = -1, .lock_fd = -1 \
	}
#define auto_view __attribute__((cleanup(view_release)))
void view_release(struct view *view);

int view_open(struct store *store, const struct image *image, const struct mount_owners *owners,
	      struct view *out, struct err *err);

/* Is @path one of views/? */
bool view_is_at(const struct store *store, const char *path);

/* Remove those that are mounted no more; none while somebody else has the lock. */
int view_sweep(struct store *store, struct err *err);

#endif
