/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LEX_H
#define BUILDER_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/ast.h"
#include "builder/source.h"
#include "common/err.h"
#include "common/strlist.h"

/*
 * Lines of a Buildfile, and the directives above them:
 *
 *   file      = [ "#!" rest ] { directive } { comment | blank | logical }
 *   directive = "#" blanks ( "syntax" | "escape" | "check" ) "=" value
 *   comment   = blanks "#" rest
 *   logical   = blanks text { escape blanks newline { comment | blank } text }
 *
 * The escape joins two lines when it is the last thing in a line and there is
 * no other one right before it. Comments and empty lines between are dropped.
 */

/* From @offset of a logical line's text on, the file has it at @at. */
struct lex_segment {
	size_t offset;
	struct position at;
};

struct lex_line {
	char *text; /* joined; leading blanks of the first line are gone */
	int line_start;
	int line_end;
	struct lex_segment *segments;
	size_t segment_count;
	struct strlist comments; /* those above, without "#" and blanks */
	int empty_line;          /* the first empty line within, or 0 */
};

#define LEX_LINE_INIT        \
	{                    \
		.text = NULL \
	}
#define auto_lex_line __attribute__((cleanup(lex_line_release)))
void lex_line_release(struct lex_line *line);

/* Where the byte at @offset of the line's text is in the file. */
struct position lex_position(const struct lex_line *line, size_t offset);

struct lexer {
	const struct source_file *source; /* borrowed */
	char escape;
	int next; /* the line to read next */
	struct strlist comments;
};

#define LEXER_INIT             \
	{                      \
		.source = NULL \
	}
#define auto_lexer __attribute__((cleanup(lexer_release)))
void lexer_release(struct lexer *lexer);

/* Read the directives; *out is the caller's to release. */
int lexer_init(struct lexer *lexer, const struct source_file *source, struct directives *out,
	       struct err *err);

/* The next logical line; *out_found is false when there is none. */
int lex_next(struct lexer *lexer, struct lex_line *out, bool *out_found, struct err *err);

/*
 * The body of @heredoc, whose name and flags are set: the lines up to its
 * end, which is taken too. @opened is where it was opened, for the error. Returns the
 * line of its end in *out_line.
 */
int lex_heredoc(struct lexer *lexer, struct heredoc *heredoc, struct position opened, int *out_line,
		struct err *err);

#endif
