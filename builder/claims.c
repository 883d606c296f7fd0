/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for no result being made by two stages of a build at the same time. That
 * the result is then found is the step cache's.
 */
#include "builder/claims.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

void claims_init(struct claims *claims)
{
	*claims = (struct claims){ .items = NULL };
	pthread_mutex_init(&claims->lock, NULL);
	pthread_cond_init(&claims->dropped, NULL);
}

void claims_release(struct claims *claims)
{
	assert(claims->count == 0);
	free(claims->items);
	pthread_cond_destroy(&claims->dropped);
	pthread_mutex_destroy(&claims->lock);
}

static const struct claim *find(const struct claims *claims, const struct digest *key)
{
	for (size_t i = 0; i < claims->count; i++)
		if (digest_equal(&claims->items[i].key, key))
			return &claims->items[i];
	return NULL;
}

void claims_take(struct claims *claims, const struct digest *key, const void *owner)
{
	const struct claim *held;

	pthread_mutex_lock(&claims->lock);
	while ((held = find(claims, key)) && held->owner != owner)
		pthread_cond_wait(&claims->dropped, &claims->lock);
	if (!held) {
		claims->items = mem_resize(claims->items, claims->count + 1, sizeof(struct claim));
		claims->items[claims->count++] = (struct claim){ .key = *key, .owner = owner };
	}
	pthread_mutex_unlock(&claims->lock);
}

void claims_drop(struct claims *claims, const void *owner)
{
	size_t kept = 0;

	pthread_mutex_lock(&claims->lock);
	for (size_t i = 0; i < claims->count; i++)
		if (claims->items[i].owner != owner)
			claims->items[kept++] = claims->items[i];
	claims->count = kept;
	pthread_cond_broadcast(&claims->dropped);
	pthread_mutex_unlock(&claims->lock);
}
