/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_CODEC_INTERNAL_H
#define LAYERS_CODEC_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "layers/stream.h"

/* ---- reading side: what each decoder stands on ---- */

/* Compressed bytes on their way into a decoder: next[0 … len) are there and not yet used. */
struct codec_input {
	struct source *from; /* owned */
	char *what;
	uint8_t *buf;
	const uint8_t *next;
	size_t len;
	bool ended; /* the source has no more than next[0 … len) */
};

void codec_input_init(struct codec_input *in, struct source *from, const char *what);
void codec_input_release(struct codec_input *in);
/* Get more bytes when there are none; `len` is 0 afterwards only at the end. */
int codec_input_fill(struct codec_input *in, struct err *err);
static inline void codec_input_use(struct codec_input *in, size_t len)
{
	in->next += len;
	in->len -= len;
}
/* The two faults every format has. */
int codec_input_cut_short(const struct codec_input *in, struct err *err);
int codec_input_corrupt(const struct codec_input *in, const char *format, const char *why,
			struct err *err);

/* Each takes @from. bzip2 and xz: NULL and ERR_INPUT when they are not built in. */
struct source *codec_gunzip(struct source *from, const char *what);
struct source *codec_unzstd(struct source *from, const char *what);
struct source *codec_unbzip2(struct source *from, const char *what, struct err *err);
struct source *codec_unxz(struct source *from, const char *what, struct err *err);

/* ---- inflating one gzip member behind its header: deflate data and trailer ---- */
enum inflate_status {
	INFLATE_MORE, /* give more input or more room */
	INFLATE_END,  /* the trailer was right; the rest of the input is not ours */
	INFLATE_BAD,
};

struct inflate_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
	const char *why; /* set with INFLATE_BAD */
};

struct inflate_engine {
	void *(*new)(void);
	void (*reset)(void *state);
	enum inflate_status (*run)(void *state, struct inflate_io *io);
	void (*free)(void *state);
};

extern const struct inflate_engine inflate_by_zlib;
extern const struct inflate_engine inflate_by_isal; /* only where ISA-L is built in */
struct source *codec_gunzip_with(struct source *from, const char *what,
				 const struct inflate_engine *engine);

/* ---- writing side ---- */

/*
 * gzip is written in chunks of a fixed size that are compressed one by one (by
 * several threads, where there are several processors), each with the last
 * 32 KiB before it as its dictionary: the bytes depend on input and level
 * alone, not on threads or on how the input was cut into writes.
 */
#define DEFLATE_CHUNK_BYTES ((size_t)1024 * 1024)
#define DEFLATE_DICT_BYTES  ((size_t)32 * 1024)

struct deflate_chunk {
	const uint8_t *dict;
	size_t dict_len;
	const uint8_t *in;
	size_t in_len;
	bool is_last;
	uint8_t *out; /* holds deflate_chunk_bound(in_len) */
	size_t out_len;
	uint32_t crc; /* of the input */
};

struct deflater; /* a level's working memory; one per thread */

struct deflater *deflater_new(int level);
void deflater_free(struct deflater *deflater);
void deflater_run(struct deflater *deflater, struct deflate_chunk *chunk);
size_t deflate_chunk_bound(size_t in_len);

#define GZIP_LEVEL_MIN     1
#define GZIP_LEVEL_MAX     9
#define GZIP_LEVEL_DEFAULT 1
#define ZSTD_LEVEL_DEFAULT 3

/* Both take @next; @level is one of theirs. */
struct sink *codec_gzip(struct sink *next, int level);
struct sink *codec_zstd(struct sink *next, int level);
int codec_zstd_level_max(void);

/* Processors this process may use, at least 1 and at most @limit. */
unsigned codec_threads(unsigned limit);

#endif
