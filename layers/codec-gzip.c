/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for writing gzip: cutting the input into chunks, handing them to
 * threads and putting what comes back in order between header and trailer.
 * One chunk is compressed by codec-deflate.
 *
 * The caller fills a slot, gives it away, and fills the next; a slot comes
 * back when its turn has come to be written. Memory is the slots: two more
 * than threads. Input that fits one chunk starts no thread.
 */
#include "layers/codec-internal.h"

#include <pthread.h>
#include <string.h>
#include <zlib.h>

#include "common/mem.h"
#include "common/thread.h"

#define THREADS_MAX 8

struct slot {
	struct deflate_chunk chunk;
	uint8_t *buf;  /* dictionary, then input */
	bool is_ready; /* filled, for a thread to take; under the lock */
	bool is_done;  /* compressed; under the lock */
};

struct gzip_sink {
	struct sink sink;
	struct sink *next;
	int level;
	bool has_header;
	uint32_t crc;
	uint32_t len; /* of the input, modulo 2^32 as the trailer has it */

	struct slot *slots; /* a ring */
	size_t slot_count;
	size_t fill;   /* the slot being filled */
	size_t oldest; /* the first one given away and not yet written */
	size_t away;   /* how many are given away */

	struct deflater *own; /* the caller's, when there are no threads */
	pthread_t threads[THREADS_MAX];
	size_t thread_count;
	bool threads_decided;
	pthread_mutex_t lock; /* slots' flags, take, stop; nothing else is locked under it */
	pthread_cond_t changed;
	size_t take; /* the next slot for a thread */
	bool stop;
};

static struct slot *slot_at(struct gzip_sink *self, size_t index)
{
	return &self->slots[index % self->slot_count];
}

/* ---- threads ---- */

static void *gzip_thread(void *arg)
{
	struct gzip_sink *self = arg;
	struct deflater *deflater = deflater_new(self->level);

	pthread_mutex_lock(&self->lock);
	for (;;) {
		struct slot *slot;

		while (!self->stop && !slot_at(self, self->take)->is_ready)
			pthread_cond_wait(&self->changed, &self->lock);
		if (self->stop)
			break;
		slot = slot_at(self, self->take++);
		slot->is_ready = false;
		pthread_mutex_unlock(&self->lock);
		deflater_run(deflater, &slot->chunk);
		pthread_mutex_lock(&self->lock);
		slot->is_done = true;
		pthread_cond_broadcast(&self->changed);
	}
	pthread_mutex_unlock(&self->lock);
	deflater_free(deflater);
	return NULL;
}

/* A host that gives no thread gets the same bytes without. */
static void start_threads(struct gzip_sink *self)
{
	unsigned want = codec_threads(THREADS_MAX);
	struct err ignored = ERR_INIT;

	self->threads_decided = true;
	if (want < 2)
		return;
	while (self->thread_count < want &&
	       thread_start(&self->threads[self->thread_count], gzip_thread, self, &ignored) == 0)
		self->thread_count++;
}

static void stop_threads(struct gzip_sink *self)
{
	pthread_mutex_lock(&self->lock);
	self->stop = true;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
	for (size_t i = 0; i < self->thread_count; i++)
		pthread_join(self->threads[i], NULL);
	self->thread_count = 0;
}

/* ---- slots ---- */

static void slot_alloc(struct slot *slot)
{
	slot->buf = mem_alloc(DEFLATE_DICT_BYTES + DEFLATE_CHUNK_BYTES);
	slot->chunk.out = mem_alloc(deflate_chunk_bound(DEFLATE_CHUNK_BYTES));
	slot->chunk.dict = slot->buf;
	slot->chunk.in = slot->buf + DEFLATE_DICT_BYTES;
}

static int write_header(struct gzip_sink *self, struct err *err)
{
	/* no flags, no time, no hint of the level, no system */
	static const uint8_t header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };

	if (self->has_header)
		return 0;
	self->has_header = true;
	return sink_write(self->next, header, sizeof(header), err);
}

/* Wait for the oldest slot that was given away and write it; its room is free again. */
static int write_oldest(struct gzip_sink *self, struct err *err)
{
	struct slot *slot = slot_at(self, self->oldest);

	pthread_mutex_lock(&self->lock);
	while (!slot->is_done)
		pthread_cond_wait(&self->changed, &self->lock);
	slot->is_done = false;
	pthread_mutex_unlock(&self->lock);

	self->oldest++;
	self->away--;
	self->crc =
		(uint32_t)crc32_combine(self->crc, slot->chunk.crc, (z_off_t)slot->chunk.in_len);
	self->len += (uint32_t)slot->chunk.in_len;
	if (write_header(self, err) < 0)
		return -1;
	return sink_write(self->next, slot->chunk.out, slot->chunk.out_len, err);
}

/* The end of what a slot holds is the dictionary of the one after it. */
static void hand_on_dictionary(const struct slot *from, struct slot *to)
{
	memcpy(to->buf, from->chunk.in + DEFLATE_CHUNK_BYTES - DEFLATE_DICT_BYTES,
	       DEFLATE_DICT_BYTES);
	to->chunk.dict_len = DEFLATE_DICT_BYTES;
}

static void give_away(struct gzip_sink *self, struct slot *slot)
{
	self->fill++;
	self->away++;
	if (self->thread_count == 0) {
		if (!self->own)
			self->own = deflater_new(self->level);
		deflater_run(self->own, &slot->chunk);
		slot->is_done = true;
		return;
	}
	pthread_mutex_lock(&self->lock);
	slot->is_ready = true;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
}

/* The slot being filled is full and more is to come. */
static int next_slot(struct gzip_sink *self, struct err *err)
{
	struct slot *full = slot_at(self, self->fill);
	struct slot *next = slot_at(self, self->fill + 1);

	if (!self->threads_decided)
		start_threads(self);
	if (self->away == self->slot_count - 1 && write_oldest(self, err) < 0)
		return -1;
	if (!next->buf)
		slot_alloc(next);
	hand_on_dictionary(full, next);
	next->chunk.in_len = 0;
	give_away(self, full);
	return self->thread_count == 0 ? write_oldest(self, err) : 0;
}

/* ---- the sink ---- */

static int gzip_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct gzip_sink *self = (struct gzip_sink *)sink;
	const uint8_t *p = data;

	while (len > 0) {
		struct slot *slot = slot_at(self, self->fill);
		size_t room = DEFLATE_CHUNK_BYTES - slot->chunk.in_len;
		size_t n = len < room ? len : room;

		if (room == 0) {
			if (next_slot(self, err) < 0)
				return -1;
			continue;
		}
		memcpy(slot->buf + DEFLATE_DICT_BYTES + slot->chunk.in_len, p, n);
		slot->chunk.in_len += n;
		p += n;
		len -= n;
	}
	return 0;
}

static int gzip_finish(struct sink *sink, struct err *err)
{
	struct gzip_sink *self = (struct gzip_sink *)sink;
	struct slot *slot = slot_at(self, self->fill);
	uint8_t trailer[8];

	slot->chunk.is_last = true;
	give_away(self, slot);
	while (self->away > 0) {
		if (write_oldest(self, err) < 0)
			return -1;
	}
	for (int i = 0; i < 4; i++) {
		trailer[i] = (uint8_t)(self->crc >> (8 * i));
		trailer[4 + i] = (uint8_t)(self->len >> (8 * i));
	}
	if (sink_write(self->next, trailer, sizeof(trailer), err) < 0)
		return -1;
	return sink_finish(self->next, err);
}

static void gzip_free(struct sink *sink)
{
	struct gzip_sink *self = (struct gzip_sink *)sink;

	stop_threads(self);
	for (size_t i = 0; i < self->slot_count; i++) {
		free(self->slots[i].buf);
		free(self->slots[i].chunk.out);
	}
	free(self->slots);
	if (self->own)
		deflater_free(self->own);
	pthread_cond_destroy(&self->changed);
	pthread_mutex_destroy(&self->lock);
	sink_free(self->next);
	free(self);
}

struct sink *codec_gzip(struct sink *next, int level)
{
	struct gzip_sink *self = mem_alloc(sizeof(*self));

	self->sink = (struct sink){
		.write = gzip_write,
		.finish = gzip_finish,
		.free = gzip_free,
	};
	self->next = next;
	self->level = level;
	self->slot_count = codec_threads(THREADS_MAX) + 2;
	self->slots = mem_array(self->slot_count, sizeof(*self->slots));
	slot_alloc(&self->slots[0]);
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->changed, NULL);
	return &self->sink;
}
