/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for compressing one chunk of a gzip stream: by ISA-L at the levels
 * where its result is the same on every x86-64 processor (its level 3 has one
 * search for AVX-512 and another for the rest), by zlib at the others.
 */
#include <config.h>

#include "layers/codec-internal.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>
#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#endif

#include "common/mem.h"

#define ISAL_TOP_LEVEL 2

struct deflater {
	int level;
	z_stream z;
#ifdef HAVE_ISAL
	bool by_isal;
	struct isal_zstream isal;
	uint8_t *level_buf;
#endif
};

size_t deflate_chunk_bound(size_t in_len)
{
	/* stored blocks of at most 64 KiB, a flush mark, and what either library holds back */
	return in_len + in_len / 1024 + 4096;
}

static void zlib_run(struct deflater *self, struct deflate_chunk *chunk)
{
	size_t room = deflate_chunk_bound(chunk->in_len);
	int r = deflateReset(&self->z);

	assert(r == Z_OK);
	if (chunk->dict_len > 0)
		r = deflateSetDictionary(&self->z, chunk->dict, (uInt)chunk->dict_len);
	assert(r == Z_OK);
	self->z.next_in = (Bytef *)(uintptr_t)chunk->in;
	self->z.avail_in = (uInt)chunk->in_len;
	self->z.next_out = chunk->out;
	self->z.avail_out = (uInt)room;
	r = deflate(&self->z, chunk->is_last ? Z_FINISH : Z_SYNC_FLUSH);
	assert(r == (chunk->is_last ? Z_STREAM_END : Z_OK));
	assert(self->z.avail_in == 0 && self->z.avail_out > 0);
	(void)r;
	chunk->out_len = room - self->z.avail_out;
	chunk->crc = (uint32_t)crc32_z(0, chunk->in, chunk->in_len);
}

#ifdef HAVE_ISAL
static void isal_new(struct deflater *self, int level)
{
	uint32_t size = level == 1 ? ISAL_DEF_LVL1_DEFAULT : ISAL_DEF_LVL2_DEFAULT;

	self->by_isal = true;
	self->level_buf = mem_alloc(size);
	isal_deflate_init(&self->isal);
	self->isal.level = (uint32_t)level;
	self->isal.level_buf = self->level_buf;
	self->isal.level_buf_size = size;
	self->isal.gzip_flag = IGZIP_DEFLATE;
}

static void isal_run(struct deflater *self, struct deflate_chunk *chunk)
{
	size_t room = deflate_chunk_bound(chunk->in_len);
	struct isal_zstream *z = &self->isal;
	int r = COMP_OK;

	isal_deflate_reset(z);
	if (chunk->dict_len > 0)
		r = isal_deflate_set_dict(z, (uint8_t *)(uintptr_t)chunk->dict,
					  (uint32_t)chunk->dict_len);
	assert(r == COMP_OK);
	z->next_in = (uint8_t *)(uintptr_t)chunk->in;
	z->avail_in = (uint32_t)chunk->in_len;
	z->next_out = chunk->out;
	z->avail_out = (uint32_t)room;
	z->end_of_stream = chunk->is_last;
	z->flush = chunk->is_last ? NO_FLUSH : SYNC_FLUSH;
	r = isal_deflate(z);
	assert(r == COMP_OK && z->avail_in == 0 && z->avail_out > 0);
	(void)r;
	chunk->out_len = room - z->avail_out;
	chunk->crc = crc32_gzip_refl(0, chunk->in, chunk->in_len);
}
#endif

struct deflater *deflater_new(int level)
{
	struct deflater *self = mem_alloc(sizeof(*self));
	int r;

	self->level = level;
#ifdef HAVE_ISAL
	if (level > 0 && level <= ISAL_TOP_LEVEL) {
		isal_new(self, level);
		return self;
	}
#endif
	r = deflateInit2(&self->z, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	assert(r == Z_OK);
	(void)r;
	return self;
}

void deflater_free(struct deflater *self)
{
#ifdef HAVE_ISAL
	free(self->level_buf);
	if (self->by_isal) {
		free(self);
		return;
	}
#endif
	deflateEnd(&self->z);
	free(self);
}

void deflater_run(struct deflater *self, struct deflate_chunk *chunk)
{
#ifdef HAVE_ISAL
	if (self->by_isal) {
		isal_run(self, chunk);
		return;
	}
#endif
	zlib_run(self, chunk);
}
