/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a cut in a chain of sources: what comes before it runs in a thread of its
 * own, so that bytes are read, digested and decompressed while the reader works on those
 * before. A ring of buffers lies between the two; who finds it empty waits, and who finds it full
 * waits until half of it is free, since to be woken for each buffer would cost more than to fill
 * it. The end, and an error, come in their place: after all bytes that were read before.
 */
#include "layers/stream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/thread.h"

#define BUFFER_BYTES ((size_t)256 * 1024)
#define BUFFER_COUNT 8

struct buffer {
	char *data;
	size_t len;
};

struct ahead_source {
	struct source source;
	struct source *from;                 /* the thread's while it runs */
	struct buffer buffers[BUFFER_COUNT]; /* a ring */
	uint64_t passed_bytes;               /* without a thread */
	size_t offset;                       /* in the buffer at [taken] */
	pthread_t thread;
	bool is_running;
	bool is_alone;           /* the host gave no thread */
	pthread_mutex_t lock;    /* the members below; nothing else is locked under it */
	pthread_cond_t is_there; /* a buffer, or the end: for the reader */
	pthread_cond_t is_free;  /* half of the ring, or nobody reads on: for the thread */
	size_t filled;           /* buffers so far; the thread's is the one at [filled] */
	size_t taken;
	bool is_unwanted; /* nobody will read on */
	bool has_ended;
	bool has_failed;
	struct err err;
};

/* Read until the buffer is full: its end is no full buffer. */
static int fill(struct ahead_source *self, struct buffer *buffer, struct err *err)
{
	buffer->len = 0;
	if (!buffer->data)
		buffer->data = mem_alloc(BUFFER_BYTES);
	while (buffer->len < BUFFER_BYTES) {
		ssize_t n = source_read(self->from, buffer->data + buffer->len,
					BUFFER_BYTES - buffer->len, err);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		buffer->len += (size_t)n;
	}
	return 0;
}

static void *run(void *arg)
{
	struct ahead_source *self = arg;

	pthread_mutex_lock(&self->lock);
	while (!self->has_ended) {
		struct buffer *buffer = &self->buffers[self->filled % BUFFER_COUNT];
		struct err err = ERR_INIT;
		int result;

		if (self->filled - self->taken == BUFFER_COUNT)
			while (self->filled - self->taken > BUFFER_COUNT / 2 && !self->is_unwanted)
				pthread_cond_wait(&self->is_free, &self->lock);
		if (self->is_unwanted)
			break;
		pthread_mutex_unlock(&self->lock);
		result = fill(self, buffer, &err);
		pthread_mutex_lock(&self->lock);
		self->filled += buffer->len > 0;
		self->has_failed = result < 0;
		self->err = err;
		self->has_ended = result < 0 || buffer->len < BUFFER_BYTES;
		pthread_cond_signal(&self->is_there);
	}
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* A short stream is over before a thread is worth it. */
static bool is_threaded(struct ahead_source *self)
{
	struct err ignored = ERR_INIT;

	if (self->is_running || self->is_alone || self->passed_bytes < BUFFER_BYTES)
		return self->is_running;
	self->is_running = thread_start(&self->thread, run, self, &ignored) == 0;
	self->is_alone = !self->is_running;
	return self->is_running;
}

/* Wait until there is a buffer: *out NULL at the end. */
static int wait_for_buffer(struct ahead_source *self, struct buffer **out, struct err *err)
{
	int result = 0;

	*out = NULL;
	pthread_mutex_lock(&self->lock);
	while (self->filled == self->taken && !self->has_ended)
		pthread_cond_wait(&self->is_there, &self->lock);
	if (self->filled > self->taken) {
		*out = &self->buffers[self->taken % BUFFER_COUNT];
	} else if (self->has_failed) {
		*err = self->err;
		result = -1;
	}
	pthread_mutex_unlock(&self->lock);
	return result;
}

static void give_back(struct ahead_source *self)
{
	self->offset = 0;
	pthread_mutex_lock(&self->lock);
	self->taken++;
	if (self->filled - self->taken == BUFFER_COUNT / 2)
		pthread_cond_signal(&self->is_free);
	pthread_mutex_unlock(&self->lock);
}

static ssize_t ahead_source_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct ahead_source *self = (struct ahead_source *)source;
	struct buffer *buffer;

	if (!is_threaded(self)) {
		ssize_t n = source_read(self->from, data, len, err);

		self->passed_bytes += n > 0 ? (uint64_t)n : 0;
		return n;
	}
	if (wait_for_buffer(self, &buffer, err) < 0)
		return -1;
	if (!buffer)
		return 0;
	if (len > buffer->len - self->offset)
		len = buffer->len - self->offset;
	memcpy(data, buffer->data + self->offset, len);
	self->offset += len;
	if (self->offset == buffer->len)
		give_back(self);
	return (ssize_t)len;
}

static void ahead_source_free(struct source *source)
{
	struct ahead_source *self = (struct ahead_source *)source;

	if (self->is_running) {
		pthread_mutex_lock(&self->lock);
		self->is_unwanted = true;
		pthread_cond_signal(&self->is_free);
		pthread_mutex_unlock(&self->lock);
		pthread_join(self->thread, NULL);
	}
	for (size_t i = 0; i < BUFFER_COUNT; i++)
		free(self->buffers[i].data);
	pthread_cond_destroy(&self->is_there);
	pthread_cond_destroy(&self->is_free);
	pthread_mutex_destroy(&self->lock);
	source_free(self->from);
	free(self);
}

struct source *source_ahead(struct source *from)
{
	struct ahead_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = ahead_source_read, .free = ahead_source_free };
	self->from = from;
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->is_there, NULL);
	pthread_cond_init(&self->is_free, NULL);
	return &self->source;
}
