/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_GC_H
#define STORAGE_GC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strlist.h"
#include "storage/store.h"

/*
 * Removal. Rows go first, in one durable transaction; then the files. What a
 * living process has in its lease stays, and so does the image of a container or a
 * mount. Works on a full disk.
 */
struct prune_options {
	bool all;    /* also images that have a name, when no container or mount uses them */
	bool is_dry; /* only find out what would go */
	bool has_until;
	int64_t until_epoch; /* only what is older */
	/*
	 * Of the build cache only the oldest, until no more than this is left, or until so much is
	 * free on the disk: results of steps, then what was fetched, then cache mounts.
	 */
	bool has_keep;
	uint64_t keep_bytes;
	bool has_free;
	uint64_t free_bytes;
};

struct prune_result {
	uint64_t cache_entries;
	uint64_t images;
	uint64_t layers;
	uint64_t blobs;
	uint64_t cache_mounts; /* that no step uses just now */
	uint64_t bytes; /* content of the layers, size of the blobs and of what was fetched */
	struct strlist untagged; /* names taken away, canonical */
};
#define PRUNE_RESULT_INIT                \
	{                                \
		.untagged = STRLIST_INIT \
	}
#define auto_prune_result __attribute__((cleanup(prune_result_release)))
void prune_result_release(struct prune_result *result);

/* Forget the build cache and the directories of cache mounts; remove all that no name leads to. */
int store_prune(struct store *store, const struct prune_options *options, struct prune_result *out,
		struct err *err);

/*
 * Remove everything. ERR_INPUT, and nothing is done, while a container runs, an image is mounted
 * or another process uses anything.
 */
int store_reset(struct store *store, struct err *err);

#endif
