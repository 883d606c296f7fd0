/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PATTERN_H
#define BUILDER_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"

/*
 * The patterns of ${x#p} ${x%p} ${x/p/w}: '?' is one character, '*' any
 * number, '/' included; "\?" "\*" "\\" "\}" "\/" are literal. ERR_INPUT names
 * a '\' before anything else. Results are appended to @out.
 */
enum pattern_length { PATTERN_SHORTEST, PATTERN_LONGEST };

int pattern_trim_prefix(const char *pattern, const char *value, enum pattern_length length,
			struct strbuf *out, struct err *err);
int pattern_trim_suffix(const char *pattern, const char *value, enum pattern_length length,
			struct strbuf *out, struct err *err);

/* The longest match that begins first, or each; ERR_INPUT when more than @limit bytes came out. */
int pattern_replace(const char *pattern, const char *value, const char *replacement, bool is_each,
		    size_t limit, struct strbuf *out, struct err *err);

#endif
