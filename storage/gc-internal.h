/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_GC_INTERNAL_H
#define STORAGE_GC_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "storage/store-internal.h"

/*
 * What removing one image and removing everything unneeded have in common. All but
 * gc_discard_files is called in a transaction.
 */
struct digests {
	struct digest *items;
	size_t count;
};
#define auto_digests __attribute__((cleanup(digests_release)))
void digests_release(struct digests *list);
void digests_add(struct digests *list, const struct digest *digest);

/* What lost its row and must lose its files. */
struct garbage {
	struct digests layers;
	struct digests blobs;
	uint64_t bytes;
};
#define auto_garbage __attribute__((cleanup(garbage_release)))
void garbage_release(struct garbage *garbage);

/* Run a query about @about, which is bound when not NULL. */
int gc_run(struct store *store, const char *sql, const struct digest *about, struct err *err);
/* Append the first column of all rows; @about is bound when not NULL. */
int gc_select(struct store *store, const char *sql, const struct digest *about, struct digests *out,
	      struct err *err);
/* Are there rows? */
int gc_exists(struct store *store, const char *sql, const struct digest *about, bool *out,
	      struct err *err);

/* Of @candidates, those that nothing needs. */
int gc_drop_layers(struct store *store, const struct digests *candidates, struct garbage *garbage,
		   struct err *err);
int gc_drop_blobs(struct store *store, const struct digests *candidates, struct garbage *garbage,
		  struct err *err);
/* The rows of one. */
int gc_drop_image(struct store *store, const struct digest *id, struct err *err);
int gc_drop_index(struct store *store, const struct digest *id, struct err *err);
/* An image, and what of its layers and blobs nothing else needs; not its names. */
int gc_drop_all_of(struct store *store, const struct digest *id, struct garbage *garbage,
		   struct err *err);

/* Take the files away, unless somebody published the same again meanwhile. */
int gc_discard_files(struct store *store, const struct garbage *garbage, int gone_fd,
		     struct err *err);

#endif
