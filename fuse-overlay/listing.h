/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_LISTING_H
#define FUSE_OVERLAY_LISTING_H

#include "fuse-overlay/node.h"

/* The last directories that were read, for a reader asks in pieces. */
struct listings *listings_new(void);
void listings_free(struct listings *listings);

/* Whether the merged directory shows nothing. 1, 0 or -errno. */
int listing_is_empty(struct overlay *overlay, struct node *node);

/* How many directories are in a directory, which is remembered with it; or -errno. */
int listing_count_dirs(struct overlay *overlay, struct node *node);

#endif
