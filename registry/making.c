/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for making a blob and reading it at the same time. */
#include "registry/making.h"

#include <fcntl.h>
#include <pthread.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/thread.h"
#include "storage/blob.h"

struct making {
	struct store *store;
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

static void *make(void *context)
{
	struct making *making = context;
	const struct layer_blob_watch watch = { grown, making };
	struct layer_blob blob;
	struct err err = ERR_INIT;
	int result = layer_blob_make_watched(making->store, &making->layer, making->codec,
					     making->level, &watch, &blob, &err);

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

int making_start(struct store *store, const struct layer *layer, enum codec codec, int level,
		 struct making **out, struct err *err)
{
	struct making *making = mem_alloc(sizeof(*making));

	*making = (struct making){
		.store = store,
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

int making_wait(struct making *making, uint64_t wanted_bytes, uint64_t *out_bytes, bool *out_is_all,
		struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&making->lock);
	while (!making->is_all && !making->has_failed && making->bytes < wanted_bytes)
		pthread_cond_wait(&making->changed, &making->lock);
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
