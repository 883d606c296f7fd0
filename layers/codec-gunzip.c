/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for reading gzip (RFC 1952): member after member, headers parsed
 * here (ISA-L forgets their optional fields where its input is cut), deflate
 * data and trailer by ISA-L, or by zlib where that is not built in.
 */
#include <config.h>

#include "layers/codec-internal.h"

#include <string.h>
#include <zlib.h>
#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

#include "common/mem.h"

/* ---- by zlib ---- */

struct zlib_inflate {
	z_stream z;
	bool has_header;
};

static void *zlib_new(void)
{
	struct zlib_inflate *self = mem_alloc(sizeof(*self));

	if (inflateInit2(&self->z, 16 + MAX_WBITS) != Z_OK)
		abort();
	return self;
}

static void zlib_reset(void *state)
{
	struct zlib_inflate *self = state;

	inflateReset(&self->z);
	self->has_header = false;
}

static const char *zlib_why(const z_stream *z, int r)
{
	if (z->msg)
		return z->msg;
	return r == Z_MEM_ERROR ? "out of memory" : "invalid data";
}

static enum inflate_status zlib_run(void *state, struct inflate_io *io)
{
	/* ours was checked and cut off; zlib checks the trailer only when it has seen one */
	static const uint8_t header[10] = { 0x1f, 0x8b, 8 };
	struct zlib_inflate *self = state;
	z_stream *z = &self->z;
	int r;

	if (!self->has_header) {
		z->next_in = (Bytef *)(uintptr_t)header;
		z->avail_in = sizeof(header);
		z->avail_out = 0;
		z->next_out = io->out;
		inflate(z, Z_NO_FLUSH);
		self->has_header = true;
	}
	z->next_in = (Bytef *)(uintptr_t)io->in;
	z->avail_in = (uInt)io->in_len;
	z->next_out = io->out;
	z->avail_out = (uInt)io->out_len;
	r = inflate(z, Z_NO_FLUSH);
	io->in = z->next_in;
	io->in_len = z->avail_in;
	io->out = z->next_out;
	io->out_len = z->avail_out;
	if (r == Z_STREAM_END)
		return INFLATE_END;
	if (r == Z_OK || r == Z_BUF_ERROR)
		return INFLATE_MORE;
	io->why = zlib_why(z, r);
	return INFLATE_BAD;
}

static void zlib_free(void *state)
{
	struct zlib_inflate *self = state;

	inflateEnd(&self->z);
	free(self);
}

const struct inflate_engine inflate_by_zlib = {
	.new = zlib_new,
	.reset = zlib_reset,
	.run = zlib_run,
	.free = zlib_free,
};

/* ---- by ISA-L ---- */

#ifdef HAVE_ISAL
static void isal_reset(void *state)
{
	struct inflate_state *self = state;

	isal_inflate_reset(self);
	self->crc_flag = ISAL_GZIP_NO_HDR_VER;
}

static void *isal_new(void)
{
	struct inflate_state *self = mem_alloc(sizeof(*self));

	isal_inflate_init(self);
	isal_reset(self);
	return self;
}

static const char *isal_why(int r)
{
	switch (r) {
	case ISAL_INVALID_BLOCK:
		return "invalid block";
	case ISAL_INVALID_SYMBOL:
		return "invalid symbol";
	case ISAL_INVALID_LOOKBACK:
		return "invalid distance";
	case ISAL_INCORRECT_CHECKSUM:
		return "wrong checksum or length";
	default: /* not an enum there */
		return "invalid data";
	}
}

static enum inflate_status isal_run(void *state, struct inflate_io *io)
{
	struct inflate_state *self = state;
	int r;

	self->next_in = (uint8_t *)(uintptr_t)io->in;
	self->avail_in = (uint32_t)io->in_len;
	self->next_out = io->out;
	self->avail_out = (uint32_t)io->out_len;
	r = isal_inflate(self);
	io->in = self->next_in;
	io->in_len = self->avail_in;
	io->out = self->next_out;
	io->out_len = self->avail_out;
	if (r != ISAL_DECOMP_OK) {
		io->why = isal_why(r);
		return INFLATE_BAD;
	}
	return self->block_state == ISAL_BLOCK_FINISH ? INFLATE_END : INFLATE_MORE;
}

static void isal_free(void *state)
{
	free(state);
}

const struct inflate_engine inflate_by_isal = {
	.new = isal_new,
	.reset = isal_reset,
	.run = isal_run,
	.free = isal_free,
};
#endif

/* ---- members ---- */

struct gunzip_source {
	struct source source;
	struct codec_input in;
	const struct inflate_engine *engine;
	void *state;
	bool in_member;
	bool had_member;
	bool in_padding;
};

/* One byte of a header, counted into @crc: it must be there. */
static int header_byte(struct gunzip_source *self, uint8_t *out, uint32_t *crc, struct err *err)
{
	if (codec_input_fill(&self->in, err) < 0)
		return -1;
	if (self->in.len == 0)
		return codec_input_cut_short(&self->in, err);
	*out = self->in.next[0];
	*crc = (uint32_t)crc32(*crc, out, 1);
	codec_input_use(&self->in, 1);
	return 0;
}

static int header_skip(struct gunzip_source *self, size_t len, uint32_t *crc, struct err *err)
{
	uint8_t b;

	for (; len > 0; len--) {
		if (header_byte(self, &b, crc, err) < 0)
			return -1;
	}
	return 0;
}

static int header_skip_string(struct gunzip_source *self, uint32_t *crc, struct err *err)
{
	uint8_t b;

	do {
		if (header_byte(self, &b, crc, err) < 0)
			return -1;
	} while (b != 0);
	return 0;
}

static int header_fixed(struct gunzip_source *self, uint8_t head[10], uint32_t *crc,
			struct err *err)
{
	for (size_t i = 0; i < 10; i++) {
		if (header_byte(self, &head[i], crc, err) < 0)
			return -1;
	}
	if (head[0] != 0x1f || head[1] != 0x8b)
		return codec_input_corrupt(&self->in, "gzip",
					   self->had_member ? "other data follows its end"
							    : "it does not begin as gzip does",
					   err);
	if (head[2] != 8)
		return codec_input_corrupt(&self->in, "gzip", "unknown compression method", err);
	if (head[3] & 0xe0)
		return codec_input_corrupt(&self->in, "gzip", "unknown flags", err);
	return 0;
}

static int read_header(struct gunzip_source *self, struct err *err)
{
	enum { HCRC = 2, EXTRA = 4, NAME = 8, COMMENT = 16 };
	uint8_t head[10], b[2];
	uint32_t crc = 0, want;

	if (header_fixed(self, head, &crc, err) < 0)
		return -1;
	if (head[3] & EXTRA) {
		if (header_byte(self, &b[0], &crc, err) < 0 ||
		    header_byte(self, &b[1], &crc, err) < 0 ||
		    header_skip(self, (size_t)(b[0] | b[1] << 8), &crc, err) < 0)
			return -1;
	}
	if ((head[3] & NAME) && header_skip_string(self, &crc, err) < 0)
		return -1;
	if ((head[3] & COMMENT) && header_skip_string(self, &crc, err) < 0)
		return -1;
	want = crc & 0xffff;
	if ((head[3] & HCRC) &&
	    (header_byte(self, &b[0], &crc, err) < 0 || header_byte(self, &b[1], &crc, err) < 0))
		return -1;
	if ((head[3] & HCRC) && (uint32_t)(b[0] | b[1] << 8) != want)
		return codec_input_corrupt(&self->in, "gzip", "wrong checksum of the header", err);
	self->engine->reset(self->state);
	self->in_member = true;
	self->had_member = true;
	return 0;
}

/* Zero bytes after the last member are padding (of tapes, once) and nothing else may follow. */
static int skip_padding(struct gunzip_source *self, struct err *err)
{
	for (;;) {
		if (codec_input_fill(&self->in, err) < 0)
			return -1;
		if (self->in.len == 0)
			return 0;
		if (self->in.next[0] != 0)
			break;
		self->in_padding = true;
		codec_input_use(&self->in, 1);
	}
	if (self->in_padding)
		return codec_input_corrupt(&self->in, "gzip", "other data follows its end", err);
	return 0;
}

static int inflate_some(struct gunzip_source *self, uint8_t *data, size_t len, size_t *out_len,
			struct err *err)
{
	struct inflate_io io = { .out = data, .out_len = len };
	enum inflate_status status;

	if (codec_input_fill(&self->in, err) < 0)
		return -1;
	io.in = self->in.next;
	io.in_len = self->in.len;
	status = self->engine->run(self->state, &io);
	*out_len = len - io.out_len;
	if (status == INFLATE_BAD)
		return codec_input_corrupt(&self->in, "gzip", io.why, err);
	if (status == INFLATE_MORE && self->in.ended && *out_len == 0)
		return codec_input_cut_short(&self->in, err);
	codec_input_use(&self->in, self->in.len - io.in_len);
	if (status == INFLATE_END)
		self->in_member = false;
	return 0;
}

static ssize_t gunzip_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct gunzip_source *self = (struct gunzip_source *)source;
	size_t done = 0;

	if (len > UINT32_MAX / 2)
		len = UINT32_MAX / 2;
	while (done == 0 && len > 0) {
		if (!self->in_member) {
			if (self->had_member && skip_padding(self, err) < 0)
				return -1;
			if (self->had_member && self->in.ended)
				return 0;
			if (read_header(self, err) < 0)
				return -1;
		}
		if (inflate_some(self, data, len, &done, err) < 0)
			return -1;
	}
	return (ssize_t)done;
}

static void gunzip_free(struct source *source)
{
	struct gunzip_source *self = (struct gunzip_source *)source;

	self->engine->free(self->state);
	codec_input_release(&self->in);
	free(self);
}

struct source *codec_gunzip_with(struct source *from, const char *what,
				 const struct inflate_engine *engine)
{
	struct gunzip_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = gunzip_read, .free = gunzip_free };
	codec_input_init(&self->in, from, what);
	self->engine = engine;
	self->state = engine->new ();
	return &self->source;
}

struct source *codec_gunzip(struct source *from, const char *what)
{
#ifdef HAVE_ISAL
	return codec_gunzip_with(from, what, &inflate_by_isal);
#else
	return codec_gunzip_with(from, what, &inflate_by_zlib);
#endif
}
