/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_MATCH_H
#define BUILDER_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

/*
 * Wildcard patterns over paths:
 *
 *   *        any number of characters, but no '/'
 *   ?        one character, not '/'
 *   [abc] [a-z] [^a]   one of, one not of; '\' quotes inside; never empty
 *   \c       c
 *   **       (only in a deep pattern) any number of directories, also none;
 *            at the end: all that follows
 *
 * Characters are UTF-8; a byte that is not is a character of its own. Matching takes
 * time in proportion to pattern times path, whatever the pattern. A deep
 * pattern of "**" and plain characters ("**.log") matches all that ends so.
 */
#define MATCH_PATTERN_MAX_BYTES 8192

/* ERR_INPUT "syntax error in pattern '…'" when @pattern is none. */
int match_check(const char *pattern, struct err *err);

/* True when all of @name matches. @pattern must have passed match_check; "**" is "*" twice. */
bool match_glob(const char *pattern, const char *name);

/* True when the pattern has one of * ? [ that is not quoted by '\'. */
bool match_has_wildcard(const char *pattern);

/*
 * True when the pattern has one of them, quoted or not: what it names is not spelled as it is
 * written. Any other '\' is a character of a name.
 */
bool match_is_pattern(const char *pattern);

/* ---- the same, compiled; for many names ---- */
struct match; /* immutable, may be used by several threads */

/* With @is_deep "**" has its meaning. NULL and ERR_INPUT as match_check. */
struct match *match_new(const char *pattern, bool is_deep, struct err *err);
void match_free(struct match *match);
#define auto_match __attribute__((cleanup(match_auto_free)))
static inline void match_auto_free(struct match **match)
{
	match_free(*match);
}
bool match_test(const struct match *match, const char *name, size_t len);

/* True when @path or a directory above it matches: "a/b" for "a/b/c". */
bool match_test_tree(const struct match *match, const char *path, size_t len);

/*
 * True when something below directory @dir (without trailing '/') could
 * match. Never false when something does.
 */
bool match_test_below(const struct match *match, const char *dir, size_t len);

#endif
