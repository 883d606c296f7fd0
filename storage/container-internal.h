/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CONTAINER_INTERNAL_H
#define STORAGE_CONTAINER_INTERNAL_H

#include "common/err.h"
#include "storage/container.h"
#include "storage/store.h"

/* A stopped one, mounted or not, by name or unique ID prefix: locked, with its row, without files.
 */
int container_lock(struct store *store, const char *text, struct container *out, struct err *err);
/* Of one that is locked: fs and work, the second made when it is gone. */
int container_open_files(struct container *container, struct err *err);
/* ERR_INPUT when it is mounted somewhere. */
int container_check_unmounted(struct store *store, const struct container *container,
			      struct err *err);

#endif
