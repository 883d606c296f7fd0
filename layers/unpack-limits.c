/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how much may come out of an archive: what the limits are, who
 * raises them, and the one that no entry shows, how much a few compressed
 * bytes may become. What counts against the others is unpack.c's.
 */
#include "layers/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"

#define VARIABLE "IMGBUILD_UNPACK_LIMITS"

const struct unpack_limits unpack_limits_default = {
	.max_bytes = (uint64_t)1 << 40,
	.max_entries = (uint64_t)16 << 20,
	.max_depth = 512,
	.max_ratio = 1100, /* more than gzip can */
};

/* ---- as text ---- */

static const char *const names[] = { "bytes", "entries", "depth", "ratio", NULL };

static uint64_t *limit_of(struct unpack_limits *limits, const char *name, size_t len)
{
	uint64_t *const fields[] = { &limits->max_bytes, &limits->max_entries, &limits->max_depth,
				     &limits->max_ratio };

	for (size_t i = 0; names[i]; i++)
		if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0)
			return fields[i];
	return NULL;
}

/* Digits, then perhaps one of k, m, g and t: 1024 times as much each. */
static int parse_number(const char *text, size_t len, uint64_t *out)
{
	static const char units[] = "kmgt";
	const size_t digits = strspn(text, "0123456789");
	const char *unit = len == digits + 1 ? strchr(units, text[digits] | 0x20) : NULL;
	uint64_t number = 0;

	if (digits == 0 || (digits != len && !unit))
		return -1;
	for (size_t i = 0; i < digits; i++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return -1;
	for (size_t i = 0; unit && i <= (size_t)(unit - units); i++)
		if (__builtin_mul_overflow(number, 1024, &number))
			return -1;
	if (number == 0)
		return -1;
	*out = number;
	return 0;
}

static int parse_one(const char *text, size_t len, struct unpack_limits *limits, struct err *err)
{
	size_t name_len = strcspn(text, "=,");
	uint64_t *limit = limit_of(limits, text, name_len);

	if (!limit)
		return err_set(err, ERR_USAGE, "'%.*s' is none of bytes, entries, depth, ratio",
			       (int)name_len, text);
	if (text[name_len] != '=' ||
	    parse_number(text + name_len + 1, len - name_len - 1, limit) < 0)
		return err_set(err, ERR_USAGE,
			       "'%.*s' is not %.*s=NUMBER, with k, m, g or t for "
			       "multiples of 1024",
			       (int)len, text, (int)name_len, text);
	return 0;
}

int unpack_limits_parse(const char *text, struct unpack_limits *limits, struct err *err)
{
	struct unpack_limits made = *limits;

	while (*text) {
		size_t len = strcspn(text, ",");

		if (len > 0 && parse_one(text, len, &made, err) < 0)
			return -1;
		text += len;
		text += *text == ',';
	}
	*limits = made;
	return 0;
}

/* ---- where they are from ---- */

int unpack_limits_load(struct unpack_limits *out, struct err *err)
{
	const char *text = getenv(VARIABLE);

	*out = unpack_limits_default;
	if (text && unpack_limits_parse(text, out, err) < 0)
		return err_prefix(err, VARIABLE);
	return 0;
}

int unpack_limits_raise(const struct strlist *options, struct err *err)
{
	const char *text = getenv(VARIABLE);
	auto_strbuf struct strbuf all = STRBUF_INIT;
	struct unpack_limits limits;

	if (unpack_limits_load(&limits, err) < 0)
		return -1;
	strbuf_puts(&all, text ? text : "");
	for (size_t i = 0; i < options->count; i++) {
		if (unpack_limits_parse(options->items[i], &limits, err) < 0)
			return err_prefix(err, "--unpack-limit");
		strbuf_printf(&all, "%s%s", all.len > 0 ? "," : "", options->items[i]);
	}
	if (all.len > 0 && setenv(VARIABLE, all.data, 1) < 0)
		return err_sys(err, "set " VARIABLE);
	return 0;
}

/* ---- compressed bytes ---- */

/* What an archive is read from, and what came out of it. */
struct packed_source {
	struct source source;
	struct source *from;
	uint64_t *count; /* the other's */
};

struct budget_source {
	struct source source;
	struct source *from; /* a decoder, and below it a packed_source */
	uint64_t packed;
	uint64_t unpacked;
	uint64_t max_ratio;
	char *what;
};

static ssize_t packed_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct packed_source *self = (struct packed_source *)source;
	ssize_t n = source_read(self->from, data, len, err);

	if (n > 0)
		*self->count += (uint64_t)n;
	return n;
}

static void packed_free(struct source *source)
{
	struct packed_source *self = (struct packed_source *)source;

	source_free(self->from);
	free(self);
}

uint64_t unpack_ratio_allows(uint64_t packed_bytes, uint64_t max_ratio)
{
	uint64_t allowed;

	if (__builtin_mul_overflow(packed_bytes, max_ratio, &allowed) ||
	    __builtin_add_overflow(allowed, UNPACK_FREE_BYTES, &allowed))
		return UINT64_MAX;
	return allowed;
}

static ssize_t budget_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct budget_source *self = (struct budget_source *)source;
	ssize_t n = source_read(self->from, data, len, err);

	if (n <= 0)
		return n;
	self->unpacked += (uint64_t)n;
	if (self->unpacked <= unpack_ratio_allows(self->packed, self->max_ratio))
		return n;
	return err_set(err, ERR_INPUT,
		       "'%s' unpacks to more than %llu times its size: if it may, give "
		       "--unpack-limit ratio=NUMBER",
		       self->what, (unsigned long long)self->max_ratio);
}

static void budget_free(struct source *source)
{
	struct budget_source *self = (struct budget_source *)source;

	source_free(self->from);
	free(self->what);
	free(self);
}

struct source *unpack_open(struct source *from, const char *what, enum codec *out_codec,
			   struct err *err)
{
	struct packed_source *packed = mem_alloc(sizeof(*packed));
	struct budget_source *self = mem_alloc(sizeof(*self));
	struct unpack_limits limits;

	packed->source = (struct source){ .read = packed_read, .free = packed_free };
	packed->from = from;
	packed->count = &self->packed;
	self->source = (struct source){ .read = budget_read, .free = budget_free };
	self->what = str_dup(what);
	if (unpack_limits_load(&limits, err) < 0) {
		source_free(&packed->source);
		source_free(&self->source);
		return NULL;
	}
	self->max_ratio = limits.max_ratio;
	self->from = codec_decompress_any(&packed->source, what, out_codec, err);
	if (!self->from) {
		source_free(&self->source);
		return NULL;
	}
	return &self->source;
}
