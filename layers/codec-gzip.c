/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for writing gzip: cutting the input into chunks, handing them to
 * threads and putting what comes back in order between header and trailer.
 * One chunk is compressed by codec-deflate.
 *
 * A slot, which holds a chunk, goes through a ring: the caller fills it and gives it away, one of
 * several threads compresses it, one thread writes it to the next stage, which digests it
 * and takes it to the disk, and then it is free again. A caller who finds none free waits
 * until half of them are: to be woken for each would cost more. Input that fits one chunk starts no
 * thread.
 */
#include "layers/codec-internal.h"

#include <pthread.h>
#include <string.h>
#include <zlib.h>

#include "common/mem.h"
#include "common/thread.h"

#define THREADS_MAX 8
#define SLOTS_MORE  4 /* than threads: being filled, being written, and one between each two */

struct slot {
	struct deflate_chunk chunk;
	uint8_t *buf; /* dictionary, then input */
	bool is_done; /* compressed; under the lock */
};

struct gzip_sink {
	struct sink sink;
	struct sink *next; /* these four are the writing thread's while it runs */
	bool has_header;
	uint32_t crc;
	uint32_t len; /* of the input, modulo 2^32 as the trailer has it */

	int level;
	struct slot *slots; /* a ring */
	size_t slot_count;
	struct deflater *own; /* the caller's, when there are no threads */
	pthread_t threads[THREADS_MAX];
	size_t thread_count;
	pthread_t writer;
	bool has_writer;
	bool threads_decided;

	pthread_mutex_t lock;     /* the members below; nothing else is locked under it */
	pthread_cond_t is_ready;  /* a slot, or the end: for those who compress */
	pthread_cond_t is_oldest; /* what was compressed, or the end: for who writes */
	pthread_cond_t is_free;   /* half of the ring: for the caller */
	size_t filled;            /* slots given away so far; the caller's is the one at [filled] */
	size_t taken;             /* of these, by the threads that compress */
	size_t written;           /* and these are free again */
	bool is_ending;
	bool is_unwanted; /* what is under way */
	bool has_failed;  /* the next stage: what comes is thrown away */
	struct err err;
};

static struct slot *slot_at(struct gzip_sink *self, size_t index)
{
	return &self->slots[index % self->slot_count];
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

static int write_slot(struct gzip_sink *self, const struct slot *slot, struct err *err)
{
	self->crc =
		(uint32_t)crc32_combine(self->crc, slot->chunk.crc, (z_off_t)slot->chunk.in_len);
	self->len += (uint32_t)slot->chunk.in_len;
	if (write_header(self, err) < 0)
		return -1;
	return sink_write(self->next, slot->chunk.out, slot->chunk.out_len, err);
}

static int write_trailer(struct gzip_sink *self, struct err *err)
{
	uint8_t trailer[8];

	for (int i = 0; i < 4; i++) {
		trailer[i] = (uint8_t)(self->crc >> (8 * i));
		trailer[4 + i] = (uint8_t)(self->len >> (8 * i));
	}
	return sink_write(self->next, trailer, sizeof(trailer), err);
}

/* ---- threads ---- */

static void *compress_slots(void *arg)
{
	struct gzip_sink *self = arg;
	struct deflater *deflater = deflater_new(self->level);

	pthread_mutex_lock(&self->lock);
	for (;;) {
		size_t index;

		while (self->taken == self->filled && !self->is_ending)
			pthread_cond_wait(&self->is_ready, &self->lock);
		if (self->taken == self->filled || self->is_unwanted)
			break;
		index = self->taken++;
		pthread_mutex_unlock(&self->lock);
		deflater_run(deflater, &slot_at(self, index)->chunk);
		pthread_mutex_lock(&self->lock);
		slot_at(self, index)->is_done = true;
		if (index == self->written)
			pthread_cond_signal(&self->is_oldest);
	}
	pthread_mutex_unlock(&self->lock);
	deflater_free(deflater);
	return NULL;
}

/* Is there one to write, or will there be? Waits. */
static bool wait_for_oldest(struct gzip_sink *self)
{
	while (!self->is_unwanted) {
		if (self->written < self->filled && slot_at(self, self->written)->is_done)
			return true;
		if (self->written == self->filled && self->is_ending)
			break;
		pthread_cond_wait(&self->is_oldest, &self->lock);
	}
	return false;
}

static void *write_in_order(void *arg)
{
	struct gzip_sink *self = arg;

	pthread_mutex_lock(&self->lock);
	while (wait_for_oldest(self)) {
		struct slot *slot = slot_at(self, self->written);
		struct err err = ERR_INIT;
		bool is_wanted = !self->has_failed;
		int result;

		pthread_mutex_unlock(&self->lock);
		result = is_wanted ? write_slot(self, slot, &err) : 0;
		pthread_mutex_lock(&self->lock);
		if (result < 0) {
			self->has_failed = true;
			self->err = err;
		}
		slot->is_done = false;
		self->written++;
		if (self->filled - self->written == self->slot_count / 2)
			pthread_cond_signal(&self->is_free);
	}
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* What is given away is still compressed and written, unless it is unwanted. */
static void stop_threads(struct gzip_sink *self, bool is_unwanted)
{
	if (!self->has_writer)
		return;
	pthread_mutex_lock(&self->lock);
	self->is_ending = true;
	self->is_unwanted = is_unwanted;
	pthread_cond_broadcast(&self->is_ready);
	pthread_cond_signal(&self->is_oldest);
	pthread_mutex_unlock(&self->lock);
	for (size_t i = 0; i < self->thread_count; i++)
		pthread_join(self->threads[i], NULL);
	pthread_join(self->writer, NULL);
	self->thread_count = 0;
	self->has_writer = false;
}

/* A host that gives no threads gets the same bytes without. */
static void start_threads(struct gzip_sink *self)
{
	unsigned want = codec_threads(THREADS_MAX);
	struct err ignored = ERR_INIT;

	self->threads_decided = true;
	if (want < 2 || thread_start(&self->writer, write_in_order, self, &ignored) < 0)
		return;
	self->has_writer = true;
	while (self->thread_count < want && thread_start(&self->threads[self->thread_count],
							 compress_slots, self, &ignored) == 0)
		self->thread_count++;
	if (self->thread_count == 0)
		stop_threads(self, true);
}

/* ---- slots ---- */

static void slot_alloc(struct slot *slot)
{
	slot->buf = mem_alloc(DEFLATE_DICT_BYTES + DEFLATE_CHUNK_BYTES);
	slot->chunk.out = mem_alloc(deflate_chunk_bound(DEFLATE_CHUNK_BYTES));
	slot->chunk.dict = slot->buf;
	slot->chunk.in = slot->buf + DEFLATE_DICT_BYTES;
}

/* The end of what a slot holds is the dictionary of the one after it. */
static void hand_on_dictionary(const struct slot *from, struct slot *to)
{
	memcpy(to->buf, from->chunk.in + DEFLATE_CHUNK_BYTES - DEFLATE_DICT_BYTES,
	       DEFLATE_DICT_BYTES);
	to->chunk.dict_len = DEFLATE_DICT_BYTES;
}

static int by_caller(struct gzip_sink *self, struct slot *slot, struct err *err)
{
	if (!self->own)
		self->own = deflater_new(self->level);
	deflater_run(self->own, &slot->chunk);
	self->filled++;
	return write_slot(self, slot, err);
}

/* Give the slot that is full to the threads, and wait until there is room for another. */
static int by_threads(struct gzip_sink *self, struct err *err)
{
	bool has_failed;

	pthread_mutex_lock(&self->lock);
	self->filled++;
	pthread_cond_signal(&self->is_ready);
	if (self->filled - self->written == self->slot_count)
		while (self->filled - self->written > self->slot_count / 2)
			pthread_cond_wait(&self->is_free, &self->lock);
	has_failed = self->has_failed;
	if (has_failed)
		*err = self->err;
	pthread_mutex_unlock(&self->lock);
	return has_failed ? -1 : 0;
}

/* The slot being filled is full and more is to come. */
static int next_slot(struct gzip_sink *self, struct err *err)
{
	struct slot *full = slot_at(self, self->filled);
	struct slot *next = slot_at(self, self->filled + 1);

	if (!self->threads_decided)
		start_threads(self);
	if ((self->has_writer ? by_threads(self, err) : by_caller(self, full, err)) < 0)
		return -1;
	if (!next->buf)
		slot_alloc(next);
	/* the full one is not filled again before the next one is */
	hand_on_dictionary(full, next);
	next->chunk.in_len = 0;
	return 0;
}

/* ---- the sink ---- */

static int gzip_room(struct sink *sink, char **out, size_t *out_len, struct err *err)
{
	struct gzip_sink *self = (struct gzip_sink *)sink;
	struct slot *slot = slot_at(self, self->filled);

	if (slot->chunk.in_len == DEFLATE_CHUNK_BYTES) {
		if (next_slot(self, err) < 0)
			return -1;
		slot = slot_at(self, self->filled);
	}
	*out = (char *)slot->buf + DEFLATE_DICT_BYTES + slot->chunk.in_len;
	*out_len = DEFLATE_CHUNK_BYTES - slot->chunk.in_len;
	return 0;
}

static int gzip_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct gzip_sink *self = (struct gzip_sink *)sink;
	const char *from = data;

	while (len > 0) {
		size_t room;
		char *to;

		if (gzip_room(sink, &to, &room, err) < 0)
			return -1;
		if (room > len)
			room = len;
		if (to != from)
			memcpy(to, from, room);
		slot_at(self, self->filled)->chunk.in_len += room;
		from += room;
		len -= room;
	}
	return 0;
}

static int gzip_finish(struct sink *sink, struct err *err)
{
	struct gzip_sink *self = (struct gzip_sink *)sink;
	struct slot *last = slot_at(self, self->filled);

	last->chunk.is_last = true;
	if (self->has_writer) {
		pthread_mutex_lock(&self->lock);
		self->filled++;
		pthread_mutex_unlock(&self->lock);
		stop_threads(self, false);
		if (self->has_failed) {
			*err = self->err;
			return -1;
		}
	} else if (by_caller(self, last, err) < 0) {
		return -1;
	}
	if (write_trailer(self, err) < 0)
		return -1;
	return sink_finish(self->next, err);
}

static void gzip_free(struct sink *sink)
{
	struct gzip_sink *self = (struct gzip_sink *)sink;

	stop_threads(self, true);
	for (size_t i = 0; i < self->slot_count; i++) {
		free(self->slots[i].buf);
		free(self->slots[i].chunk.out);
	}
	free(self->slots);
	if (self->own)
		deflater_free(self->own);
	pthread_cond_destroy(&self->is_ready);
	pthread_cond_destroy(&self->is_oldest);
	pthread_cond_destroy(&self->is_free);
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
		.room = gzip_room,
	};
	self->next = next;
	self->level = level;
	self->slot_count = codec_threads(THREADS_MAX) + SLOTS_MORE;
	self->slots = mem_array(self->slot_count, sizeof(*self->slots));
	slot_alloc(&self->slots[0]);
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->is_ready, NULL);
	pthread_cond_init(&self->is_oldest, NULL);
	pthread_cond_init(&self->is_free, NULL);
	return &self->sink;
}
