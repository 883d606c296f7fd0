/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what is a character, a blank and a letter in UTF-8 text. Knows
 * no grammar; what a blank or a letter means is the caller's.
 */
#include "builder/rune.h"

#include <string.h>

static bool is_tail(const char *s, size_t i)
{
	return ((unsigned char)s[i] & 0xc0) == 0x80;
}

uint32_t rune_next(const char *s, size_t len, size_t *out_len)
{
	unsigned char c = (unsigned char)s[0];
	size_t need = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t rune;

	*out_len = 1;
	if (c < 0x80)
		return c;
	if (c == 0xc0 && len > 1 && (unsigned char)s[1] == 0x80) {
		*out_len = 2;
		return 0;
	}
	if (need == 0 || need > len)
		return RUNE_BAD + c;
	rune = c & (0xffu >> (need + 1));
	for (size_t i = 1; i < need; i++) {
		if (!is_tail(s, i))
			return RUNE_BAD + c;
		rune = rune << 6 | ((unsigned char)s[i] & 0x3fu);
	}
	if (rune < least[need] || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff))
		return RUNE_BAD + c;
	*out_len = need;
	return rune;
}

bool rune_is_space(uint32_t rune)
{
	if (rune == ' ' || (rune >= '\t' && rune <= '\r'))
		return true;
	return rune == 0x85 || rune == 0xa0 || rune == 0x1680 ||
	       (rune >= 0x2000 && rune <= 0x200a) || rune == 0x2028 || rune == 0x2029 ||
	       rune == 0x202f || rune == 0x205f || rune == 0x3000;
}

bool rune_is_name(uint32_t rune)
{
	/* blocks of punctuation, symbols and private characters; all else is some script's */
	static const struct {
		uint32_t first, last;
	} symbols[] = {
		{ 0x80, 0xa9 },       { 0xab, 0xb1 },     { 0xb4, 0xb4 },     { 0xb6, 0xb8 },
		{ 0xbb, 0xbf },       { 0xd7, 0xd7 },     { 0xf7, 0xf7 },     { 0x2000, 0x206f },
		{ 0x20a0, 0x20cf },   { 0x2190, 0x2bff }, { 0x2e00, 0x2e7f }, { 0x3000, 0x3004 },
		{ 0x3007, 0x3020 },   { 0xd800, 0xf8ff }, { 0xfe10, 0xfe6f }, { 0xff00, 0xff0f },
		{ 0xff1a, 0xff20 },   { 0xff3b, 0xff40 }, { 0xff5b, 0xff65 }, { 0xffe0, 0xffff },
		{ 0x1f000, 0x1faff },
	};

	if (rune < 0x80)
		return rune == '_' || (rune >= '0' && rune <= '9') ||
		       (rune >= 'A' && rune <= 'Z') || (rune >= 'a' && rune <= 'z');
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (rune >= symbols[i].first && rune <= symbols[i].last)
			return false;
	return rune < RUNE_BAD;
}

size_t rune_space_at(const char *s)
{
	size_t n;

	if ((unsigned char)s[0] < 0x80)
		return rune_is_space((unsigned char)s[0]) ? 1 : 0;
	return rune_is_space(rune_next(s, strnlen(s, 4), &n)) ? n : 0;
}

const char *rune_skip_space(const char *s)
{
	for (size_t n = rune_space_at(s); n > 0; n = rune_space_at(s))
		s += n;
	return s;
}

size_t rune_trim_end(const char *s, size_t len)
{
	while (len > 0) {
		size_t at = len - 1, n;

		while (at > 0 && len - at < 4 && is_tail(s, at))
			at--;
		if (!rune_is_space(rune_next(s + at, len - at, &n)) || n != len - at)
			break;
		len = at;
	}
	return len;
}

size_t rune_head(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	if (len <= max)
		return len;
	while (max > 0 && is_tail(s, max))
		max--;
	return max;
}
