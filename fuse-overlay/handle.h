/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_HANDLE_H
#define FUSE_OVERLAY_HANDLE_H

#include "fuse-overlay/node.h"

/* A file that is open. */
struct handle {
	_Atomic unsigned int holds;
	struct node *node; /* held */
	int flags;         /* of open, without those that only the opening itself is about */
	_Atomic int fd;
	_Atomic bool is_upper; /* false: of a lower layer, and stale once the node is copied up */
	int stale_fd;          /* the one before, which somebody may still be using */
	bool is_direct;        /* the kernel reads and writes the file below itself */
	struct handle *next;   /* of all that are open; under the overlay's handles_latch */
	struct handle **at;    /* what points at this one */
};

/* Takes @fd. Holds the node once more. */
struct handle *handle_new(struct overlay *overlay, struct node *node, int fd, int flags);
/* At the end: those that the kernel still had, when it was the connection that ended. */
void handles_free(struct overlay *overlay);

#endif
