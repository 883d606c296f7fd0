/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node has its place in one of some dozen sets, each with a latch and room for a few: the one
 * that was not used for the longest time makes room.
 */
#include "fuse-overlay/kept.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/mem.h"
#include "fuse-overlay/latch.h"

#define SETS 64
#define WAYS 4

struct slot {
	const struct node *node;
	struct handle *handle; /* NULL: free */
	bool can_write;
	uint64_t used;
};

struct set {
	struct latch latch;
	uint64_t clock;
	struct slot slots[WAYS];
};

struct kept {
	struct set sets[SETS];
};

struct kept *kept_new(void)
{
	return mem_alloc(sizeof(struct kept));
}

void kept_free(struct kept *kept, struct overlay *overlay)
{
	for (size_t i = 0; kept && i < SETS; i++)
		for (size_t k = 0; k < WAYS; k++)
			if (kept->sets[i].slots[k].handle)
				overlay_file_close(overlay, kept->sets[i].slots[k].handle);
	free(kept);
}

static struct set *set_of(struct kept *kept, const struct node *node)
{
	/* nodes lie some hundred bytes apart */
	return &kept->sets[((uintptr_t)node * 0x9E3779B97F4A7C15u) >> 32 & (SETS - 1)];
}

static struct slot *slot_of(struct set *set, const struct node *node)
{
	for (size_t i = 0; i < WAYS; i++)
		if (set->slots[i].handle && set->slots[i].node == node)
			return &set->slots[i];
	return NULL;
}

static struct slot *slot_for(struct set *set, const struct node *node)
{
	struct slot *slot = slot_of(set, node);

	for (size_t i = 0; !slot && i < WAYS; i++)
		if (!set->slots[i].handle)
			return &set->slots[i];
	if (slot)
		return slot;
	slot = &set->slots[0];
	for (size_t i = 1; i < WAYS; i++)
		if (set->slots[i].used < slot->used)
			slot = &set->slots[i];
	return slot;
}

/* Takes the handle over; one that can write is not replaced by one that cannot. */
static void put(struct kept *kept, struct overlay *overlay, const struct slot *what)
{
	struct set *set = set_of(kept, what->node);
	struct handle *out_of_use = what->handle;
	struct slot *slot;

	latch_lock(&set->latch);
	slot = slot_for(set, what->node);
	if (!slot->handle || slot->node != what->node || what->can_write || !slot->can_write) {
		out_of_use = slot->handle;
		*slot = *what;
		slot->used = ++set->clock;
	}
	latch_unlock(&set->latch);
	if (out_of_use)
		overlay_file_close(overlay, out_of_use);
}

int kept_take(struct kept *kept, struct overlay *overlay, struct node *node, bool to_write,
	      struct handle **out)
{
	static const struct caller nobody;
	struct set *set = set_of(kept, node);
	struct slot made = { .node = node, .can_write = to_write };
	struct slot *slot;
	int r;

	latch_lock(&set->latch);
	slot = slot_of(set, node);
	if (slot && (slot->can_write || !to_write)) {
		slot->used = ++set->clock;
		*out = slot->handle;
		overlay_file_hold(*out);
		latch_unlock(&set->latch);
		return 0;
	}
	latch_unlock(&set->latch);
	r = overlay_file_open(overlay, &nobody, node, to_write ? O_RDWR : O_RDONLY, &made.handle);
	if (r < 0)
		return r;
	*out = made.handle;
	overlay_file_hold(made.handle);
	put(kept, overlay, &made);
	return 0;
}

void kept_give(struct kept *kept, struct overlay *overlay, struct node *node, struct handle *handle)
{
	const struct slot given = { .node = node, .handle = handle, .can_write = true };

	put(kept, overlay, &given);
}

void kept_drop(struct kept *kept, struct overlay *overlay, struct node *node)
{
	struct set *set = set_of(kept, node);
	struct handle *handle = NULL;
	struct slot *slot;

	latch_lock(&set->latch);
	slot = slot_of(set, node);
	if (slot) {
		handle = slot->handle;
		*slot = (struct slot){ 0 };
	}
	latch_unlock(&set->latch);
	if (handle)
		overlay_file_close(overlay, handle);
}
