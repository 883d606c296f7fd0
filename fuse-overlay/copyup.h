/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_COPYUP_H
#define FUSE_OVERLAY_COPYUP_H

#include "fuse-overlay/node.h"

/*
 * Make sure that @node and the directories above it are in the upper. Of a file's content at
 * most @limit bytes are taken. What is half-made stays in the work directory until it is whole:
 * whenever we are killed, the upper shows the file either as it was or as it shall be. -EROFS without
 * an upper. Takes the latch; no latch is held.
 */
#define COPYUP_ALL UINT64_MAX
int copyup(struct overlay *overlay, struct node *node, uint64_t limit);

/* A name in the work directory that nobody has. */
#define WORK_NAME_MAX 32
const char *work_name(struct overlay *overlay, char *buf);

#endif
