/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the TOML that configuration files of containers are written in. Debian has no
 * library for it in C; this is the part that these files use, and it refuses the rest.
 */
#include "registry/toml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"

struct toml {
	const char *at;
	const char *end;
	unsigned line;
	struct strlist keys; /* that it has */
	struct strlist tables;
	const struct toml_reader *reader;
};

static void toml_release(struct toml *toml)
{
	strlist_release(&toml->keys);
	strlist_release(&toml->tables);
}
#define auto_toml __attribute__((cleanup(toml_release)))

static void value_release(struct toml_value *value)
{
	free(value->string);
	strlist_release(&value->list);
}
#define auto_toml_value __attribute__((cleanup(value_release)))

int toml_demand(const struct toml_value *value, enum toml_type type, const char *key,
		struct err *err)
{
	static const char *const names[] = {
		[TOML_STRING] = "a string",       [TOML_BOOL] = "true or false",
		[TOML_INT] = "an integer",        [TOML_LIST] = "a list of strings",
		[TOML_LISTS] = "a list of lists",
	};

	if (value->type == type)
		return 0;
	return err_set(err, ERR_INPUT, "'%s' is %s, not %s", key, names[value->type], names[type]);
}

/* ---- characters ---- */

static int peek(const struct toml *toml)
{
	return toml->at < toml->end ? (unsigned char)*toml->at : -1;
}

static bool take(struct toml *toml, char c)
{
	if (peek(toml) != c)
		return false;
	toml->at++;
	return true;
}

static void skip_blanks(struct toml *toml)
{
	while (peek(toml) == ' ' || peek(toml) == '\t')
		toml->at++;
}

/* Blanks and a comment, up to the end of the line. */
static void skip_rest(struct toml *toml)
{
	skip_blanks(toml);
	if (peek(toml) == '#')
		while (peek(toml) >= 0 && peek(toml) != '\n')
			toml->at++;
	if (toml->at + 1 < toml->end && toml->at[0] == '\r' && toml->at[1] == '\n')
		toml->at++;
}

/* The same over any number of lines. */
static void skip_lines(struct toml *toml)
{
	for (skip_rest(toml); take(toml, '\n'); skip_rest(toml))
		toml->line++;
}

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* ---- strings ---- */

/* \uXXXX and \UXXXXXXXX, as UTF-8. */
static int read_code_point(struct toml *toml, size_t digits, struct strbuf *out, struct err *err)
{
	unsigned long code = 0;

	for (size_t i = 0; i < digits; i++, toml->at++) {
		static const char hex[] = "0123456789abcdef";
		const char *digit = peek(toml) > 0 ? strchr(hex, peek(toml) | 0x20) : NULL;

		if (!digit)
			return err_set(err, ERR_INPUT, "an escape needs %zu hex digits", digits);
		code = code << 4 | (unsigned long)(digit - hex);
	}
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return err_set(err, ERR_INPUT, "an escape that is no character");
	if (code < 0x80) {
		strbuf_putc(out, (char)code);
		return 0;
	}
	if (code >= 0x10000) {
		strbuf_putc(out, (char)(0xf0 | code >> 18));
		strbuf_putc(out, (char)(0x80 | (code >> 12 & 0x3f)));
	} else if (code >= 0x800) {
		strbuf_putc(out, (char)(0xe0 | code >> 12));
	}
	if (code >= 0x800)
		strbuf_putc(out, (char)(0x80 | (code >> 6 & 0x3f)));
	else
		strbuf_putc(out, (char)(0xc0 | code >> 6));
	strbuf_putc(out, (char)(0x80 | (code & 0x3f)));
	return 0;
}

static int read_escape(struct toml *toml, struct strbuf *out, struct err *err)
{
	static const char names[] = "btnfr\"\\";
	static const char meant[] = "\b\t\n\f\r\"\\";
	const int c = peek(toml);
	const char *name = c > 0 ? strchr(names, c) : NULL;

	if (c >= 0)
		toml->at++;
	if (c == 'u' || c == 'U')
		return read_code_point(toml, c == 'u' ? 4 : 8, out, err);
	if (!name)
		return err_set(err, ERR_INPUT, "an unknown escape in a string");
	strbuf_putc(out, meant[name - names]);
	return 0;
}

static int read_string(struct toml *toml, char **out, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	const char quote = *toml->at++;

	if (toml->end - toml->at >= 2 && toml->at[0] == quote && toml->at[1] == quote)
		return err_set(err, ERR_INPUT, "strings over several lines are not read here");
	while (!take(toml, quote)) {
		const int c = peek(toml);

		if (c < 0 || (c < ' ' && c != '\t') || c == 0x7f)
			return err_set(err, ERR_INPUT,
				       "a string has no end, or a control character");
		toml->at++;
		if (c != '\\' || quote == '\'')
			strbuf_putc(&text, (char)c);
		else if (read_escape(toml, &text, err) < 0)
			return -1;
	}
	*out = strbuf_steal(&text);
	return 0;
}

/* A bare or a quoted one. */
static int read_name(struct toml *toml, char **out, struct err *err)
{
	const char *start = toml->at;

	if (peek(toml) == '"' || peek(toml) == '\'')
		return read_string(toml, out, err);
	while (is_bare(peek(toml)))
		toml->at++;
	if (toml->at == start)
		return err_set(err, ERR_INPUT, "a key or a [table] is wanted here");
	*out = str_ndup(start, (size_t)(toml->at - start));
	return 0;
}

/* ---- values ---- */

/* Behind an item: what comes next. */
static int read_comma(struct toml *toml, struct err *err)
{
	skip_lines(toml);
	if (!take(toml, ',') && peek(toml) != ']')
		return err_set(err, ERR_INPUT,
			       "a list needs ',' between its strings and "
			       "']' at its end");
	skip_lines(toml);
	return 0;
}

/* From behind the "[". */
static int read_strings(struct toml *toml, struct strlist *out, struct err *err)
{
	for (skip_lines(toml); !take(toml, ']');) {
		char *item = NULL;

		if (peek(toml) != '"' && peek(toml) != '\'')
			return err_set(err, ERR_INPUT, "only lists of strings are read here");
		if (read_string(toml, &item, err) < 0)
			return -1;
		strlist_take(out, item);
		if (read_comma(toml, err) < 0)
			return -1;
	}
	return 0;
}

/* The same, when what is in it begins with a "[", too. */
static int read_lists(struct toml *toml, struct toml_value *out, struct err *err)
{
	while (!take(toml, ']')) {
		const size_t before = out->list.count;

		if (!take(toml, '['))
			return err_set(err, ERR_INPUT, "a list is of strings, or of lists");
		if (read_strings(toml, &out->list, err) < 0 || read_comma(toml, err) < 0)
			return -1;
		if (before > 0 && out->list.count - before != out->width)
			return err_set(err, ERR_INPUT,
				       "lists in a list are read here when all are as long");
		out->width = out->list.count - before;
		if (out->width == 0)
			return err_set(err, ERR_INPUT, "an empty list in a list is not read here");
	}
	return 0;
}

static int read_list(struct toml *toml, struct toml_value *out, struct err *err)
{
	toml->at++; /* [ */
	skip_lines(toml);
	if (peek(toml) != '[')
		return read_strings(toml, &out->list, err);
	out->type = TOML_LISTS;
	return read_lists(toml, out, err);
}

/* true, false, or a decimal integer. */
static int read_word(struct toml *toml, struct toml_value *out, struct err *err)
{
	auto_free char *word = NULL;
	const char *start = toml->at;
	char *end;

	while (is_bare(peek(toml)) || peek(toml) == '+' || peek(toml) == '.' || peek(toml) == ':')
		toml->at++;
	word = str_ndup(start, (size_t)(toml->at - start));
	out->type = TOML_BOOL;
	out->boolean = strcmp(word, "true") == 0;
	if (out->boolean || strcmp(word, "false") == 0)
		return 0;
	errno = 0;
	out->type = TOML_INT;
	out->integer = strtoll(word, &end, 10);
	if (word[0] == '\0' || *end != '\0' || errno != 0)
		return err_set(err, ERR_INPUT,
			       "a string, a list of strings, true, false or an integer is wanted "
			       "here");
	return 0;
}

static int read_value(struct toml *toml, struct toml_value *out, struct err *err)
{
	switch (peek(toml)) {
	case '"':
	case '\'':
		out->type = TOML_STRING;
		return read_string(toml, &out->string, err);
	case '[':
		out->type = TOML_LIST;
		return read_list(toml, out, err);
	case '{':
		return err_set(err, ERR_INPUT, "inline tables are not read here; use a [table]");
	default:
		return read_word(toml, out, err);
	}
}

/* ---- lines ---- */

/* From behind the "[" to the matching end. */
static int read_header(struct toml *toml, struct err *err)
{
	auto_strbuf struct strbuf name = STRBUF_INIT;
	const bool is_element = take(toml, '[');

	do {
		auto_free char *part = NULL;

		skip_blanks(toml);
		if (read_name(toml, &part, err) < 0)
			return -1;
		strbuf_printf(&name, "%s%s", name.len ? "." : "", part);
		skip_blanks(toml);
	} while (take(toml, '.'));
	if (!take(toml, ']') || (is_element && !take(toml, ']')))
		return err_set(err, ERR_INPUT, "a table's name needs ']' behind it");
	if (!is_element && strlist_has(&toml->tables, name.data))
		return err_set(err, ERR_INPUT, "[%s] is there twice", name.data);
	strlist_add(&toml->tables, name.data);
	strlist_release(&toml->keys);
	return toml->reader->table(toml->reader->context, name.data, is_element, err);
}

static int read_key(struct toml *toml, struct err *err)
{
	auto_toml_value struct toml_value value = { .string = NULL };
	auto_free char *key = NULL;

	if (read_name(toml, &key, err) < 0)
		return -1;
	skip_blanks(toml);
	if (peek(toml) == '.')
		return err_set(err, ERR_INPUT, "keys with dots are not read here; use a [table]");
	if (!take(toml, '='))
		return err_set(err, ERR_INPUT, "'%.100s' needs '=' behind it", key);
	skip_blanks(toml);
	if (read_value(toml, &value, err) < 0)
		return err_prefix(err, "%.100s", key);
	if (strlist_has(&toml->keys, key))
		return err_set(err, ERR_INPUT, "'%.100s' is there twice", key);
	strlist_add(&toml->keys, key);
	return toml->reader->value(toml->reader->context, key, &value, err);
}

static int read_line(struct toml *toml, struct err *err)
{
	if ((take(toml, '[') ? read_header(toml, err) : read_key(toml, err)) < 0)
		return -1;
	skip_rest(toml);
	if (peek(toml) >= 0 && peek(toml) != '\n')
		return err_set(err, ERR_INPUT, "the line goes on where it should end");
	return 0;
}

int toml_parse(const char *text, size_t len, const char *what, const struct toml_reader *reader,
	       struct err *err)
{
	auto_toml struct toml toml = { .at = text, .end = text + len, .line = 1, .reader = reader };

	if (memchr(text, '\0', len))
		return err_set(err, ERR_INPUT, "'%s' is no text: it has a NUL byte", what);
	for (skip_lines(&toml); peek(&toml) >= 0; skip_lines(&toml)) {
		unsigned line = toml.line;

		if (read_line(&toml, err) < 0)
			return err_prefix(err, "%s:%u", what, line);
	}
	return 0;
}
