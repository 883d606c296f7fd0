/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_FETCHED_H
#define STORAGE_FETCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "storage/store.h"

/*
 * What builds fetched from URLs, with what the server said to know it again by. Lies in
 * the store's cache/ until a prune:
 *
 *   cache/fetched-<SHA-256 of the URL>   JSON, the fields below and the name of the body
 *   cache/fetched-<random>               the body
 *
 * Two builds that fetch the same URL at the same time both succeed; one of them is remembered.
 * The caller asks the server whether it is still right.
 */
struct fetched {
	char *etag;          /* or NULL */
	char *last_modified; /* as the server wrote it, or NULL */
	char *filename;      /* that the server suggested, or NULL */
	int64_t mtime;
	struct digest digest;
	uint64_t size_bytes;
};

#define auto_fetched __attribute__((cleanup(fetched_release)))
void fetched_release(struct fetched *fetched);

/* When @url is known, its body is linked as @name into @dir_fd, which is of the same store. */
int fetched_find(struct store *store, const char *url, int dir_fd, const char *name,
		 bool *out_found, struct fetched *out, struct err *err);

/* Remember the body @name in @dir_fd. It is synced first. */
int fetched_put(struct store *store, const char *url, const struct fetched *fetched, int dir_fd,
		const char *name, struct err *err);

/* Forget all that is older; *out_bytes is what the bodies held. @is_dry: only count. */
int fetched_forget(struct store *store, int64_t until_epoch, bool is_dry, uint64_t *out_bytes,
		   struct err *err);

#endif
