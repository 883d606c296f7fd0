/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the patterns that cut and replace parts of a variable's value. A
 * pattern is its pieces between the '*'s; finding piece after piece decides
 * everything, so nothing is ever tried twice. Who the value belongs to is not
 * known here.
 */
#include "builder/pattern.h"

#include <stdint.h>
#include <string.h>

#include "builder/rune.h"
#include "common/mem.h"

#define RUNE_ANY  0x80000000u /* '?' */
#define RUNE_STAR 0x80000001u /* '*' */

/* Text, or a pattern, by characters. */
struct runes {
	uint32_t *items;
	size_t count;
};

#define auto_runes __attribute__((cleanup(runes_release)))

static void runes_release(struct runes *runes)
{
	free(runes->items);
}

static struct runes runes_of(const char *s)
{
	size_t len = strlen(s);
	struct runes runes = { mem_array(len + 1, sizeof(uint32_t)), 0 };

	for (size_t i = 0, n; i < len; i += n)
		runes.items[runes.count++] = rune_next(s + i, len - i, &n);
	return runes;
}

static void runes_reverse(struct runes *runes)
{
	for (size_t i = 0, j = runes->count; i + 1 < j; i++) {
		uint32_t rune = runes->items[i];

		runes->items[i] = runes->items[--j];
		runes->items[j] = rune;
	}
}

static void put_rune(struct strbuf *out, uint32_t rune)
{
	if (rune >= RUNE_BAD) {
		strbuf_putc(out, (char)(rune - RUNE_BAD));
	} else if (rune < 0x80) {
		strbuf_putc(out, (char)rune);
	} else {
		int tails = rune < 0x800 ? 1 : rune < 0x10000 ? 2 : 3;

		strbuf_putc(out, (char)((0xff00u >> (tails + 1) & 0xffu) | rune >> 6 * tails));
		while (tails-- > 0)
			strbuf_putc(out, (char)(0x80u | (rune >> 6 * tails & 0x3fu)));
	}
}

static void put_runes(struct strbuf *out, const struct runes *runes, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		put_rune(out, runes->items[i]);
}

/* The pattern with its wildcards told from quoted characters. */
static int parse_pattern(const char *pattern, struct runes *out, struct err *err)
{
	struct runes raw = runes_of(pattern);
	size_t to = 0;

	*out = raw;
	for (size_t i = 0; i < raw.count; i++) {
		uint32_t rune = raw.items[i];

		if (rune == '\\') {
			rune = i + 1 < raw.count ? raw.items[++i] : 0;
			if (rune == 0 || rune >= 0x80 || !strchr("*?\\}/", (int)rune))
				return err_set(err, ERR_INPUT,
					       "pattern '%s': '\\' only goes before * ? \\ } and /",
					       pattern);
		} else if (rune == '*') {
			rune = RUNE_STAR;
		} else if (rune == '?') {
			rune = RUNE_ANY;
		}
		raw.items[to++] = rune;
	}
	out->count = to;
	return 0;
}

/* Where the piece of the pattern that begins at @from ends: at a '*' or at its end. */
static size_t piece_end(const struct runes *pattern, size_t from)
{
	while (from < pattern->count && pattern->items[from] != RUNE_STAR)
		from++;
	return from;
}

static bool piece_is_at(const uint32_t *piece, size_t len, const struct runes *text, size_t at)
{
	if (len > text->count - at)
		return false;
	for (size_t i = 0; i < len; i++)
		if (piece[i] != RUNE_ANY && piece[i] != text->items[at + i])
			return false;
	return true;
}

/* The first (or last) place from @at on where the piece stands. */
static bool find_piece(const uint32_t *piece, size_t len, const struct runes *text, size_t at,
		       bool is_last, size_t *out_at)
{
	if (len > text->count - at)
		return false;
	for (size_t i = 0, tries = text->count - at - len + 1; i < tries; i++) {
		size_t place = is_last ? at + tries - 1 - i : at + i;

		if (piece_is_at(piece, len, text, place)) {
			*out_at = place;
			return true;
		}
	}
	return false;
}

/*
 * Does the pattern match at @at, and where does its shortest or longest match end? Taking
 * each inner piece as early as possible leaves the most room for the rest;
 * only the last piece makes the match short or long.
 */
static bool match_at(const struct runes *pattern, const struct runes *text, size_t at,
		     enum pattern_length length, size_t *out_end)
{
	size_t end = piece_end(pattern, 0);

	if (!piece_is_at(pattern->items, end, text, at))
		return false;
	at += end;
	while (end < pattern->count) {
		size_t from = end + 1;

		end = piece_end(pattern, from);
		if (!find_piece(pattern->items + from, end - from, text, at,
				end == pattern->count && length == PATTERN_LONGEST, &at))
			return false;
		at += end - from;
	}
	*out_end = at;
	return true;
}

int pattern_trim_prefix(const char *pattern, const char *value, enum pattern_length length,
			struct strbuf *out, struct err *err)
{
	auto_runes struct runes text = runes_of(value);
	auto_runes struct runes tokens = { NULL, 0 };
	size_t end = 0;

	if (parse_pattern(pattern, &tokens, err) < 0)
		return -1;
	if (!match_at(&tokens, &text, 0, length, &end))
		end = 0;
	put_runes(out, &text, end, text.count);
	return 0;
}

int pattern_trim_suffix(const char *pattern, const char *value, enum pattern_length length,
			struct strbuf *out, struct err *err)
{
	auto_runes struct runes text = runes_of(value);
	auto_runes struct runes tokens = { NULL, 0 };
	size_t end = 0;

	if (parse_pattern(pattern, &tokens, err) < 0)
		return -1;
	/* a suffix is a prefix read backwards */
	runes_reverse(&text);
	runes_reverse(&tokens);
	if (!match_at(&tokens, &text, 0, length, &end))
		end = 0;
	runes_reverse(&text);
	put_runes(out, &text, 0, text.count - end);
	return 0;
}

/* The first place from @from on where the pattern matches. */
static bool find_match(const struct runes *pattern, const struct runes *text, size_t from,
		       size_t *out_at, size_t *out_end)
{
	size_t first = piece_end(pattern, 0);

	if (!find_piece(pattern->items, first, text, from, false, out_at))
		return false;
	/* what a '*' does not find from here, it does not find from further on */
	return match_at(pattern, text, *out_at, PATTERN_LONGEST, out_end);
}

int pattern_replace(const char *pattern, const char *value, const char *replacement, bool is_each,
		    size_t limit, struct strbuf *out, struct err *err)
{
	auto_runes struct runes text = runes_of(value);
	auto_runes struct runes tokens = { NULL, 0 };
	size_t done = 0, at, end;

	if (parse_pattern(pattern, &tokens, err) < 0)
		return -1;
	while (find_match(&tokens, &text, done, &at, &end)) {
		put_runes(out, &text, done, at);
		strbuf_puts(out, replacement);
		done = end;
		if (out->len > limit)
			return err_set(err, ERR_INPUT, "a replacement gives more than %zu bytes",
				       limit);
		if (!is_each || done == text.count)
			break;
		if (end == at) /* an empty pattern stands before each character, and at the end */
			put_rune(out, text.items[done++]);
	}
	put_runes(out, &text, done, text.count);
	return 0;
}
