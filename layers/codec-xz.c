/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for reading xz, which only ADD meets, by liblzma where it is built in. */
#include <config.h>

#include "layers/codec-internal.h"

#include "common/mem.h"

#ifdef HAVE_LZMA
#include <lzma.h>

/* what the largest preset (-9) needs is 65 MiB; dictionaries may be larger, not without end */
#define MEMORY_MAX_BYTES ((uint64_t)256 * 1024 * 1024)

struct xz_source {
	struct source source;
	struct codec_input in;
	lzma_stream z;
	bool is_done;
};

static const char *xz_why(lzma_ret r)
{
	if (r == LZMA_FORMAT_ERROR)
		return "not xz data";
	if (r == LZMA_OPTIONS_ERROR)
		return "unknown options";
	if (r == LZMA_MEMLIMIT_ERROR)
		return "it needs more than 256 MiB of memory to read";
	if (r == LZMA_MEM_ERROR)
		return "out of memory";
	return "invalid data";
}

static ssize_t xz_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct xz_source *self = (struct xz_source *)source;
	lzma_stream *z = &self->z;

	z->next_out = data;
	z->avail_out = len;
	while (z->avail_out == len && len > 0 && !self->is_done) {
		lzma_ret r;

		if (codec_input_fill(&self->in, err) < 0)
			return -1;
		z->next_in = self->in.next;
		z->avail_in = self->in.len;
		r = lzma_code(z, self->in.ended ? LZMA_FINISH : LZMA_RUN);
		codec_input_use(&self->in, self->in.len - z->avail_in);
		if (r == LZMA_BUF_ERROR && self->in.ended)
			return codec_input_cut_short(&self->in, err);
		if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
			return codec_input_corrupt(&self->in, "xz", xz_why(r), err);
		self->is_done = r == LZMA_STREAM_END;
	}
	return (ssize_t)(len - z->avail_out);
}

static void xz_free(struct source *source)
{
	struct xz_source *self = (struct xz_source *)source;

	lzma_end(&self->z);
	codec_input_release(&self->in);
	free(self);
}

struct source *codec_unxz(struct source *from, const char *what, struct err *err)
{
	struct xz_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = xz_read, .free = xz_free };
	self->z = (lzma_stream)LZMA_STREAM_INIT;
	codec_input_init(&self->in, from, what);
	if (lzma_stream_decoder(&self->z, MEMORY_MAX_BYTES, LZMA_CONCATENATED) != LZMA_OK)
		abort();
	return &self->source;
}

#else

struct source *codec_unxz(struct source *from, const char *what, struct err *err)
{
	source_free(from);
	err_set(err, ERR_INPUT, "'%s' is xz data, which this build cannot read (no liblzma)", what);
	return NULL;
}

#endif
