/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STATEMENT_H
#define BUILDER_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/ast.h"
#include "builder/lex.h"
#include "common/err.h"

/*
 * One instruction taken apart by the form that its arguments have, not yet
 * understood:
 *
 *   statement = keyword { flag } arguments { heredoc }
 *   flag      = "--" name [ "=" value ]     quotes and escapes act and are gone; "--" ends them
 *
 *   arguments of
 *   FROM, EXPOSE                    words between blanks, no quoting
 *   ADD, COPY, VOLUME               the same, or a JSON array
 *   ENV, LABEL, ARG                 words with quotes and escapes, which are kept
 *   RUN, CMD, ENTRYPOINT, SHELL     a JSON array, or the rest as it stands
 *   HEALTHCHECK                     a word, then as RUN
 *   MAINTAINER, STOPSIGNAL, USER, WORKDIR    the rest as it stands
 *   ONBUILD                         a statement
 *
 * What begins with '[' and is no JSON is taken the other way; JSON of anything but
 * strings is an error. RUN, ADD and COPY that are not JSON may have heredocs.
 */
struct word {
	char *text;
	size_t offset; /* in the logical line */
};

struct words {
	struct word *items;
	size_t count;
};

struct statement {
	bool is_known; /* the keyword is an instruction: kind is valid */
	enum instruction_kind kind;
	struct word keyword;
	struct words flags;
	struct words args;
	bool is_legacy; /* ENV, LABEL "key value": args are these two */
	bool is_json;
	char *json_fault; /* began with '[', but is no JSON: why */
	struct heredoc *heredocs;
	size_t heredoc_count;
	struct statement *child; /* ONBUILD */
	bool is_child;
	int line_end; /* with heredocs */
};

#define STATEMENT_INIT            \
	{                         \
		.is_known = false \
	}
#define auto_statement __attribute__((cleanup(statement_release)))
void statement_release(struct statement *statement);

/* Take @line apart; bodies of heredocs are read from @lexer. Errors have their place. */
int statement_read(struct lexer *lexer, const struct lex_line *line, struct statement *out,
		   struct err *err);

/* ---- heredoc words ---- */

/*
 * Is @word "[n]<<[-]NAME"? Then *out has its name and flags. *out_is_one is
 * false when it is none; ERR_INPUT when its quotes are wrong.
 */
int heredoc_parse_word(const char *word, struct heredoc *out, bool *out_is_one, struct err *err);

#endif
