/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_USAGE_H
#define STORAGE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strlist.h"
#include "storage/store.h"

/*
 * What the store takes on its disk: blocks, directories included, a file with several names
 * once. The parts add up to the total, which is what du(1) says of the directory. Extents
 * that files share (reflinks) are counted for each: the file system does not tell.
 */
struct usage_image {
	struct digest id;
	struct strlist names;  /* familiar form */
	uint64_t own_bytes;    /* layers and blobs that no other image has */
	uint64_t shared_bytes; /* those that others have too */
};

struct usage {
	struct usage_image *images; /* the newest first */
	size_t count;

	uint64_t own_bytes;        /* of all images together */
	uint64_t shared_bytes;     /* what several images have, once */
	uint64_t cache_bytes;      /* layers and blobs of no image: the build cache's */
	uint64_t container_bytes;  /* what containers have written */
	uint64_t cachemount_bytes; /* RUN --mount=type=cache */
	uint64_t fetched_bytes;    /* cache/: what was fetched from URLs, compiled filters */
	uint64_t database_bytes;
	uint64_t temporary_bytes; /* half-made things */
	uint64_t other_bytes;     /* the directories themselves, and what is kept back */
	uint64_t total_bytes;
};
#define USAGE_INIT             \
	{                      \
		.images = NULL \
	}
#define auto_usage __attribute__((cleanup(usage_release)))
void usage_release(struct usage *usage);

/* Looks at every file. What comes and goes meanwhile may be counted or not. */
int usage_load(struct store *store, struct usage *out, struct err *err);

/* What the directory of one layer takes; 0 when there is none. */
int usage_layer(struct store *store, const struct digest *id, uint64_t *out_bytes, struct err *err);

#endif
