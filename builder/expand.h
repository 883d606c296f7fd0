/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXPAND_H
#define BUILDER_EXPAND_H

#include "common/err.h"
#include "common/strlist.h"

/*
 * Variables and quotes in words of a Buildfile:
 *
 *   $x ${x}                   the value, or nothing
 *   ${x-w} ${x:-w}            w if x is unset | unset or empty
 *   ${x+w} ${x:+w}            w if x is set | set and not empty
 *   ${x?w} ${x:?w}            an error "x: w" if x is unset | unset or empty
 *   ${x#p} ${x##p} ${x%p} ${x%%p}   without the shortest/longest prefix/suffix p
 *   ${x/p/w} ${x//p/w}        the first/each longest match of p replaced by w
 *   '…'                       as it stands
 *   "…"                       $ is expanded; the escape acts before " $ and itself
 *   \c                        c; the escape character is the Buildfile's
 *
 * w nests. In p, '?' is one character, '*' any number; "\?" "\*" "\\" are
 * literal, "\}" and "\/" too. One call sees one environment: that
 * "ENV a=1 b=$a" uses the old a is the caller's doing, by not changing the scope between
 * the words of an instruction.
 */
struct expand_scope {
	/* Asked first; the value or NULL for "unset". May be NULL. */
	const char *(*lookup)(const char *name, void *data);
	void *data;
	const struct strlist *env; /* asked next: "KEY=value"; may be NULL */
	struct strlist *used;      /* names that were found are added, once each; may be NULL */
	struct strlist *unset;     /* names that were not found, once each; may be NULL */
};

enum expand_mode {
	EXPAND_WORD = 0,             /* quotes and escapes are removed */
	EXPAND_KEEP_QUOTES = 1 << 0, /* quotes mean nothing and stay, escapes still act */
	EXPAND_RAW_QUOTES = 1 << 1,  /* quotes act but stay in the result */
	EXPAND_RAW_ESCAPES = 1 << 2, /* escapes act but stay */
	EXPAND_SKIP_UNSET = 1 << 3,  /* what names an unset variable stays as it is */
};

/* Bodies of COPY and ADD heredocs; to be used with the escape '\\' whatever the Buildfile's is. */
#define EXPAND_HEREDOC EXPAND_KEEP_QUOTES

#define EXPAND_NAMES_MAX 256

/* No result is longer: what would be is ERR_INPUT. */
#define EXPAND_MAX_BYTES (32u << 20)
/* No list of words is longer, nor are its words together. */
#define EXPAND_WORDS_MAX 65536u

/* *out is the caller's. ERR_INPUT without a place: see source_locate, ast_locate. */
int expand_word(const char *word, const struct expand_scope *scope, char escape,
		enum expand_mode mode, char **out, struct err *err);

/*
 * The same, then split at blanks outside quotes, those that came out of
 * variables included; empty words vanish. Appends to @out.
 */
int expand_words(const char *word, const struct expand_scope *scope, char escape,
		 enum expand_mode mode, struct strlist *out, struct err *err);

/*
 * A KEY=value of ENV, LABEL, ARG: both expanded. A key that comes out empty is
 * ERR_INPUT. @value may be NULL (ARG without default): *out_value is NULL then.
 */
int expand_pair(const char *key, const char *value, const struct expand_scope *scope, char escape,
		char **out_key, char **out_value, struct err *err);

#endif
