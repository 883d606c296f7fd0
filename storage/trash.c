/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for removing directories aside. What cannot be removed stays below
 * tmp/ for the next command's sweep, which tells about it.
 */
#include "storage/trash-internal.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/thread.h"

struct item {
	struct tmpdir tmp;
	struct item *next;
};

struct trash {
	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t changed;
	struct item *items; /* in no order */
	bool is_closing;
	bool has_worker;
	pthread_t worker;
};

static void *work(void *context)
{
	struct trash *trash = context;

	pthread_mutex_lock(&trash->lock);
	while (trash->items || !trash->is_closing) {
		struct item *item = trash->items;

		if (!item) {
			pthread_cond_wait(&trash->changed, &trash->lock);
			continue;
		}
		trash->items = item->next;
		pthread_mutex_unlock(&trash->lock);
		tmpdir_release(&item->tmp);
		free(item);
		pthread_mutex_lock(&trash->lock);
	}
	pthread_mutex_unlock(&trash->lock);
	return NULL;
}

struct trash *trash_new(void)
{
	struct trash *trash = mem_alloc(sizeof(*trash));

	pthread_mutex_init(&trash->lock, NULL);
	pthread_cond_init(&trash->changed, NULL);
	return trash;
}

void trash_free(struct trash *trash)
{
	if (!trash)
		return;
	pthread_mutex_lock(&trash->lock);
	trash->is_closing = true;
	pthread_cond_signal(&trash->changed);
	pthread_mutex_unlock(&trash->lock);
	if (trash->has_worker)
		pthread_join(trash->worker, NULL);
	pthread_cond_destroy(&trash->changed);
	pthread_mutex_destroy(&trash->lock);
	free(trash);
}

void trash_take(struct trash *trash, struct tmpdir *tmp)
{
	struct err ignored = ERR_INIT; /* without a worker the caller removes it himself */
	struct item *item;

	pthread_mutex_lock(&trash->lock);
	if (!trash->has_worker)
		trash->has_worker = thread_start(&trash->worker, work, trash, &ignored) == 0;
	if (trash->has_worker) {
		item = mem_alloc(sizeof(*item));
		item->tmp = *tmp;
		item->next = trash->items;
		trash->items = item;
		*tmp = (struct tmpdir)TMPDIR_INIT;
		pthread_cond_signal(&trash->changed);
	}
	pthread_mutex_unlock(&trash->lock);
	tmpdir_release(tmp);
}
