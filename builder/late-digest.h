/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LATE_DIGEST_H
#define BUILDER_LATE_DIGEST_H

#include <sys/stat.h>

#include "builder/select.h"
#include "common/err.h"

/*
 * Digests of large files, made in a thread while others are copied and the layer is packed: the
 * content is then hashed by two processors at once, for the cache key and for the layer. What is
 * read is the copy, so the digest is that of what is in the layer, whatever becomes of the source.
 */
struct late_digests;

#define LATE_DIGEST_MIN_BYTES ((off_t)4 * 1024 * 1024)

struct late_digests *late_digests_new(void);
/* Stops what is under way. */
void late_digests_free(struct late_digests *late); /* NULL is fine */
#define auto_late_digests __attribute__((cleanup(late_digests_auto_free)))
static inline void late_digests_auto_free(struct late_digests **late)
{
	late_digests_free(*late);
}

/*
 * @copy_fd, a complete copy of @item, whose source had @st before it was read; duplicated. Waits
 * while many are in the making. Borrows @tree until late_digests_finish. @original_fd, or -1, is
 * read in its place as long as it does not change (see originals.h); duplicated too.
 */
int late_digests_add(struct late_digests *late, const struct select_tree *tree,
		     const struct select_item *item, int copy_fd, int original_fd,
		     const struct stat *st, struct err *err);

/* Wait for all, and note them in @selection, which has the items. */
int late_digests_finish(struct late_digests *late, struct selection *selection, struct err *err);

#endif
