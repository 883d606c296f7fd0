/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for bringing all layers of an image: several at a time, each by a thread, the largest
 * first. One that waits for those below it is brought by whoever brought the last of them.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/crew.h"
#include "common/mem.h"
#include "registry/pull-internal.h"

#define THREADS_MAX 16
#define WORKERS_MAX 4 /* where nothing is waited for */

enum progress { LAYER_TO_COME, LAYER_PUT_OFF, LAYER_THERE };

struct layer_work {
	struct pull *pull;
	size_t *order;
	pthread_mutex_t lock; /* protects what follows */
	enum progress *layers;
};

static void note_progress(struct layer_work *work, size_t position, enum progress progress)
{
	pthread_mutex_lock(&work->lock);
	work->layers[position] = progress;
	pthread_mutex_unlock(&work->lock);
}

/* The lowest layer that is not there, if it was put off: it is the caller's now. */
static bool take_put_off(struct layer_work *work, size_t *out)
{
	bool is_put_off;
	size_t i = 0;

	pthread_mutex_lock(&work->lock);
	while (i < work->pull->manifest.layer_count && work->layers[i] == LAYER_THERE)
		i++;
	is_put_off = i < work->pull->manifest.layer_count && work->layers[i] == LAYER_PUT_OFF;
	if (is_put_off)
		work->layers[i] = LAYER_TO_COME;
	pthread_mutex_unlock(&work->lock);
	*out = i;
	return is_put_off;
}

/* And those that waited for it alone. */
static int pull_next(void *context, size_t index, struct err *err)
{
	struct layer_work *work = context;
	size_t position = work->order[index];
	bool is_put_off = false;

	if (pull_layer(work->pull, position, &is_put_off, err) < 0)
		return -1;
	note_progress(work, position, is_put_off ? LAYER_PUT_OFF : LAYER_THERE);
	while (take_put_off(work, &position)) {
		if (pull_onto_below(work->pull, position, err) < 0)
			return -1;
		note_progress(work, position, LAYER_THERE);
	}
	return 0;
}

static int by_size(const void *a, const void *b, void *context)
{
	const struct descriptor *layers = context;
	const size_t *x = a;
	const size_t *y = b;

	if (layers[*x].size_bytes != layers[*y].size_bytes)
		return layers[*x].size_bytes > layers[*y].size_bytes ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

/* The largest first: at the end nobody waits for a large one that was begun last. */
static size_t *make_order(const struct pull *pull)
{
	size_t count = pull->manifest.layer_count;
	size_t *order = mem_array(count + 1, sizeof(*order));

	for (size_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), by_size, pull->manifest.layers);
	return order;
}

static size_t thread_count(unsigned jobs, size_t layers)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count = processors > 1 ? (size_t)processors : 1;

	count = count < WORKERS_MAX ? count : WORKERS_MAX;
	if (jobs > 0)
		count = jobs < THREADS_MAX ? jobs : THREADS_MAX;
	return count < layers ? count : layers;
}

int pull_layers(struct pull *pull, struct err *err)
{
	auto_free size_t *order = make_order(pull);
	const size_t count = pull->manifest.layer_count;
	auto_free enum progress *layers = mem_array(count + 1, sizeof(*layers));
	struct layer_work work = {
		.pull = pull,
		.order = order,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.layers = layers,
	};

	return crew_run(count, thread_count(pull->reader->jobs, count), pull_next, &work, err);
}
