/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed streams: every decoder gives bytes or an error, the two gzip decoders
 * the same ones, however the stream is cut; what we compress comes out again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "config.h"
#include "layers/codec-internal.h"
#include "layers/codec.h"

#define OUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives the input in pieces of a few bytes. */
struct crumbs {
	struct source source;
	const uint8_t *data;
	size_t len;
	size_t piece;
};

static ssize_t crumbs_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct crumbs *crumbs = (struct crumbs *)source;

	if (len > crumbs->piece)
		len = crumbs->piece;
	if (len > crumbs->len)
		len = crumbs->len;
	memcpy(data, crumbs->data, len);
	crumbs->data += len;
	crumbs->len -= len;
	return (ssize_t)len;
}

static void crumbs_free(struct source *source)
{
	free(source);
}

static struct source *crumbs_of(const uint8_t *data, size_t len, size_t piece)
{
	struct crumbs *crumbs = mem_alloc(sizeof(*crumbs));

	crumbs->source = (struct source){ .read = crumbs_read, .free = crumbs_free };
	crumbs->data = data;
	crumbs->len = len;
	crumbs->piece = piece;
	return &crumbs->source;
}

/* 0 when the stream came to its end, or to more than we want of it. */
static int read_all(struct source *source, struct strbuf *out)
{
	struct err err = ERR_INIT;
	char buf[4096];
	ssize_t n;

	while ((n = source_read(source, buf, sizeof(buf), &err)) > 0 && out->len < OUT_MAX)
		strbuf_add(out, buf, (size_t)n);
	if (n < 0 && (err.kind != ERR_INPUT || !err.text[0]))
		abort();
	return n < 0 ? -1 : 0;
}

static int decode(const uint8_t *data, size_t size, size_t piece, enum codec codec,
		  struct strbuf *out)
{
	struct err err = ERR_INIT;
	auto_source struct source *source =
		codec_decompress(crumbs_of(data, size, piece), codec, "input", &err);

	return source ? read_all(source, out) : -1;
}

/* How far an error is noticed ahead of its place is the decoder's affair: near the end of what we
 * read of a long stream nothing can be said. */
static bool is_long(const struct strbuf *a, const struct strbuf *b)
{
	return a->len > OUT_MAX / 2 || b->len > OUT_MAX / 2;
}

static void must_be_equal(const struct strbuf *a, const struct strbuf *b)
{
	if (a->len != b->len || memcmp(a->data, b->data, a->len) != 0)
		abort();
}

static void check_cuts(const uint8_t *data, size_t size, enum codec codec)
{
	auto_strbuf struct strbuf whole = STRBUF_INIT;
	auto_strbuf struct strbuf pieces = STRBUF_INIT;
	int r = decode(data, size, SIZE_MAX, codec, &whole);
	int r_pieces = decode(data, size, 1 + size % 7, codec, &pieces);

	if (is_long(&whole, &pieces))
		return;
	if (r != r_pieces)
		abort();
	if (r == 0)
		must_be_equal(&whole, &pieces);
}

#ifdef HAVE_ISAL
static void check_engines(const uint8_t *data, size_t size)
{
	static const struct inflate_engine *const engines[] = { &inflate_by_zlib,
								&inflate_by_isal };
	struct strbuf outs[2] = { STRBUF_INIT, STRBUF_INIT };
	int results[2];

	for (size_t i = 0; i < 2; i++) {
		auto_source struct source *source =
			codec_gunzip_with(crumbs_of(data, size, SIZE_MAX), "input", engines[i]);

		results[i] = read_all(source, &outs[i]);
	}
	if (results[0] == 0 && results[1] == 0 && !is_long(&outs[0], &outs[1]))
		must_be_equal(&outs[0], &outs[1]);
	strbuf_release(&outs[0]);
	strbuf_release(&outs[1]);
}
#else
static void check_engines(const uint8_t *data, size_t size)
{
}
#endif

static void check_round_trip(const uint8_t *data, size_t size, enum codec codec)
{
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	auto_strbuf struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	auto_sink struct sink *sink =
		codec_compress(sink_to_strbuf(&packed), codec, CODEC_LEVEL_DEFAULT, &err);

	if (!sink || sink_write(sink, data, size, &err) < 0 || sink_finish(sink, &err) < 0)
		abort();
	if (decode((const uint8_t *)packed.data, packed.len, SIZE_MAX, codec, &out) < 0)
		abort();
	if (out.len != size || memcmp(out.data, data, size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum codec codec = codec_detect(data, size);

	if (codec != CODEC_NONE) {
		check_cuts(data, size, codec);
		if (codec == CODEC_GZIP)
			check_engines(data, size);
		return 0;
	}
	check_round_trip(data, size, CODEC_GZIP);
	check_round_trip(data, size, CODEC_ZSTD);
	return 0;
}
