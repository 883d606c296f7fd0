/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_LATCH_H
#define FUSE_OVERLAY_LATCH_H

#include <stdatomic.h>

/*
 * A lock of four bytes, for there is one in each node and a tree has millions of nodes. Who has to
 * wait sleeps. Not recursive. All zero is unlocked; needs no release.
 */
struct latch {
	_Atomic unsigned int state;
};

void latch_lock(struct latch *latch);
void latch_unlock(struct latch *latch);

/* Both, whatever the order in which others name them. The second may be NULL or the first. */
void latch_lock_two(struct latch *a, struct latch *b);
void latch_unlock_two(struct latch *a, struct latch *b);

/* Held to the end of the scope: auto_latch struct latch *held = latch_hold(&node->latch); */
#define auto_latch __attribute__((cleanup(latch_auto_unlock)))
static inline struct latch *latch_hold(struct latch *latch)
{
	latch_lock(latch);
	return latch;
}
static inline void latch_auto_unlock(struct latch **held)
{
	if (*held)
		latch_unlock(*held);
}

#endif
