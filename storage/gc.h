/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_GC_H
#define STORAGE_GC_H

#include <stdint.h>

#include "common/err.h"
#include "storage/store.h"

/*
 * Removal. Rows go first, in one durable transaction; then the files. What a
 * living process has in its lease stays, and so does the image of a container or a
 * mount. Works on a full disk.
 */
struct prune_result {
	uint64_t cache_entries;
	uint64_t images; /* nameless ones */
	uint64_t layers;
	uint64_t blobs;
	uint64_t cache_mounts; /* that no step uses just now */
	uint64_t bytes; /* content of the layers, size of the blobs and of what was fetched */
};

/* Forget the build cache and the directories of cache mounts; remove all that no name leads to. */
int store_prune(struct store *store, struct prune_result *out, struct err *err);

#endif
