/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for reading bzip2, which only ADD meets, by libbz2 where it is built in. */
#include <config.h>

#include "layers/codec-internal.h"

#include "common/mem.h"

#ifdef HAVE_BZIP2
#include <bzlib.h>

struct bzip2_source {
	struct source source;
	struct codec_input in;
	bz_stream z;
	bool in_stream;
	bool had_stream;
};

static void stream_end(struct bzip2_source *self)
{
	if (self->in_stream)
		BZ2_bzDecompressEnd(&self->z);
	self->in_stream = false;
}

static void stream_begin(struct bzip2_source *self)
{
	self->z = (bz_stream){ 0 };
	if (BZ2_bzDecompressInit(&self->z, 0, 0) != BZ_OK)
		abort();
	self->in_stream = true;
	self->had_stream = true;
}

static ssize_t bzip2_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct bzip2_source *self = (struct bzip2_source *)source;
	size_t done = 0;

	if (len > UINT32_MAX / 2)
		len = UINT32_MAX / 2;
	while (done == 0 && len > 0) {
		int r;

		if (codec_input_fill(&self->in, err) < 0)
			return -1;
		if (self->in.ended && self->had_stream && !self->in_stream)
			return 0;
		if (!self->in_stream)
			stream_begin(self);
		self->z.next_in = (char *)(uintptr_t)self->in.next;
		self->z.avail_in = (unsigned)self->in.len;
		self->z.next_out = data;
		self->z.avail_out = (unsigned)len;
		r = BZ2_bzDecompress(&self->z);
		done = len - self->z.avail_out;
		if (r != BZ_OK && r != BZ_STREAM_END)
			return codec_input_corrupt(
				&self->in, "bzip2",
				r == BZ_DATA_ERROR_MAGIC ? "not bzip2 data" : "invalid data", err);
		if (r == BZ_OK && self->in.ended && done == 0)
			return codec_input_cut_short(&self->in, err);
		codec_input_use(&self->in, self->in.len - self->z.avail_in);
		if (r == BZ_STREAM_END)
			stream_end(self);
	}
	return (ssize_t)done;
}

static void bzip2_free(struct source *source)
{
	struct bzip2_source *self = (struct bzip2_source *)source;

	stream_end(self);
	codec_input_release(&self->in);
	free(self);
}

struct source *codec_unbzip2(struct source *from, const char *what, struct err *err)
{
	struct bzip2_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = bzip2_read, .free = bzip2_free };
	codec_input_init(&self->in, from, what);
	return &self->source;
}

#else

struct source *codec_unbzip2(struct source *from, const char *what, struct err *err)
{
	source_free(from);
	err_set(err, ERR_INPUT, "'%s' is bzip2 data, which this build cannot read (no libbz2)",
		what);
	return NULL;
}

#endif
