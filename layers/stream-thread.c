/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a cut in a chain of sinks: what comes after it runs in a thread of
 * its own, so that to write and digest costs the writer nothing. A ring of
 * buffers lies between the two; who finds it full waits until half of it is free, since to be
 * woken for each buffer would cost more than to fill it; who finds it empty waits. An error
 * behind the cut is told by the next write, or at the end.
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

struct thread_sink {
	struct sink sink;
	struct sink *next;
	struct buffer buffers[BUFFER_COUNT]; /* a ring */
	pthread_t thread;
	bool is_running;
	bool is_alone;           /* the host gave no thread */
	pthread_mutex_t lock;    /* the members below; nothing else is locked under it */
	pthread_cond_t is_there; /* a buffer, or the end: for the thread */
	pthread_cond_t is_free;  /* half of the ring: for the writer */
	size_t filled; /* buffers given away so far; the one at [filled] is being filled */
	size_t passed; /* and of these, those that have been passed on */
	bool is_ending;
	bool has_failed;
	struct err err;
};

static struct buffer *buffer_at(struct thread_sink *self, size_t index)
{
	return &self->buffers[index % BUFFER_COUNT];
}

/* After a failure what comes is thrown away, so that the writer never waits for ever. */
static void pass_on(struct thread_sink *self, struct buffer *buffer)
{
	struct err err = ERR_INIT;

	if (self->has_failed || sink_write(self->next, buffer->data, buffer->len, &err) == 0)
		return;
	pthread_mutex_lock(&self->lock);
	self->has_failed = true;
	self->err = err;
	pthread_mutex_unlock(&self->lock);
}

static void *run(void *arg)
{
	struct thread_sink *self = arg;

	pthread_mutex_lock(&self->lock);
	for (;;) {
		while (self->passed == self->filled && !self->is_ending)
			pthread_cond_wait(&self->is_there, &self->lock);
		if (self->passed == self->filled)
			break;
		pthread_mutex_unlock(&self->lock);
		pass_on(self, buffer_at(self, self->passed));
		pthread_mutex_lock(&self->lock);
		self->passed++;
		if (self->filled - self->passed == BUFFER_COUNT / 2)
			pthread_cond_signal(&self->is_free);
	}
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* Give the buffer that is full to the thread, and wait until there is room for another. */
static int give_away(struct thread_sink *self, struct err *err)
{
	struct err ignored = ERR_INIT;
	bool has_failed;

	if (!self->is_running && !self->is_alone) {
		self->is_running = thread_start(&self->thread, run, self, &ignored) == 0;
		self->is_alone = !self->is_running;
	}
	if (self->is_alone) {
		struct buffer *buffer = buffer_at(self, 0);
		size_t len = buffer->len;

		buffer->len = 0;
		return sink_write(self->next, buffer->data, len, err);
	}
	pthread_mutex_lock(&self->lock);
	self->filled++;
	pthread_cond_signal(&self->is_there);
	if (self->filled - self->passed == BUFFER_COUNT)
		while (self->filled - self->passed > BUFFER_COUNT / 2)
			pthread_cond_wait(&self->is_free, &self->lock);
	has_failed = self->has_failed;
	if (has_failed)
		*err = self->err;
	pthread_mutex_unlock(&self->lock);
	buffer_at(self, self->filled)->len = 0;
	return has_failed ? -1 : 0;
}

static int thread_sink_room(struct sink *sink, char **out, size_t *out_len, struct err *err)
{
	struct thread_sink *self = (struct thread_sink *)sink;
	struct buffer *buffer = buffer_at(self, self->filled);

	if (buffer->len == BUFFER_BYTES) {
		if (give_away(self, err) < 0)
			return -1;
		buffer = buffer_at(self, self->filled);
	}
	if (!buffer->data)
		buffer->data = mem_alloc(BUFFER_BYTES);
	*out = buffer->data + buffer->len;
	*out_len = BUFFER_BYTES - buffer->len;
	return 0;
}

static int thread_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct thread_sink *self = (struct thread_sink *)sink;
	const char *from = data;

	while (len > 0) {
		size_t room;
		char *to;

		if (thread_sink_room(sink, &to, &room, err) < 0)
			return -1;
		if (room > len)
			room = len;
		if (to != from)
			memcpy(to, from, room);
		buffer_at(self, self->filled)->len += room;
		from += room;
		len -= room;
	}
	return 0;
}

static void stop(struct thread_sink *self)
{
	if (!self->is_running)
		return;
	pthread_mutex_lock(&self->lock);
	self->is_ending = true;
	pthread_cond_signal(&self->is_there);
	pthread_mutex_unlock(&self->lock);
	pthread_join(self->thread, NULL);
	self->is_running = false;
}

static int thread_sink_finish(struct sink *sink, struct err *err)
{
	struct thread_sink *self = (struct thread_sink *)sink;
	const struct buffer *last = buffer_at(self, self->filled);

	stop(self);
	if (self->has_failed) {
		*err = self->err;
		return -1;
	}
	if (last->len > 0 && sink_write(self->next, last->data, last->len, err) < 0)
		return -1;
	return sink_finish(self->next, err);
}

static void thread_sink_free(struct sink *sink)
{
	struct thread_sink *self = (struct thread_sink *)sink;

	stop(self);
	for (size_t i = 0; i < BUFFER_COUNT; i++)
		free(self->buffers[i].data);
	pthread_cond_destroy(&self->is_there);
	pthread_cond_destroy(&self->is_free);
	pthread_mutex_destroy(&self->lock);
	sink_free(self->next);
	free(self);
}

struct sink *sink_thread(struct sink *next)
{
	struct thread_sink *self = mem_alloc(sizeof(*self));

	self->sink = (struct sink){
		.write = thread_sink_write,
		.finish = thread_sink_finish,
		.free = thread_sink_free,
		.room = thread_sink_room,
	};
	self->next = next;
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->is_there, NULL);
	pthread_cond_init(&self->is_free, NULL);
	return &self->sink;
}
