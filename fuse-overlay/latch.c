/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for locks that are small. The word is 0 when free, 1 when held, 2 when held and
 * somebody may be asleep in the kernel; only the last costs a system call at the release.
 */
#include "fuse-overlay/latch.h"

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LATCH_FREE, LATCH_HELD, LATCH_AWAITED };

static void futex(struct latch *latch, int op, unsigned int value)
{
	syscall(SYS_futex, &latch->state, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void latch_lock(struct latch *latch)
{
	unsigned int seen = LATCH_FREE;

	if (atomic_compare_exchange_strong_explicit(&latch->state, &seen, LATCH_HELD,
						    memory_order_acquire, memory_order_relaxed))
		return;
	while (atomic_exchange_explicit(&latch->state, LATCH_AWAITED, memory_order_acquire) !=
	       LATCH_FREE)
		futex(latch, FUTEX_WAIT, LATCH_AWAITED);
}

void latch_unlock(struct latch *latch)
{
	if (atomic_exchange_explicit(&latch->state, LATCH_FREE, memory_order_release) ==
	    LATCH_AWAITED)
		futex(latch, FUTEX_WAKE, 1);
}

void latch_lock_two(struct latch *a, struct latch *b)
{
	struct latch *first = b && (uintptr_t)b < (uintptr_t)a ? b : a;
	struct latch *second = first == a ? b : a;

	latch_lock(first);
	if (second && second != first)
		latch_lock(second);
}

void latch_unlock_two(struct latch *a, struct latch *b)
{
	latch_unlock(a);
	if (b && b != a)
		latch_unlock(b);
}
