/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_IGNORE_H
#define BUILDER_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

/*
 * .dockerignore files, and lists of patterns of the same kind (--exclude).
 *
 *   file    = { line "\n" }
 *   line    = "#" comment | blanks | [ "!" ] pattern
 *   pattern = as in builder/match.h, with "**"; "." ".." and "//" are cleaned
 *             away, a leading "/" is dropped, blanks around it are
 *
 * The last pattern that matches a path decides; "!" takes back. A pattern that
 * matches a directory matches all that is in it. Paths are relative, with '/', without "./".
 */
struct ignore {
	struct ignore_pattern *patterns;
	size_t count;
	bool has_exceptions; /* some pattern has "!" */
};

#define IGNORE_INIT              \
	{                        \
		.patterns = NULL \
	}
#define auto_ignore __attribute__((cleanup(ignore_release)))
void ignore_release(struct ignore *ignore);

/* The patterns of a file are appended. ERR_INPUT "NAME:LINE: …". */
int ignore_parse(struct ignore *ignore, const char *name, const char *text, size_t len,
		 struct err *err);

/* One pattern more, as an --exclude value: '#' is nothing special. ERR_INPUT without a place. */
int ignore_add(struct ignore *ignore, const char *pattern, struct err *err);

/* True when @path (file or directory) is left out. "." never is. */
bool ignore_match(const struct ignore *ignore, const char *path);

/*
 * For a directory that is left out: true when a "!" could bring back something
 * below it, so that the walk must go in. For one that is not left out: true.
 */
bool ignore_may_descend(const struct ignore *ignore, const char *dir);

#endif
