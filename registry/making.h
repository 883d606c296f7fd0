/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_MAKING_H
#define REGISTRY_MAKING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "storage/layer.h"

/*
 * The blob of a layer that is compressed in a thread of its own, while its beginning can be
 * read already: a layer is sent while it is made.
 */
struct making;

/*
 * Where blobs are made: as many at a time as there are processors. Each takes memory, and is made
 * by several threads already.
 */
struct workshop {
	pthread_mutex_t lock; /* protects what follows */
	pthread_cond_t left;
	unsigned places; /* that are free */
};
void workshop_init(struct workshop *workshop);
void workshop_release(struct workshop *workshop);

/* @workshop: borrowed until making_free. */
int making_start(struct store *store, struct workshop *workshop, const struct layer *layer,
		 enum codec codec, int level, struct making **out, struct err *err);
/* Stops the work when it is not done, and waits for the thread. */
void making_free(struct making *making);
#define auto_making __attribute__((cleanup(making_auto_free)))
void making_auto_free(struct making **making);

/* Wait until @wanted_bytes can be read, or all is made. -1: what the work failed for. */
int making_wait(struct making *making, uint64_t wanted_bytes, uint64_t *out_bytes, bool *out_is_all,
		struct err *err);

/* Borrowed, for pread(2): once some bytes, or all, are there. */
int making_fd(struct making *making);
/* Once all is there. */
const struct layer_blob *making_blob(const struct making *making);

#endif
