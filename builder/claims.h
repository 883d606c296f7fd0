/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CLAIMS_H
#define BUILDER_CLAIMS_H

#include <pthread.h>
#include <stddef.h>

#include "common/digest.h"

/*
 * Which results are being made at this moment. Two stages that begin with the same steps
 * ask for the same keys: whoever comes first makes the result, the other one waits and
 * then finds it, as it would if the stages ran one after the other.
 *
 * An owner may hold several keys, and waits for one while it holds others; that never
 * ends in a circle as long as all owners take keys of different kinds in the same order
 * of kinds.
 */
struct claim {
	struct digest key;
	const void *owner;
};

struct claims {
	pthread_mutex_t lock; /* protects all below; taken last */
	pthread_cond_t dropped;
	struct claim *items;
	size_t count;
};

void claims_init(struct claims *claims);
void claims_release(struct claims *claims);

/* Wait until nobody else holds @key, and hold it. It may be held already by this owner. */
void claims_take(struct claims *claims, const struct digest *key, const void *owner);
/* All that @owner holds. */
void claims_drop(struct claims *claims, const void *owner);

#endif
