/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RUNE_H
#define BUILDER_RUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of UTF-8 text, independent of the locale. */

/* A byte that begins no valid sequence is a character of its own: RUNE_BAD + byte. */
#define RUNE_BAD 0x110000u

/* The character at @s (@len ≥ 1 bytes are there), its length in *out_len. JSON_NUL is U+0000. */
uint32_t rune_next(const char *s, size_t len, size_t *out_len);

bool rune_is_space(uint32_t rune);

/* What a variable's name may hold: letters, digits and '_'. Beyond ASCII all but symbols. */
bool rune_is_name(uint32_t rune);

/* The length of the blank at NUL-terminated @s, or 0 when it is none. */
size_t rune_space_at(const char *s);

/* @s after its leading blanks; the length of @s (of @len bytes) without trailing ones. */
const char *rune_skip_space(const char *s);
size_t rune_trim_end(const char *s, size_t len);

/* At most @max bytes of @s that end with a whole character; for messages. */
size_t rune_head(const char *s, size_t max);

#endif
