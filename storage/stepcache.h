/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_STEPCACHE_H
#define STORAGE_STEPCACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/digest.h"
#include "common/err.h"
#include "storage/layer.h"
#include "storage/store.h"

/*
 * What builds remember. Step results: key → layer; only our own builds write
 * them, pulled images never do (CVE-2024-24557). A hit whose layer is gone is no hit.
 */
struct step_result {
	struct layer layer;
	int64_t created_ns; /* when the layer was made, since the epoch: for history, so that a
			       cached build gives the same image */
};
/* @parent_chain: of the layers below (NULL: none), to find the layer. */
int stepcache_find(struct store *store, const struct digest *key, const struct digest *parent_chain,
		   bool *out_found, struct step_result *out, struct err *err);
int stepcache_put(struct store *store, const struct digest *key, const struct step_result *result,
		  struct err *err);

/*
 * Digests of context files, by (device, inode, size, mtime, ctime): a file
 * whose stat is unchanged is not read again. A file changed less than two
 * seconds before it was digested is not remembered (same-second writes).
 */
int filecache_find(struct store *store, const struct stat *st, bool *out_found, struct digest *out,
		   struct err *err);
/* What a file is known by, and its digest once it is found. */
struct filecache_item {
	int64_t dev;
	int64_t ino;
	int64_t size_bytes;
	int64_t mtime_ns;
	int64_t ctime_ns;
	bool is_found;
	struct digest digest;
};
void filecache_item_init(struct filecache_item *item, const struct stat *st);
/* Look up many at once, in one transaction: is_found and digest of each. */
int filecache_find_many(struct store *store, struct filecache_item *items, size_t count,
			struct err *err);
int filecache_put(struct store *store, const struct stat *st, const struct digest *digest,
		  struct err *err); /* collected, written in one transaction by filecache_flush or
				       store_close */
int filecache_flush(struct store *store, struct err *err);

#endif
