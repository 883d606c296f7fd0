/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the names of codecs, for telling them apart by their first
 * bytes, and for handing a stream to the right one. Each format has a file of
 * its own: codec-gzip and codec-gunzip, codec-zstd, codec-bzip2, codec-xz.
 */
#include "layers/codec.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "layers/codec-internal.h"

#define INPUT_BYTES ((size_t)128 * 1024)
#define MAGIC_BYTES 6

const char *codec_name(enum codec codec)
{
	switch (codec) {
	case CODEC_NONE:
		return "none";
	case CODEC_GZIP:
		return "gzip";
	case CODEC_ZSTD:
		return "zstd";
	case CODEC_BZIP2:
		return "bzip2";
	case CODEC_XZ:
		return "xz";
	}
	return "unknown";
}

int codec_parse(const char *name, enum codec *out, struct err *err)
{
	static const enum codec all[] = { CODEC_NONE, CODEC_GZIP, CODEC_ZSTD, CODEC_BZIP2,
					  CODEC_XZ };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(name, codec_name(all[i])) != 0)
			continue;
		*out = all[i];
		return 0;
	}
	/* the name that docker's and buildah's options use for it */
	if (strcmp(name, "uncompressed") == 0) {
		*out = CODEC_NONE;
		return 0;
	}
	return err_set(err, ERR_USAGE,
		       "unknown compression '%s' (known: none, gzip, zstd, bzip2, xz)", name);
}

enum codec codec_detect(const void *head, size_t len)
{
	const uint8_t *b = head;

	if (len < MAGIC_BYTES)
		return CODEC_NONE;
	if (b[0] == 0x1f && b[1] == 0x8b)
		return CODEC_GZIP;
	if (memcmp(b, "\x28\xb5\x2f\xfd", 4) == 0)
		return CODEC_ZSTD;
	/* a skippable frame may come first */
	if ((b[0] & 0xf0) == 0x50 && memcmp(b + 1, "\x2a\x4d\x18", 3) == 0)
		return CODEC_ZSTD;
	if (memcmp(b, "BZh", 3) == 0 && b[3] >= '1' && b[3] <= '9')
		return CODEC_BZIP2;
	if (memcmp(b,
		   "\xfd"
		   "7zXZ\0",
		   6) == 0)
		return CODEC_XZ;
	return CODEC_NONE;
}

unsigned codec_threads(unsigned limit)
{
	cpu_set_t set;
	int count = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = CPU_COUNT(&set);
	if (count < 1)
		return 1;
	return (unsigned)count < limit ? (unsigned)count : limit;
}

/* ---- compressing ---- */

/* The highest level; -1: there are none, or none that is written. */
static int level_max(enum codec codec)
{
	switch (codec) {
	case CODEC_GZIP:
		return GZIP_LEVEL_MAX;
	case CODEC_ZSTD:
		return codec_zstd_level_max();
	case CODEC_NONE:
	case CODEC_BZIP2:
	case CODEC_XZ:
		break;
	}
	return -1;
}

static int level_check(enum codec codec, int *level, int fallback, struct err *err)
{
	if (*level == CODEC_LEVEL_DEFAULT)
		*level = fallback;
	if (*level < 0 || *level > level_max(codec))
		return err_set(err, ERR_USAGE, "%s has no compression level %d (0 to %d)",
			       codec_name(codec), *level, level_max(codec));
	return 0;
}

int codec_level_parse(const char *text, enum codec codec, int *out, struct err *err)
{
	char *end;
	long level = strtol(text, &end, 10);
	int checked;

	if (level_max(codec) < 0)
		return err_set(err, ERR_USAGE, "compression '%s' has no levels", codec_name(codec));
	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		return err_set(err, ERR_USAGE, "'%.40s' is not a compression level", text);
	checked = level > 1000 ? 1000 : (int)level;
	if (level_check(codec, &checked, 0, err) < 0)
		return -1;
	*out = checked;
	return 0;
}

struct sink *codec_compress(struct sink *next, enum codec codec, int level, struct err *err)
{
	switch (codec) {
	case CODEC_NONE:
		return sink_thread(next);
	case CODEC_GZIP:
		if (level_check(codec, &level, GZIP_LEVEL_DEFAULT, err) < 0)
			break;
		return codec_gzip(next, level);
	case CODEC_ZSTD:
		if (level_check(codec, &level, ZSTD_LEVEL_DEFAULT, err) < 0)
			break;
		return codec_zstd(sink_thread(next), level);
	case CODEC_BZIP2:
	case CODEC_XZ:
		err_set(err, ERR_USAGE, "layers are not written with %s (known: none, gzip, zstd)",
			codec_name(codec));
		break;
	}
	sink_free(next);
	return NULL;
}

/* ---- decompressing ---- */

void codec_input_init(struct codec_input *in, struct source *from, const char *what)
{
	*in = (struct codec_input){
		.from = from,
		.what = str_dup(what),
		.buf = mem_alloc(INPUT_BYTES),
	};
}

void codec_input_release(struct codec_input *in)
{
	source_free(in->from);
	free(in->what);
	free(in->buf);
}

int codec_input_fill(struct codec_input *in, struct err *err)
{
	ssize_t n;

	if (in->len > 0 || in->ended)
		return 0;
	n = source_read(in->from, in->buf, INPUT_BYTES, err);
	if (n < 0)
		return -1;
	in->next = in->buf;
	in->len = (size_t)n;
	in->ended = n == 0;
	return 0;
}

int codec_input_cut_short(const struct codec_input *in, struct err *err)
{
	return err_set(err, ERR_INPUT, "'%s' ends in the middle of its compressed data", in->what);
}

int codec_input_corrupt(const struct codec_input *in, const char *format, const char *why,
			struct err *err)
{
	return err_set(err, ERR_INPUT, "'%s' is damaged: %s: %s", in->what, format, why);
}

struct source *codec_decompress(struct source *from, enum codec codec, const char *what,
				struct err *err)
{
	switch (codec) {
	case CODEC_NONE:
		return from;
	case CODEC_GZIP:
		return codec_gunzip(from, what);
	case CODEC_ZSTD:
		return codec_unzstd(from, what);
	case CODEC_BZIP2:
		return codec_unbzip2(from, what, err);
	case CODEC_XZ:
		return codec_unxz(from, what, err);
	}
	source_free(from);
	err_set(err, ERR_BUG, "unknown codec %d", (int)codec);
	return NULL;
}

/* The bytes that were looked at, then the rest. */
struct peeked_source {
	struct source source;
	struct source *from;
	uint8_t head[MAGIC_BYTES];
	size_t pos;
	size_t len;
};

static ssize_t peeked_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct peeked_source *self = (struct peeked_source *)source;
	size_t have = self->len - self->pos;

	if (have == 0)
		return source_read(self->from, data, len, err);
	if (len > have)
		len = have;
	memcpy(data, self->head + self->pos, len);
	self->pos += len;
	return (ssize_t)len;
}

static void peeked_free(struct source *source)
{
	struct peeked_source *self = (struct peeked_source *)source;

	source_free(self->from);
	free(self);
}

struct source *codec_decompress_any(struct source *from, const char *what, enum codec *out_codec,
				    struct err *err)
{
	struct peeked_source *self = mem_alloc(sizeof(*self));
	enum codec codec;

	self->source = (struct source){ .read = peeked_read, .free = peeked_free };
	self->from = from;
	while (self->len < sizeof(self->head)) {
		ssize_t n = source_read(from, self->head + self->len,
					sizeof(self->head) - self->len, err);

		if (n < 0) {
			peeked_free(&self->source);
			return NULL;
		}
		if (n == 0)
			break;
		self->len += (size_t)n;
	}
	codec = codec_detect(self->head, self->len);
	if (out_codec)
		*out_codec = codec;
	return codec_decompress(&self->source, codec, what, err);
}
