/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_MOUNT_H
#define STORAGE_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/idmap.h"
#include "storage/image.h"
#include "storage/layer.h"
#include "storage/store.h"

/*
 * Layers put together as one tree. The result is a detached mount (fsmount(2),
 * open_tree(2), Linux 5.2; lowerdir+ 6.8): a descriptor below which names are
 * resolved like in any directory. Nothing appears in any mount table, so nothing
 * is left when the process dies; closing the descriptor unmounts.
 */
struct mount_request {
	const int *lowers; /* fs directories, lowest first; may be none */
	size_t lower_count;
	int upper_fd; /* -1: read-only view */
	int work_fd;  /* beside the upper on the same file system */
	/*
	 * mount_collect: names in the root, ended by NULL, or NULL. What was written below them
	 * would not have been the upper's had something been mounted there: it is left out.
	 */
	const char *const *covered;
	const struct mount_owners *owners; /* NULL: as on disk */
	const int *
		lasting_fd; /* a view of plain directories goes into this one; NULL: where it may */
};

/*
 * For processes of another user namespace: files show the owners that they have there, so that what
 * is 0 in the image is its root; on disk all stays, and becomes, as it is in the image. By the
 * overlay driver for root of the host alone, by the fuse driver for all but those who know one id.
 * Ids that the namespace does not have show as nobody's, and nothing can be made in the union by
 * who has none in it.
 */
struct mount_owners {
	int userns_fd;            /* common/idmap.h */
	const struct idmap *uids; /* what the namespace was made with; borrowed */
	const struct idmap *gids;
	uid_t root_uid; /* what its 0 is outside */
	gid_t root_gid;
};

/*
 * The process's driver is one that takes such owners from here on, where the host has one and
 * nobody has named another.
 */
int mount_choose_for_owners(struct store *store, struct err *err);

/*
 * What is made in such a union by its maker is made by this thread as root of that namespace, in
 * between these two. NULL: nothing is to be done.
 */
int mount_owners_become(const struct mount_owners *owners, struct err *err);
void mount_owners_unbecome(const struct mount_owners *owners);

#define MOUNT_LOWERS_MAX 500 /* of the kernel's overlayfs */

/*
 * Build uppers are mounted with redirect_dir=nofollow, metacopy=off, index=off, xino=off,
 * volatile (and userxattr in a user namespace), so that no overlay feature leaks
 * into a layer. ERR_SYSTEM names the option that the kernel refused.
 *
 * In an overlay the topmost root directory's metadata wins, an empty upper's too:
 * give a new upper's root the mode, owner, times and attributes of the merged lower
 * view (entry_copy_metadata) before mounting it.
 *
 * What lies below a layer whose root is marked opaque does not show. The root of a
 * read-only view is what the topmost layer with an entry for it says.
 *
 * A single layer without an upper is an overlay over an empty directory all the
 * same: marks of deletions in it do not show then.
 */
int mount_layers(struct store *store, const struct mount_request *request, struct err *err);

/* Attach a detached mount at @target (a directory) of the caller's mount namespace. */
int mount_attach(int mount_fd, const char *target, bool read_only, struct err *err);

/* Open all layers of a chain, lowest first, into @out_fds (count of them; closed by the caller). */
int mount_open_layers(struct store *store, const struct layer *layers, size_t count, int *out_fds,
		      struct err *err);

/* A chain as one read-only tree: opened, put together, closed again. A detached mount, or -1. */
int mount_view(struct store *store, const struct layer *layers, size_t count, struct err *err);
/* The same with @owners, which may be NULL. */
int mount_view_for(struct store *store, const struct layer *layers, size_t count,
		   const struct mount_owners *owners, struct err *err);

/*
 * After the last use of a mount with an upper, when its descriptor is closed everywhere: whatever
 * was written is in the upper afterwards. Who throws the upper away need not ask for it.
 */
int mount_collect(struct store *store, const struct mount_request *request, struct err *err);

/* For mount_request.covered: where something is mounted for steps and containers. NULL: it is. */
const char *const *mount_covered(void);

/*
 * The same for a mount that another process made, by whatever driver, and whose end nobody has
 * seen, perhaps: what lies in the work directory yet goes into the upper. Nobody uses the mount
 * any more. Nothing there is success.
 */
int mount_recover(struct store *store, int upper_fd, int work_fd, struct err *err);

/*
 * Which driver puts layers together: "overlay" (the kernel's overlayfs), "overlay-mount"
 * (the same on older kernels), "fuse" (our own daemon)
 * or "copy" (plain directories, for places where neither can be used). The first one that the host
 * can is taken, probed once per process and boot, unless $IMGBUILD_STORAGE_DRIVER or this call,
 * before any mount, names one: ERR_USAGE for a name that is none.
 */
int mount_choose_driver(struct store *store, const char *name, struct err *err);

/* The drivers, best first, for people. */
struct mount_ability {
	const char *driver;
	bool is_used;
	bool is_possible;
	char reason[256]; /* why not, or what it is */
};
#define MOUNT_DRIVER_COUNT 4
void mount_probe(struct store *store, struct mount_ability out[MOUNT_DRIVER_COUNT]);

#endif
