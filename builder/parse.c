/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the way from text to tree: stages, what stands before them, and
 * the instructions that are words, pairs or triggers. Commands are
 * builder/parse-run's, copies builder/parse-copy's.
 */
#include "builder/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/parse-internal.h"
#include "builder/rune.h"
#include "builder/value.h"
#include "common/cmdline.h"
#include "common/mem.h"
#include "common/signals.h"

#define DOC_COMMENTS_MAX 64 /* that far above an instruction its comments are looked for */

/* ---- errors ---- */

int parse_locate(struct parse *p, size_t offset)
{
	return source_locate(p->err, p->source, lex_position(p->line, offset),
			     p->st->is_known ? instruction_name(p->st->kind) : NULL);
}

int parse_error(struct parse *p, size_t offset, const char *fmt, ...)
{
	auto_free char *message = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&message, fmt, ap);
	va_end(ap);
	err_set(p->err, ERR_INPUT, "%s", n < 0 ? fmt : message);
	return parse_locate(p, offset);
}

static int fail_unknown(struct parse *p)
{
	const struct word *keyword = &p->st->keyword;
	auto_free char *upper = str_dup(keyword->text);
	const char *near;

	for (char *c = upper; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c & ~0x20);
	near = cmdline_nearest(upper, instruction_names);
	parse_error(p, keyword->offset, "unknown instruction '%s'", keyword->text);
	return near ? source_hint(p->err, "did you mean '%s'?", near) : -1;
}

/* True when expansion leaves @text as it is, so that it can be judged now. */
static bool is_literal(const char *text, char escape)
{
	return !strpbrk(text, "$'\"") && !strchr(text, escape);
}

static int refuse_flags(struct parse *p)
{
	static const struct flag_spec none[] = { { .name = NULL } };

	return parse_flags(p, none);
}

/* ---- pairs ---- */

/* The comment "NAME text" among @comments: text, or NULL. */
static char *find_doc(const struct strlist *comments, const char *name)
{
	size_t len = strlen(name);
	/* many names below many comments must not take a product of time */
	size_t first = comments->count > DOC_COMMENTS_MAX ? comments->count - DOC_COMMENTS_MAX : 0;

	for (size_t i = first; i < comments->count && len > 0; i++) {
		const char *comment = comments->items[i];

		if (strncmp(comment, name, len) == 0 && comment[len] == ' ')
			return str_dup(comment + len + 1);
	}
	return NULL;
}

/* "KEY=value", or for ARG also "KEY". */
static int read_pair(struct parse *p, const struct word *word, struct keyvalue *out)
{
	const char *equals = strchr(word->text, '=');

	if (!equals && p->st->kind != INSTRUCTION_ARG) {
		parse_error(p, word->offset, "'%s' has no '='", word->text);
		return source_hint(p->err, "NAME=VALUE; a value with blanks goes in quotes");
	}
	out->key =
		equals ? str_ndup(word->text, (size_t)(equals - word->text)) : str_dup(word->text);
	out->value = equals ? str_dup(equals + 1) : NULL;
	out->at = lex_position(p->line, word->offset);
	if (!out->key[0])
		return parse_error(p, word->offset, "a name is missing before '='");
	if (p->st->kind == INSTRUCTION_ARG)
		out->doc = find_doc(&p->line->comments, out->key);
	return 0;
}

static int parse_pairs(struct parse *p, struct keyvalue_instruction *out)
{
	const struct words *args = &p->st->args;

	if (refuse_flags(p) < 0)
		return -1;
	if (args->count == 0)
		return parse_error(p, p->st->keyword.offset, "needs at least one argument");
	if (p->st->is_legacy) {
		out->pairs = mem_array(1, sizeof(*out->pairs));
		out->count = 1;
		out->pairs[0] = (struct keyvalue){
			.key = str_dup(args->items[0].text),
			.value = str_dup(args->items[1].text),
			.is_legacy = true,
			.at = lex_position(p->line, args->items[0].offset),
		};
		return 0;
	}
	out->pairs = mem_array(args->count, sizeof(*out->pairs));
	out->count = args->count;
	for (size_t i = 0; i < args->count; i++)
		if (read_pair(p, &args->items[i], &out->pairs[i]) < 0)
			return -1;
	return 0;
}

/* ---- words ---- */

/* EXPOSE: what is no variable must be a port. */
static int check_port(struct parse *p, const struct word *word)
{
	if (!is_literal(word->text, p->escape))
		return 0;
	return value_ports(word->text, NULL, NULL, p->err) < 0 ? parse_locate(p, word->offset) : 0;
}

static int parse_words(struct parse *p, struct strlist *out)
{
	const struct words *args = &p->st->args;
	bool is_expose = p->st->kind == INSTRUCTION_EXPOSE;

	if (refuse_flags(p) < 0)
		return -1;
	if (args->count == 0)
		return parse_error(p, p->st->keyword.offset, "needs at least one argument");
	for (size_t i = 0; i < args->count; i++) {
		const char *text = rune_skip_space(args->items[i].text);

		if (!text[0])
			return parse_error(p, args->items[i].offset, "an argument is empty");
		if (is_expose && check_port(p, &args->items[i]) < 0)
			return -1;
		strlist_take(out, str_ndup(text, rune_trim_end(text, strlen(text))));
	}
	if (is_expose)
		strlist_sort(out);
	return 0;
}

static int parse_word(struct parse *p, char **out)
{
	const struct words *args = &p->st->args;
	int number;

	if (refuse_flags(p) < 0)
		return -1;
	if (args->count == 0)
		return parse_error(p, p->st->keyword.offset, "needs exactly one argument");
	*out = str_dup(args->items[0].text);
	if (p->st->kind == INSTRUCTION_STOPSIGNAL && is_literal(*out, p->escape) &&
	    signal_parse(*out, &number, p->err) < 0)
		return parse_locate(p, args->items[0].offset);
	return 0;
}

/* ---- triggers ---- */

static struct instruction *parse_instruction(struct parse *p);

/* What may stand behind ONBUILD, and in an image's list of triggers. */
static int check_trigger(struct parse *p)
{
	enum instruction_kind kind = p->st->kind;

	if (p->st->is_known && (kind == INSTRUCTION_FROM || kind == INSTRUCTION_ONBUILD ||
				kind == INSTRUCTION_MAINTAINER))
		return parse_error(p, p->st->keyword.offset,
				   "is not allowed as an ONBUILD trigger");
	return 0;
}

static int parse_onbuild(struct parse *p, struct onbuild_instruction *out)
{
	struct statement *child = p->st->child;
	struct parse inner = { p->source, p->line, child, p->escape, p->err };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	const char *from;

	if (refuse_flags(p) < 0)
		return -1;
	if (!child)
		return parse_error(p, p->st->keyword.offset, "needs an instruction");
	if (check_trigger(&inner) < 0)
		return -1;
	from = p->line->text + child->keyword.offset;
	strbuf_add(&text, from, rune_trim_end(from, strlen(from)));
	heredoc_append(&text, child->heredocs, child->heredoc_count);
	out->text = strbuf_steal(&text);
	out->trigger = parse_instruction(&inner);
	return out->trigger ? 0 : -1;
}

/* ---- one instruction ---- */

static int fill_instruction(struct parse *p, struct instruction *out)
{
	switch (out->kind) {
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		return parse_copy(p, &out->copy);
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		return parse_pairs(p, &out->keyvalue);
	case INSTRUCTION_CMD:
	case INSTRUCTION_ENTRYPOINT:
		return parse_command(p, &out->command);
	case INSTRUCTION_SHELL:
		return parse_shell(p, &out->command);
	case INSTRUCTION_RUN:
		return parse_run(p, &out->run);
	case INSTRUCTION_HEALTHCHECK:
		return parse_healthcheck(p, &out->healthcheck);
	case INSTRUCTION_ONBUILD:
		return parse_onbuild(p, &out->onbuild);
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_VOLUME:
		return parse_words(p, &out->words);
	case INSTRUCTION_MAINTAINER:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_USER:
	case INSTRUCTION_WORKDIR:
		return parse_word(p, &out->word);
	case INSTRUCTION_FROM:
		break;
	}
	return 0;
}

static char *copy_trimmed(const char *text)
{
	return str_ndup(text, rune_trim_end(text, strlen(text)));
}

/* NULL on failure. */
static struct instruction *parse_instruction(struct parse *p)
{
	struct instruction *made;
	struct position at = lex_position(p->line, p->st->keyword.offset);

	if (!p->st->is_known) {
		fail_unknown(p);
		return NULL;
	}
	made = instruction_new(p->st->kind);
	made->keyword = str_dup(p->st->keyword.text);
	made->original = copy_trimmed(p->line->text + p->st->keyword.offset);
	made->line_start = at.line;
	made->line_end = p->st->line_end;
	made->column = at.column;
	strlist_copy(&made->comments, &p->line->comments);
	if (fill_instruction(p, made) < 0) {
		instruction_free(made);
		return NULL;
	}
	return made;
}

/* ---- stages ---- */

static int read_from(struct parse *p, struct stage *out)
{
	const struct words *args = &p->st->args;
	const struct flag_spec specs[] = {
		{ "platform", FLAG_STRING, &out->platform },
		{ .name = NULL },
	};

	if (parse_flags(p, specs) < 0)
		return -1;
	if (args->count != 1 && (args->count != 3 || strcasecmp(args->items[1].text, "AS") != 0)) {
		parse_error(p, args->count > 1 ? args->items[1].offset : p->st->keyword.offset,
			    "needs either one or three arguments");
		return source_hint(p->err, "FROM IMAGE, or FROM IMAGE AS NAME");
	}
	out->base = str_dup(args->items[0].text);
	out->base_at = lex_position(p->line, args->items[0].offset);
	if (args->count == 1)
		return 0;
	out->as_keyword = str_dup(args->items[1].text);
	out->name_as_written = str_dup(args->items[2].text);
	out->name = str_dup(args->items[2].text);
	for (char *c = out->name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	if (!value_is_stage_name(out->name))
		return parse_error(p, args->items[2].offset,
				   "'%s' is no name for a stage: a letter, then letters, digits, "
				   "'-', '_' and '.'",
				   out->name_as_written);
	out->doc = find_doc(&p->line->comments, out->name);
	return 0;
}

/* NULL on failure. */
static struct stage *parse_from(struct parse *p)
{
	struct stage *made = mem_alloc(sizeof(*made));
	struct position at = lex_position(p->line, p->st->keyword.offset);

	made->keyword = str_dup(p->st->keyword.text);
	made->original = copy_trimmed(p->line->text);
	made->line_start = at.line;
	made->line_end = p->st->line_end;
	made->column = at.column;
	strlist_copy(&made->comments, &p->line->comments);
	if (read_from(p, made) < 0) {
		stage_free(made);
		return NULL;
	}
	return made;
}

/* Room for one more in an array of pointers that has @count; it doubles when full. */
static void *grow(void *items, size_t count)
{
	if ((count & (count - 1)) != 0)
		return items;
	return mem_resize(items, count ? 2 * count : 1, sizeof(void *));
}

static void add_stage(struct ast *ast, struct stage *stage)
{
	ast->stages = grow(ast->stages, ast->stage_count);
	ast->stages[ast->stage_count++] = stage;
}

static void add_instruction(struct ast *ast, struct instruction *instruction)
{
	struct stage *stage;

	if (ast->stage_count == 0) {
		ast->globals = grow(ast->globals, ast->global_count);
		ast->globals[ast->global_count++] = instruction;
		return;
	}
	stage = ast->stages[ast->stage_count - 1];
	stage->instructions = grow(stage->instructions, stage->instruction_count);
	stage->instructions[stage->instruction_count++] = instruction;
}

static void note_empty_line(struct ast *ast, int line)
{
	ast->empty_continuations = mem_resize(ast->empty_continuations,
					      ast->empty_continuation_count + 1, sizeof(int));
	ast->empty_continuations[ast->empty_continuation_count++] = line;
}

/* A statement of a file, in its place. */
static int add_statement(struct parse *p, struct ast *ast)
{
	struct instruction *instruction;
	struct stage *stage;

	if (p->st->is_known && p->st->kind == INSTRUCTION_FROM) {
		stage = parse_from(p);
		if (!stage)
			return -1;
		add_stage(ast, stage);
		return 0;
	}
	if (p->st->is_known && p->st->kind != INSTRUCTION_ARG && ast->stage_count == 0) {
		parse_error(p, p->st->keyword.offset, "stands before the first FROM");
		return source_hint(p->err, "only ARG may");
	}
	instruction = parse_instruction(p);
	if (!instruction)
		return -1;
	add_instruction(ast, instruction);
	return 0;
}

/* A statement of a trigger: the only one. */
static int add_trigger(struct parse *p, struct ast *ast)
{
	if (ast->stages[0]->instruction_count > 0)
		return parse_error(p, p->st->keyword.offset, "a trigger is one instruction only");
	if (check_trigger(p) < 0)
		return -1;
	return add_statement(p, ast);
}

typedef int (*add_fn)(struct parse *p, struct ast *ast);

/* Read all lines of ast->source, giving each to @add. */
static int read_lines(struct ast *ast, add_fn add, struct err *err)
{
	auto_lexer struct lexer lexer = LEXER_INIT;
	bool is_found = true;

	if (lexer_init(&lexer, &ast->source, &ast->directives, err) < 0)
		return -1;
	for (;;) {
		auto_lex_line struct lex_line line = LEX_LINE_INIT;
		auto_statement struct statement st = STATEMENT_INIT;
		struct parse p = { &ast->source, &line, &st, lexer.escape, err };

		if (lex_next(&lexer, &line, &is_found, err) < 0)
			return -1;
		if (!is_found)
			return 0;
		if (line.empty_line)
			note_empty_line(ast, line.empty_line);
		if (statement_read(&lexer, &line, &st, err) < 0 || add(&p, ast) < 0)
			return -1;
	}
}

/* ---- files and triggers ---- */

static int check_stages(const struct ast *ast, struct err *err)
{
	if (ast->stage_count > 0)
		return 0;
	if (ast->global_count > 0)
		return err_set(err, ERR_INPUT, "%s: no FROM, so there is nothing to build",
			       ast->source.name);
	return err_set(err, ERR_INPUT, "%s: the file has no instructions", ast->source.name);
}

/* Takes what ast->source was made of; NULL on failure. */
static struct ast *read_file(struct ast *ast, struct err *err)
{
	if (read_lines(ast, add_statement, err) < 0 || check_stages(ast, err) < 0) {
		ast_free(ast);
		return NULL;
	}
	ast_index_stages(ast);
	return ast;
}

struct ast *parse_buildfile(const char *name, const char *data, size_t len, struct err *err)
{
	struct ast *ast = mem_alloc(sizeof(*ast));

	if (source_init(&ast->source, name, data, len, err) < 0) {
		ast_free(ast);
		return NULL;
	}
	return read_file(ast, err);
}

struct ast *parse_fd(const char *name, int fd, struct err *err)
{
	struct ast *ast = mem_alloc(sizeof(*ast));

	if (source_load(&ast->source, name, fd, err) < 0) {
		ast_free(ast);
		return NULL;
	}
	return read_file(ast, err);
}

struct ast *parse_trigger(const char *text, struct err *err)
{
	struct ast *ast = mem_alloc(sizeof(*ast));

	add_stage(ast, mem_alloc(sizeof(struct stage)));
	if (source_init(&ast->source, "ONBUILD trigger", text, strlen(text), err) < 0 ||
	    read_lines(ast, add_trigger, err) < 0) {
		ast_free(ast);
		return NULL;
	}
	if (ast->stages[0]->instruction_count == 0) {
		ast_free(ast);
		err_set(err, ERR_INPUT, "ONBUILD trigger: there is no instruction in it");
		return NULL;
	}
	return ast;
}
