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
 * the image from being removed as long as the mount is there: it is looked at
 * when it is in our mount namespace, else the namespace must still have a
 * process.
 */
int attach_record(struct store *store, const char *path, const struct digest *image,
		  struct err *err);
int attach_forget(struct store *store, const char *path, struct err *err);
/* Where an image, or one of an index, is mounted in this mount namespace. */
int attach_paths(struct store *store, const struct digest *image, struct strlist *out,
		 struct err *err);
/* Is @path recorded in this mount namespace? */
int attach_is_known(struct store *store, const char *path, bool *out, struct err *err);
/* Remove the rows of mounts that are gone. */
int attach_sweep(struct store *store, struct err *err);

#endif
