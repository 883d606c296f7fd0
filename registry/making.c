/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for making a blob and reading it at the same time. */
#include "registry/making.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/thread.h"
#include "registry/interrupt.h"
#include "storage/blob.h"

#define LOOK_EVERY_MS 200L

struct making {
	struct store *store;
	struct workshop *workshop;
	struct layer layer;
	enum codec codec;
	int level;
	pthread_t thread;

	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t changed;
	int fd; /* of our own, for the maker's goes with the maker; -1: not yet */
	uint64_t bytes;
	bool is_all;
	bool has_failed;
	bool is_unwanted;
	struct layer_blob blob;
	struct err err;
};

/* ---- the workshop ---- */

void workshop_init(struct workshop *workshop)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);

	pthread_mutex_init(&workshop->lock, NULL);
	pthread_cond_init(&workshop->left, NULL);
	workshop->places = processors > 1 ? (unsigned)processors : 1;
}

void workshop_release(struct workshop *workshop)
{
	pthread_cond_destroy(&workshop->left);
	pthread_mutex_destroy(&workshop->lock);
}

static void enter(struct workshop *workshop)
{
	pthread_mutex_lock(&workshop->lock);
	while (workshop->places == 0)
		pthread_cond_wait(&workshop->left, &workshop->lock);
	workshop->places--;
	pthread_mutex_unlock(&workshop->lock);
}

static void leave(struct workshop *workshop)
{
	pthread_mutex_lock(&workshop->lock);
	workshop->places++;
	pthread_cond_signal(&workshop->left);
	pthread_mutex_unlock(&workshop->lock);
}

/* ---- one blob ---- */

/* Called with the lock. */
static int open_once(struct making *making, int fd, struct err *err)
{
	char path[FD_PATH_MAX];

	if (making->fd >= 0)
		return 0;
	making->fd = open(fd_path(fd, path), O_RDONLY | O_CLOEXEC);
	return making->fd < 0 ? err_sys(err, "open a blob in the making") : 0;
}

static int grown(void *context, int fd, uint64_t written_bytes, struct err *err)
{
	struct making *making = context;
	int result;

	pthread_mutex_lock(&making->lock);
	result = open_once(making, fd, err);
	if (result == 0 && making->is_unwanted)
		result = err_set(err, ERR_INTERRUPTED, "nobody wants the blob any more");
	making->bytes = written_bytes;
	pthread_cond_broadcast(&making->changed);
	pthread_mutex_unlock(&making->lock);
	return result;
}

/* A blob that somebody else had made. */
static int open_found(struct making *making, struct err *err)
{
	if (making->fd >= 0)
		return 0;
	making->fd = blob_open(making->store, &making->blob.digest, err);
	return making->fd < 0 ? -1 : 0;
}

static bool is_unwanted(struct making *making)
{
	bool is_unwanted;

	pthread_mutex_lock(&making->lock);
	is_unwanted = making->is_unwanted;
	pthread_mutex_unlock(&making->lock);
	return is_unwanted;
}

/* When a place is free: perhaps nobody wants it by then. */
static int make_in_turn(struct making *making, struct layer_blob *out, struct err *err)
{
	const struct layer_blob_watch watch = { grown, making };
	int result;

	enter(making->workshop);
	if (is_unwanted(making))
		result = err_set(err, ERR_INTERRUPTED, "nobody wants the blob any more");
	else
		result = layer_blob_make_watched(making->store, &making->layer, making->codec,
						 making->level, &watch, out, err);
	leave(making->workshop);
	return result;
}

static void *make(void *context)
{
	struct making *making = context;
	struct layer_blob blob;
	struct err err = ERR_INIT;
	int result = make_in_turn(making, &blob, &err);

	pthread_mutex_lock(&making->lock);
	if (result == 0) {
		making->blob = blob;
		making->bytes = blob.size_bytes;
		result = open_found(making, &err);
	}
	making->is_all = result == 0;
	making->has_failed = result < 0;
	making->err = err;
	pthread_cond_broadcast(&making->changed);
	pthread_mutex_unlock(&making->lock);
	return NULL;
}

int making_start(struct store *store, struct workshop *workshop, const struct layer *layer,
		 enum codec codec, int level, struct making **out, struct err *err)
{
	struct making *making = mem_alloc(sizeof(*making));

	*making = (struct making){
		.store = store,
		.workshop = workshop,
		.layer = *layer,
		.codec = codec,
		.level = level,
		.fd = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	if (thread_start(&making->thread, make, making, err) < 0) {
		free(making);
		return -1;
	}
	*out = making;
	return 0;
}

void making_free(struct making *making)
{
	if (!making)
		return;
	pthread_mutex_lock(&making->lock);
	making->is_unwanted = true;
	pthread_mutex_unlock(&making->lock);
	pthread_join(making->thread, NULL);
	fd_close(&making->fd);
	free(making);
}

void making_auto_free(struct making **making)
{
	making_free(*making);
	*making = NULL;
}

/* With the lock, for a while: a signal may wait to be seen. */
static void wait_a_little(struct making *making)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_EVERY_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_clockwait(&making->changed, &making->lock, CLOCK_MONOTONIC, &until);
}

int making_wait(struct making *making, uint64_t wanted_bytes, uint64_t *out_bytes, bool *out_is_all,
		struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&making->lock);
	while (result == 0 && !making->is_all && !making->has_failed &&
	       making->bytes < wanted_bytes) {
		wait_a_little(making);
		result = interrupt_check(err);
	}
	*out_bytes = making->bytes;
	*out_is_all = making->is_all;
	if (making->has_failed) {
		*err = making->err;
		result = -1;
	}
	pthread_mutex_unlock(&making->lock);
	return result;
}

int making_fd(struct making *making)
{
	int fd;

	pthread_mutex_lock(&making->lock);
	fd = making->fd;
	pthread_mutex_unlock(&making->lock);
	return fd;
}

const struct layer_blob *making_blob(const struct making *making)
{
	return &making->blob;
}
