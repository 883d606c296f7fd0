/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_CODEC_H
#define LAYERS_CODEC_H

#include "common/err.h"
#include "layers/stream.h"

/*
 * Compression of layers. gzip at levels 1 and 2 by ISA-L where it is built in
 * (10–18 times faster than zlib's level 1 for about 14 % more bytes), by zlib
 * at 0 and 3–9; zstd by libzstd. The default levels are 1 and 3.
 *
 * With the same versions of these libraries the bytes depend on input and level alone: not on
 * the processor (of an architecture), the number of threads, or how the input was cut into writes.
 * No time and no name is in a gzip header, its OS byte is 255. Large inputs are compressed by
 * several threads (at most 8), which block all signals.
 */
enum codec {
	CODEC_NONE,
	CODEC_GZIP,
	CODEC_ZSTD,
	CODEC_BZIP2, /* reading only, by ADD; refused where not built in */
	CODEC_XZ,    /* reading only */
};

#define CODEC_LEVEL_DEFAULT (-1)

const char *codec_name(enum codec codec); /* "none", "gzip", "zstd", … */
int codec_parse(const char *name, enum codec *out, struct err *err);
/*
 * A level: gzip has 0 (stored) to 9, zstd 0 (its default) to 22. ERR_USAGE for any other text, and
 * for a codec without levels.
 */
int codec_level_parse(const char *text, enum codec codec, int *out, struct err *err);

/* Which codec the first bytes of a stream belong to (needs 6 bytes; fewer: NONE). */
enum codec codec_detect(const void *head, size_t len);

/*
 * Compress what is written and pass it on to @next (taken). To write it there takes as long as to
 * compress, so of a long stream that is done in a thread of its own: what fails there is told by a
 * later write, or at finish. NULL on a level out of range.
 */
struct sink *codec_compress(struct sink *next, enum codec codec, int level, struct err *err);

/*
 * Decompress @from (taken). Several gzip members or zstd frames in a row are
 * one stream, as gzip(1) and zstd(1) read them; a stream cut short, trailing garbage and a wrong
 * checksum are ERR_INPUT.
 */
struct source *codec_decompress(struct source *from, enum codec codec, const char *what,
				struct err *err);

/* Look at the first bytes, then decompress accordingly; *out_codec may be NULL. @from is taken. */
struct source *codec_decompress_any(struct source *from, const char *what, enum codec *out_codec,
				    struct err *err);

#endif
