/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for doing several pieces of work at a time. */
#include "common/crew.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/thread.h"

struct crew {
	crew_fn fn;
	void *context;
	size_t count;
	pthread_mutex_t lock; /* protects all below */
	size_t next;
	bool has_failed;
	struct err err; /* of the first that failed */
};

static bool take_next(struct crew *crew, size_t *out_index)
{
	bool is_there;

	pthread_mutex_lock(&crew->lock);
	is_there = !crew->has_failed && crew->next < crew->count;
	if (is_there)
		*out_index = crew->next++;
	pthread_mutex_unlock(&crew->lock);
	return is_there;
}

static void *work(void *context)
{
	struct crew *crew = context;
	struct err err = ERR_INIT;
	size_t index;

	while (take_next(crew, &index)) {
		if (crew->fn(crew->context, index, &err) == 0)
			continue;
		pthread_mutex_lock(&crew->lock);
		if (!crew->has_failed)
			crew->err = err;
		crew->has_failed = true;
		pthread_mutex_unlock(&crew->lock);
	}
	return NULL;
}

int crew_run(size_t count, size_t threads, crew_fn fn, void *context, struct err *err)
{
	struct crew crew = {
		.fn = fn, .context = context, .count = count, .lock = PTHREAD_MUTEX_INITIALIZER
	};
	size_t wanted = threads < count ? threads : count;
	auto_free pthread_t *others = mem_array(wanted + 1, sizeof(*others));
	struct err ignored = ERR_INIT;
	size_t started = 0;

	while (started + 1 < wanted && thread_start(&others[started], work, &crew, &ignored) == 0)
		started++;
	work(&crew);
	for (size_t i = 0; i < started; i++)
		pthread_join(others[i], NULL);
	if (!crew.has_failed)
		return 0;
	*err = crew.err;
	return -1;
}
