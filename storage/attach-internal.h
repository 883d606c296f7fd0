/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_ATTACH_INTERNAL_H
#define STORAGE_ATTACH_INTERNAL_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strlist.h"
#include "storage/store.h"

/*
 * Mounts that outlive the command which made them (imgstore mount). A row keeps
 * the image, and the container, from being removed as long as the mount is there: it is
 * looked at when it is in our mount namespace, else the namespace must still have a
 * process.
 */
struct attachment {
	int mount_fd;     /* -1: the files are at @path already, nothing can be mounted */
	const char *path; /* a directory */
	bool is_read_only;
	const struct digest *image;
	const char *container; /* its ID; NULL: an image's mount */
};
/* Mount it there, with its row: there is no moment at which it is there without. */
int attach_mount(struct store *store, const struct attachment *attachment, struct err *err);
int attach_forget(struct store *store, const char *path, struct err *err);
/* Where a container is mounted, in whatever mount namespace; *out: NULL when it is not. */
int attach_of_container(struct store *store, const char *id, char **out, struct err *err);
/* The same in this one, all places. */
int attach_container_paths(struct store *store, const char *id, struct strlist *out,
			   struct err *err);
/* Whose mount is recorded at @path in this mount namespace? *out: a container's ID, or NULL. */
int attach_container_at(struct store *store, const char *path, char **out, struct err *err);
/* Where an image, or one of an index, is mounted in this mount namespace. */
int attach_paths(struct store *store, const struct digest *image, struct strlist *out,
		 struct err *err);
/* Is @path recorded in this mount namespace? */
int attach_is_known(struct store *store, const char *path, bool *out, struct err *err);
/* Remove the rows of mounts that are gone. */
int attach_sweep(struct store *store, struct err *err);

#endif
