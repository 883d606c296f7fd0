/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_DRIVER_INTERNAL_H
#define STORAGE_DRIVER_INTERNAL_H

#include "common/err.h"
#include "storage/mount.h"

/*
 * The ways of putting layers together, best first. A driver gets requests whose lowers are
 * those that show (mount.c has dropped the rest), and gives a detached mount.
 */
struct mount_driver {
	const char *name;
	/* Can this host do it? -1 with the reason. May try it out below tmp/ of the store. */
	int (*probe)(struct store *store, struct err *err);
	/* What the user reads of it where it is in use. */
	const char *description;
	size_t lowers_max;        /* 0: any number */
	bool is_lasting;          /* a mount goes on when the process that made it has ended */
	bool has_owners;          /* takes requests with owners, of root of the host */
	bool has_owners_of_users; /* of others, too */
	bool is_as_good;          /* as the first one: nobody need be told */
	bool needs_room;          /* makes things in the store, for a view to read, too */
	int (*mount)(struct store *store, const struct mount_request *request, struct err *err);
	/* See mount_collect; NULL: the upper has all at all times. */
	int (*collect)(struct store *store, const struct mount_request *request, struct err *err);
	/* See mount_recover; NULL: the upper has all, whoever was killed. */
	int (*recover)(struct store *store, const struct mount_request *request, struct err *err);
};

extern const struct mount_driver mount_driver_overlay;
extern const struct mount_driver mount_driver_overlay_mount;
extern const struct mount_driver mount_driver_fuse;
extern const struct mount_driver mount_driver_copy;

/* Daemons of the fuse driver, which end by themselves, are not ours to wait for any more. */
void fuse_forget_daemons(struct store *store);

/*
 * overlayfs wants one lower below an upper, and two where there is none. A single layer is not
 * shown as it lies on disk: it may hold marks of deletions (an image squashed by somebody) that
 * nobody must see. @two begins with an empty directory and becomes the list where that is needed.
 */
void overlay_fill_up(struct mount_request *request, int two[2]);
/* What an earlier volatile mount left in a work directory. */
int overlay_clear_volatile(int work_fd, struct err *err);

/* May owners be shown as others by this process, by @driver? ERR_INPUT. */
int mount_check_owners(const struct store *store, const struct mount_driver *driver,
		       struct err *err);

/* A detached view of one plain directory. */
int mount_directory(int dir_fd, bool is_read_only, struct err *err);

/* The one that this process uses; probed once. NULL: none can be used here. */
const struct mount_driver *mount_driver_get(struct store *store, struct err *err);

#endif
