/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for zstd (RFC 8878) both ways, by libzstd. Written with a checksum
 * of the content, and always by libzstd's job splitting, even with one thread, so that the bytes do
 * not depend on the number of processors.
 */
#include "layers/codec-internal.h"

#include <string.h>
#include <zstd.h>

#include "common/mem.h"

#define THREADS_MAX 8
#define OUT_BYTES   ((size_t)128 * 1024)
/* splitting costs ratio at each seam; this keeps memory flat and two jobs in work early */
#define JOB_BYTES           ((int)(4 * 1024 * 1024))
#define JOB_BYTES_TOP_LEVEL 9 /* above it, windows are larger than such a job */

/* ---- writing ---- */

struct zstd_sink {
	struct sink sink;
	struct sink *next;
	ZSTD_CCtx *ctx;
	uint8_t out[OUT_BYTES];
};

/* Feed @in; with ZSTD_e_end until all is out. */
static int zstd_run(struct zstd_sink *self, ZSTD_inBuffer *in, ZSTD_EndDirective mode,
		    struct err *err)
{
	for (;;) {
		ZSTD_outBuffer out = { .dst = self->out, .size = sizeof(self->out) };
		size_t left = ZSTD_compressStream2(self->ctx, &out, in, mode);

		if (ZSTD_isError(left))
			return err_set(err, ERR_SYSTEM, "compress with zstd: %s",
				       ZSTD_getErrorName(left));
		if (out.pos > 0 && sink_write(self->next, self->out, out.pos, err) < 0)
			return -1;
		if (mode == ZSTD_e_end ? left == 0 : in->pos == in->size)
			return 0;
	}
}

static int zstd_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	ZSTD_inBuffer in = { .src = data, .size = len };

	return zstd_run((struct zstd_sink *)sink, &in, ZSTD_e_continue, err);
}

static int zstd_finish(struct sink *sink, struct err *err)
{
	struct zstd_sink *self = (struct zstd_sink *)sink;
	ZSTD_inBuffer in = { .src = NULL };

	if (zstd_run(self, &in, ZSTD_e_end, err) < 0)
		return -1;
	return sink_finish(self->next, err);
}

static void zstd_sink_free(struct sink *sink)
{
	struct zstd_sink *self = (struct zstd_sink *)sink;

	ZSTD_freeCCtx(self->ctx);
	sink_free(self->next);
	free(self);
}

int codec_zstd_level_max(void)
{
	return ZSTD_maxCLevel();
}

struct sink *codec_zstd(struct sink *next, int level)
{
	struct zstd_sink *self = mem_alloc(sizeof(*self));

	self->sink = (struct sink){
		.write = zstd_write,
		.finish = zstd_finish,
		.free = zstd_sink_free,
	};
	self->next = next;
	self->ctx = ZSTD_createCCtx();
	if (!self->ctx)
		abort();
	ZSTD_CCtx_setParameter(self->ctx, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(self->ctx, ZSTD_c_checksumFlag, 1);
	/* refused by a libzstd without threads, which then compresses in the caller */
	ZSTD_CCtx_setParameter(self->ctx, ZSTD_c_nbWorkers, (int)codec_threads(THREADS_MAX));
	if (level <= JOB_BYTES_TOP_LEVEL)
		ZSTD_CCtx_setParameter(self->ctx, ZSTD_c_jobSize, JOB_BYTES);
	return &self->sink;
}

/* ---- reading ---- */

#define FRAME_HEADER_BYTES_MAX 18

struct unzstd_source {
	struct source source;
	struct codec_input in;
	ZSTD_DCtx *ctx;
	bool in_frame;
	bool had_frame;
	uint8_t header[FRAME_HEADER_BYTES_MAX]; /* the frame's first bytes */
	size_t header_len;
	uint64_t frame_bytes; /* what it gave so far */
};

/* Note what a frame began with, of which @in_len bytes are now used, and that it gave @out_len. */
static void frame_note(struct unzstd_source *self, size_t in_len, size_t out_len)
{
	size_t room = sizeof(self->header) - self->header_len;

	if (in_len > room)
		in_len = room;
	memcpy(self->header + self->header_len, self->in.next, in_len);
	self->header_len += in_len;
	self->frame_bytes += out_len;
}

/* libzstd compares this only where a frame's last block is not empty. */
static int frame_end(struct unzstd_source *self, struct err *err)
{
	unsigned long long promised = ZSTD_getFrameContentSize(self->header, self->header_len);

	if (promised != ZSTD_CONTENTSIZE_UNKNOWN && promised != self->frame_bytes)
		return codec_input_corrupt(&self->in, "zstd",
					   "a frame has another size than its header says", err);
	self->header_len = 0;
	self->frame_bytes = 0;
	return 0;
}

static ssize_t unzstd_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct unzstd_source *self = (struct unzstd_source *)source;
	ZSTD_outBuffer out = { .dst = data, .size = len };

	while (out.pos == 0 && len > 0) {
		ZSTD_inBuffer in;
		size_t left;

		if (codec_input_fill(&self->in, err) < 0)
			return -1;
		if (self->in.ended && self->had_frame && !self->in_frame)
			return 0;
		in = (ZSTD_inBuffer){ .src = self->in.next, .size = self->in.len };
		left = ZSTD_decompressStream(self->ctx, &out, &in);
		if (ZSTD_isError(left))
			return codec_input_corrupt(&self->in, "zstd", ZSTD_getErrorName(left), err);
		if (self->in.ended && out.pos == 0)
			return codec_input_cut_short(&self->in, err);
		frame_note(self, in.pos, out.pos);
		codec_input_use(&self->in, in.pos);
		if (left == 0 && frame_end(self, err) < 0)
			return -1;
		self->in_frame = left != 0;
		self->had_frame = true;
	}
	return (ssize_t)out.pos;
}

static void unzstd_free(struct source *source)
{
	struct unzstd_source *self = (struct unzstd_source *)source;

	ZSTD_freeDCtx(self->ctx);
	codec_input_release(&self->in);
	free(self);
}

struct source *codec_unzstd(struct source *from, const char *what)
{
	struct unzstd_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = unzstd_read, .free = unzstd_free };
	codec_input_init(&self->in, from, what);
	self->ctx = ZSTD_createDCtx();
	if (!self->ctx)
		abort();
	return &self->source;
}
