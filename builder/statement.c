/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the forms that arguments of instructions have: words, quoted
 * words, JSON, a rest of the line, flags before them and heredocs behind. What they
 * mean is builder/parse's.
 */
#include "builder/statement.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/expand.h"
#include "builder/rune.h"
#include "common/json.h"
#include "common/mem.h"

enum form {
	FORM_WORDS,
	FORM_WORDS_OR_JSON,
	FORM_PAIRS,  /* key=value …, or key value */
	FORM_QUOTED, /* words with quotes */
	FORM_COMMAND,
	FORM_HEALTH,
	FORM_REST,
	FORM_STATEMENT,
};

static enum form form_of(enum instruction_kind kind)
{
	switch (kind) {
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_FROM:
		return FORM_WORDS;
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
	case INSTRUCTION_VOLUME:
		return FORM_WORDS_OR_JSON;
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		return FORM_PAIRS;
	case INSTRUCTION_ARG:
		return FORM_QUOTED;
	case INSTRUCTION_CMD:
	case INSTRUCTION_ENTRYPOINT:
	case INSTRUCTION_RUN:
	case INSTRUCTION_SHELL:
		return FORM_COMMAND;
	case INSTRUCTION_HEALTHCHECK:
		return FORM_HEALTH;
	case INSTRUCTION_MAINTAINER:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_USER:
	case INSTRUCTION_WORKDIR:
		return FORM_REST;
	case INSTRUCTION_ONBUILD:
		return FORM_STATEMENT;
	}
	return FORM_REST;
}

/* ---- the statement itself ---- */

static void words_release(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i].text);
	free(words->items);
	*words = (struct words){ NULL, 0 };
}

void statement_release(struct statement *st)
{
	free(st->keyword.text);
	words_release(&st->flags);
	words_release(&st->args);
	free(st->json_fault);
	for (size_t i = 0; i < st->heredoc_count; i++)
		heredoc_release(&st->heredocs[i]);
	free(st->heredocs);
	if (st->child)
		statement_release(st->child);
	free(st->child);
	*st = (struct statement)STATEMENT_INIT;
}

/* Takes @text. */
static void add_word(struct words *words, char *text, size_t offset)
{
	size_t n = words->count;

	if ((n & (n - 1)) == 0)
		words->items = mem_resize(words->items, n ? 2 * n : 1, sizeof(*words->items));
	words->items[words->count++] = (struct word){ text, offset };
}

/* The instruction called @word, case aside. */
static bool find_kind(const char *word, enum instruction_kind *out)
{
	for (size_t i = 0; instruction_names[i]; i++) {
		if (strcasecmp(word, instruction_names[i]) == 0) {
			*out = (enum instruction_kind)i;
			return true;
		}
	}
	return false;
}

/* ---- words ---- */

/* A place in the line that is being taken apart. */
struct reader {
	struct lexer *lexer;
	const struct lex_line *line;
	size_t at;        /* offset in line->text */
	size_t end;       /* behind the last character that counts */
	const char *what; /* the instruction's name, for errors; NULL if it has none */
	struct err *err;
};

static int reader_error(const struct reader *r, size_t offset, const char *message)
{
	err_set(r->err, ERR_INPUT, "%s", message);
	return source_locate(r->err, r->lexer->source, lex_position(r->line, offset), r->what);
}

static size_t space_at(const struct reader *r, size_t at)
{
	return at < r->end ? rune_space_at(r->line->text + at) : 0;
}

static void skip_space(struct reader *r)
{
	for (size_t n = space_at(r, r->at); n > 0; n = space_at(r, r->at))
		r->at += n;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

/* Up to the next blank; ASCII blanks only, as all words without quoting end. */
static char *take_plain(struct reader *r)
{
	size_t from = r->at;

	while (r->at < r->end && !is_blank(r->line->text[r->at]))
		r->at++;
	return str_ndup(r->line->text + from, r->at - from);
}

static void read_words(struct reader *r, struct words *out)
{
	while (r->at < r->end) {
		size_t from = r->at;

		add_word(out, take_plain(r), from);
		while (r->at < r->end && is_blank(r->line->text[r->at]))
			r->at++;
	}
}

/* All that is left, if anything is. */
static void read_rest(struct reader *r, struct words *out)
{
	if (r->at < r->end)
		add_word(out, str_ndup(r->line->text + r->at, r->end - r->at), r->at);
	r->at = r->end;
}

/* A word whose quotes and escapes stay; an escape at the very end is dropped. */
static char *take_quoted(struct reader *r)
{
	auto_strbuf struct strbuf word = STRBUF_INIT;
	char quote = '\0';

	while (r->at < r->end && (quote || !space_at(r, r->at))) {
		char c = r->line->text[r->at++];

		if (c == r->lexer->escape && quote != '\'') {
			if (r->at == r->end)
				break;
			strbuf_putc(&word, c);
			c = r->line->text[r->at++];
		} else if (quote) {
			quote = c == quote ? '\0' : quote;
		} else if (c == '\'' || c == '"') {
			quote = c;
		}
		strbuf_putc(&word, c);
	}
	return strbuf_steal(&word);
}

static void read_quoted(struct reader *r, struct words *out)
{
	for (skip_space(r); r->at < r->end; skip_space(r)) {
		size_t from = r->at;
		char *word = take_quoted(r);

		if (word[0])
			add_word(out, word, from);
		else
			free(word);
	}
}

/* ENV and LABEL: "key value", where the value is all the rest, if the first word has no '='. */
static int read_pairs(struct reader *r, struct statement *st)
{
	size_t start = r->at;

	read_quoted(r, &st->args);
	if (st->args.count == 0 || strchr(st->args.items[0].text, '='))
		return 0;
	words_release(&st->args);
	st->is_legacy = true;
	r->at = start;
	add_word(&st->args, take_plain(r), start);
	skip_space(r);
	if (r->at == r->end)
		return reader_error(r, start, "a name needs a value: NAME=VALUE");
	read_rest(r, &st->args);
	return 0;
}

/* ---- JSON ---- */

static int add_json_words(struct reader *r, struct statement *st, const struct json *array)
{
	for (size_t i = 0; i < json_count(array); i++) {
		char *s = json_text(json_at(array, i));

		if (!s) {
			reader_error(r, r->at, "the JSON form is an array of strings only");
			return source_hint(r->err, "element %zu is no string", i + 1);
		}
		add_word(&st->args, s, r->at);
		if (form_of(st->kind) == FORM_WORDS_OR_JSON && json_has_nul(s))
			return reader_error(r, r->at, "a path cannot hold a NUL");
	}
	return 0;
}

/* *out_is_json is false when what is left is not JSON; then nothing was taken. */
static int read_json(struct reader *r, struct statement *st, bool *out_is_json)
{
	auto_free char *text = str_ndup(r->line->text + r->at, r->end - r->at);
	auto_json struct json *array = NULL;
	struct err fault = ERR_INIT;

	*out_is_json = false;
	if (text[0] != '[')
		return 0;
	array = json_parse(text, strlen(text), "JSON form", &fault);
	if (!array) {
		st->json_fault = str_dup(fault.text);
		return 0;
	}
	if (add_json_words(r, st, array) < 0)
		return -1;
	r->at = r->end;
	st->is_json = *out_is_json = true;
	return 0;
}

/* ---- flags ---- */

/* A flag's word: quotes and escapes act and are gone. */
static char *take_flag(struct reader *r)
{
	auto_strbuf struct strbuf word = STRBUF_INIT;
	char quote = '\0';

	while (r->at < r->end && (quote || !space_at(r, r->at))) {
		char c = r->line->text[r->at++];

		if (quote ? c == quote : c == '\'' || c == '"') {
			quote = quote ? '\0' : c;
		} else if (c != r->lexer->escape) {
			strbuf_putc(&word, c);
		} else if (r->at < r->end) {
			strbuf_putc(&word, r->line->text[r->at++]);
		}
	}
	return strbuf_steal(&word);
}

static void read_flags(struct reader *r, struct words *out)
{
	for (skip_space(r); r->at + 1 < r->end; skip_space(r)) {
		size_t from = r->at;
		char *word;

		if (r->line->text[from] != '-' || r->line->text[from + 1] != '-')
			return;
		word = take_flag(r);
		if (strcmp(word, "--") == 0) {
			free(word);
			skip_space(r);
			return;
		}
		add_word(out, word, from);
	}
}

/* ---- heredocs ---- */

static const struct expand_scope no_scope = { .lookup = NULL };

/* Behind "[n]<<": true when nothing in there keeps it from being a name. */
static const char *heredoc_rest(const char *word, struct heredoc *out)
{
	size_t digits = strspn(word, "0123456789");
	const char *rest = word + digits;

	if (strncmp(rest, "<<", 2) != 0 || digits > 4)
		return NULL;
	out->fd = (unsigned)strtoul(word, NULL, 10);
	rest += 2;
	out->should_chomp = *rest == '-';
	rest = rune_skip_space(rest + out->should_chomp);
	return *rest && !strchr(rest, '<') ? rest : NULL;
}

static size_t count_quotes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\'' || *s == '"';
	return n;
}

int heredoc_parse_word(const char *word, struct heredoc *out, bool *out_is_one, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	auto_strlist struct strlist raw = STRLIST_INIT;
	struct heredoc made = { .name = NULL };
	const char *rest = heredoc_rest(word, &made);

	*out_is_one = false;
	if (!rest)
		return 0;
	if (expand_words(rest, &no_scope, '\\', EXPAND_SKIP_UNSET, &names, err) < 0)
		return -1;
	if (names.count != 1)
		return 0;
	/* quotes that are there raw, and not without, quoted a part of the name */
	if (expand_words(rest, &no_scope, '\\', EXPAND_SKIP_UNSET | EXPAND_RAW_QUOTES, &raw, err) <
	    0)
		return -1;
	made.should_expand =
		raw.count == 1 && count_quotes(raw.items[0]) == count_quotes(names.items[0]);
	made.name = str_dup(names.items[0]);
	*out = made;
	*out_is_one = true;
	return 0;
}

/* Find the heredocs among the words from @offset on, and read their bodies. */
static int read_heredocs(struct reader *r, struct statement *st, size_t offset)
{
	auto_strlist struct strlist words = STRLIST_INIT;
	struct err ignored = ERR_INIT;
	const char *mark = strstr(r->line->text + offset, "<<");
	struct position opened;

	if (!mark)
		return 0;
	opened = lex_position(r->line, (size_t)(mark - r->line->text));
	/* what a shell may understand and we do not has no heredocs for us */
	if (expand_words(r->line->text + offset, &no_scope, '\\',
			 EXPAND_SKIP_UNSET | EXPAND_RAW_QUOTES | EXPAND_RAW_ESCAPES, &words,
			 &ignored) < 0)
		return 0;
	for (size_t i = 0; i < words.count; i++) {
		struct heredoc heredoc = { .name = NULL };
		bool is_one;

		if (heredoc_parse_word(words.items[i], &heredoc, &is_one, r->err) < 0)
			return source_locate(r->err, r->lexer->source, opened, r->what);
		if (!is_one)
			continue;
		st->heredocs =
			mem_resize(st->heredocs, st->heredoc_count + 1, sizeof(*st->heredocs));
		st->heredocs[st->heredoc_count++] = heredoc;
		if (lex_heredoc(r->lexer, &st->heredocs[st->heredoc_count - 1], opened,
				&st->line_end, r->err) < 0)
			return -1;
	}
	return 0;
}

/* ---- forms ---- */

static int read_statement(struct reader *r, struct statement *st);

static int read_child(struct reader *r, struct statement *st)
{
	/* an ONBUILD as a trigger is refused later; there is no need to go deeper */
	if (r->at == r->end || st->is_child)
		return 0;
	st->child = mem_alloc(sizeof(*st->child));
	st->child->is_child = true;
	if (read_statement(r, st->child) < 0)
		return -1;
	st->line_end = st->child->line_end;
	return 0;
}

static int read_arguments(struct reader *r, struct statement *st)
{
	bool is_done = false;
	size_t offset;

	switch (form_of(st->kind)) {
	case FORM_WORDS:
		read_words(r, &st->args);
		return 0;
	case FORM_WORDS_OR_JSON:
		if (read_json(r, st, &is_done) < 0)
			return -1;
		if (!is_done)
			read_words(r, &st->args);
		return 0;
	case FORM_PAIRS:
		return read_pairs(r, st);
	case FORM_QUOTED:
		read_quoted(r, &st->args);
		return 0;
	case FORM_HEALTH:
		if (r->at == r->end)
			return 0;
		offset = r->at;
		add_word(&st->args, take_plain(r), offset);
		skip_space(r);
		__attribute__((fallthrough));
	case FORM_COMMAND:
		if (read_json(r, st, &is_done) < 0)
			return -1;
		if (!is_done)
			read_rest(r, &st->args);
		return 0;
	case FORM_REST:
		read_rest(r, &st->args);
		return 0;
	case FORM_STATEMENT:
		return read_child(r, st);
	}
	return 0;
}

static bool has_heredocs(const struct statement *st)
{
	return !st->is_json && (st->kind == INSTRUCTION_RUN || st->kind == INSTRUCTION_COPY ||
				st->kind == INSTRUCTION_ADD);
}

static int read_statement(struct reader *r, struct statement *st)
{
	size_t offset;

	skip_space(r);
	offset = r->at;
	st->keyword = (struct word){ take_plain(r), offset };
	st->is_known = find_kind(st->keyword.text, &st->kind);
	st->line_end = r->line->line_end;
	r->what = st->is_known ? instruction_name(st->kind) : NULL;
	read_flags(r, &st->flags);
	if (!st->is_known)
		return 0;
	offset = r->at;
	if (read_arguments(r, st) < 0)
		return -1;
	return has_heredocs(st) ? read_heredocs(r, st, offset) : 0;
}

int statement_read(struct lexer *lexer, const struct lex_line *line, struct statement *out,
		   struct err *err)
{
	auto_statement struct statement made = STATEMENT_INIT;
	struct reader r = {
		lexer, line, 0, rune_trim_end(line->text, strlen(line->text)), NULL, err
	};

	if (read_statement(&r, &made) < 0)
		return -1;
	*out = made;
	made = (struct statement)STATEMENT_INIT;
	return 0;
}
