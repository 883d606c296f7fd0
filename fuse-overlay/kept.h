/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_KEPT_H
#define FUSE_OVERLAY_KEPT_H

#include <stdbool.h>

#include "fuse-overlay/overlay.h"

/*
 * Files that stay open for a while, by their node: for a kernel that does not tell when a file is
 * opened and closed, so that each read and write could be the only one. A bounded number of
 * descriptors, whatever is in use. Any number of threads.
 */
struct kept;

struct kept *kept_new(void);
/* Closes them all; nobody else may be using it. */
void kept_free(struct kept *kept, struct overlay *overlay);

/*
 * The handle of @node, held for the caller, who closes it (overlay_file_close). @to_write makes
 * it a file of the upper that can be read and written. 0 or -errno.
 */
int kept_take(struct kept *kept, struct overlay *overlay, struct node *node, bool to_write,
	      struct handle **out);

/* A handle that can be read and written and is no longer needed by the caller. */
void kept_give(struct kept *kept, struct overlay *overlay, struct node *node,
	       struct handle *handle);

/* The kernel has forgotten @node: its file, which may be deleted, must not stay open. */
void kept_drop(struct kept *kept, struct overlay *overlay, struct node *node);

#endif
