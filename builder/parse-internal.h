/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PARSE_INTERNAL_H
#define BUILDER_PARSE_INTERNAL_H

#include "builder/ast.h"
#include "builder/lex.h"
#include "builder/statement.h"
#include "common/err.h"

/* One statement on its way to an instruction. All is borrowed. */
struct parse {
	const struct source_file *source;
	const struct lex_line *line;
	struct statement *st; /* heredocs are taken out of it */
	char escape;
	struct err *err;
};

/* "NAME:LINE:COLUMN: KEYWORD: message" at @offset of the line. Returns -1. */
int parse_error(struct parse *p, size_t offset, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for an error that is already set. */
int parse_locate(struct parse *p, size_t offset);

/* ---- flags ---- */
enum flag_type { FLAG_SWITCH, FLAG_STRING, FLAG_LIST };

struct flag_spec {
	const char *name; /* without "--"; NULL ends the table */
	enum flag_type type;
	void *target; /* enum tristate * | char ** | struct words * (texts are borrowed) */
};

#define FLAG_SPECS_MAX 10

/* Read the statement's flags. On failure the targets are still the caller's to release. */
int parse_flags(struct parse *p, const struct flag_spec *specs);

/* ---- instructions; each fills what it is given, which is released by its owner ---- */
int parse_run(struct parse *p, struct run_instruction *out);
int parse_command(struct parse *p, struct command_line *out);
int parse_shell(struct parse *p, struct command_line *out);
int parse_healthcheck(struct parse *p, struct healthcheck_instruction *out);
int parse_copy(struct parse *p, struct copy_instruction *out);

#endif
