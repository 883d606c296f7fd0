/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for lines: which of them are directives, comments, or one
 * instruction together, and where a heredoc ends. What an instruction says is
 * builder/statement's.
 */
#include "builder/lex.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/rune.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/strbuf.h"

void lex_line_release(struct lex_line *line)
{
	free(line->text);
	free(line->segments);
	strlist_release(&line->comments);
	*line = (struct lex_line)LEX_LINE_INIT;
}

void lexer_release(struct lexer *lexer)
{
	strlist_release(&lexer->comments);
}

struct position lex_position(const struct lex_line *line, size_t offset)
{
	size_t low = 0, high = line->segment_count;
	struct position at;

	if (high == 0)
		return (struct position){ line->line_start, 1 };
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (line->segments[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	at = line->segments[low].at;
	at.column += (int)(offset - line->segments[low].offset);
	return at;
}

/* Line @number without its end, as a string; NULL behind the last one. */
static char *get_line(const struct source_file *source, int number)
{
	const char *line;
	size_t len;

	if ((size_t)number > source->line_count)
		return NULL;
	line = source_line(source, number, &len);
	return str_ndup(line, len);
}

/* ---- directives ---- */

/* "KEY = VALUE" behind the comment's mark: the value, trimmed, or NULL when it is none. */
static char *parse_directive(const char *text, char **out_key)
{
	const char *key = rune_skip_space(text);
	size_t key_len = 0;
	const char *value;

	while ((key[key_len] | 0x20) >= 'a' && (key[key_len] | 0x20) <= 'z')
		key_len++;
	if (key_len == 0)
		return NULL;
	while (((key[key_len] | 0x20) >= 'a' && (key[key_len] | 0x20) <= 'z') ||
	       (key[key_len] >= '0' && key[key_len] <= '9'))
		key_len++;
	value = rune_skip_space(key + key_len);
	if (*value != '=')
		return NULL;
	value = rune_skip_space(value + 1);
	if (!*value)
		return NULL;
	*out_key = str_ndup(key, key_len);
	return str_ndup(value, rune_trim_end(value, strlen(value)));
}

static int set_directive(struct directives *out, const char *key, char *value,
			 const struct source_file *source, struct position at, struct err *err)
{
	auto_free char *own = value;

	if (strcasecmp(key, "escape") == 0) {
		if (strcmp(value, "\\") != 0 && strcmp(value, "`") != 0)
			return source_error(err, source, at,
					    "the escape directive is '\\' or '`', not '%s'", value);
		out->escape = value[0];
	} else if (strcasecmp(key, "syntax") == 0) {
		out->syntax = ptr_steal(&own);
		out->syntax_at = at;
	} else {
		out->check = ptr_steal(&own);
		out->check_at = at;
	}
	return 0;
}

/* 0…2, or -1 when the key is none of a directive. */
static int directive_index(const char *key)
{
	static const char *const keys[] = { "syntax", "escape", "check" };

	for (int i = 0; i < 3; i++)
		if (strcasecmp(key, keys[i]) == 0)
			return i;
	return -1;
}

/* One line; *out_is_one is false when the run of directives is over. */
static int read_directive(struct lexer *lexer, struct directives *out, bool seen[3],
			  bool *out_is_one, struct err *err)
{
	auto_free char *line = get_line(lexer->source, lexer->next);
	auto_free char *key = NULL;
	const char *text = line ? rune_skip_space(line) : "";
	char *value = text[0] == '#' ? parse_directive(text + 1, &key) : NULL;
	int index = value ? directive_index(key) : -1;
	struct position at;

	*out_is_one = index >= 0;
	if (index < 0) {
		free(value);
		return 0;
	}
	at = (struct position){ lexer->next, (int)(text - line) + 1 };
	if (seen[index]) {
		free(value);
		return source_error(err, lexer->source, at, "a second '%s' directive", key);
	}
	seen[index] = true;
	lexer->next++;
	return set_directive(out, key, value, lexer->source, at, err);
}

/*
 * "// syntax=" and {"syntax":…} begin files in languages of other front ends:
 * said here, where the answer can be better than "unknown instruction".
 */
static int refuse_other_language(const struct source_file *source, struct err *err)
{
	auto_free char *line = get_line(source, 1);
	auto_free char *key = NULL;
	auto_free char *value = NULL;
	struct err ignored = ERR_INIT;
	struct json *json;
	const char *syntax;

	if (line && strncmp(line, "//", 2) == 0) {
		value = parse_directive(line + 2, &key);
		if (value && strcasecmp(key, "syntax") == 0)
			return source_error(err, source, (struct position){ 1, 1 },
					    "the file is for the front end '%s', not a Buildfile",
					    value);
	}
	if (!line || line[0] != '{')
		return 0;
	json = json_parse(source->data, source->len, source->name, &ignored);
	syntax = json_string(json_get(json, "syntax"));
	if (syntax)
		source_error(err, source, (struct position){ 1, 1 },
			     "the file is for the front end '%s', not a Buildfile", syntax);
	json_unref(json);
	return syntax ? -1 : 0;
}

int lexer_init(struct lexer *lexer, const struct source_file *source, struct directives *out,
	       struct err *err)
{
	struct directives made = { .escape = '\\' };
	bool seen[3] = { false };
	bool is_directive = true;
	size_t len;
	const char *first = source_line(source, 1, &len);

	*lexer = (struct lexer){ .source = source, .next = 1 };
	if (refuse_other_language(source, err) < 0)
		return -1;
	if (len >= 2 && memcmp(first, "#!", 2) == 0)
		lexer->next++;
	while (is_directive) {
		if (read_directive(lexer, &made, seen, &is_directive, err) < 0) {
			directives_release(&made);
			return -1;
		}
	}
	lexer->escape = made.escape;
	*out = made;
	return 0;
}

/* ---- logical lines ---- */

static bool is_comment(const char *line)
{
	return rune_skip_space(line)[0] == '#';
}

static void note_comment(struct lexer *lexer, const char *line)
{
	const char *text = rune_skip_space(rune_skip_space(line) + 1);

	if (text[0])
		strlist_take(&lexer->comments, str_ndup(text, rune_trim_end(text, strlen(text))));
	else
		strlist_release(&lexer->comments);
}

/* True, and the escape and what is behind it cut off, when the next line belongs to @line. */
static bool cut_continuation(char *line, char escape)
{
	size_t len = strlen(line);

	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (len == 0 || line[len - 1] != escape || (len > 1 && line[len - 2] == escape))
		return false;
	line[len - 1] = '\0';
	return true;
}

static void add_segment(struct lex_line *out, const struct strbuf *text, struct position at)
{
	size_t n = out->segment_count;

	if ((n & (n - 1)) == 0)
		out->segments = mem_resize(out->segments, n ? 2 * n : 1, sizeof(*out->segments));
	out->segments[out->segment_count++] = (struct lex_segment){ text->len, at };
}

/* Append the lines that the first one is continued by. */
static void join_lines(struct lexer *lexer, struct lex_line *out, struct strbuf *text)
{
	bool is_continued = true;

	while (is_continued) {
		auto_free char *line = get_line(lexer->source, lexer->next);

		if (!line)
			return;
		lexer->next++;
		if (is_comment(line))
			continue;
		if (!rune_skip_space(line)[0]) {
			if (!out->empty_line)
				out->empty_line = lexer->next - 1;
			continue;
		}
		out->line_end = lexer->next - 1;
		add_segment(out, text, (struct position){ lexer->next - 1, 1 });
		is_continued = cut_continuation(line, lexer->escape);
		strbuf_puts(text, line);
	}
}

int lex_next(struct lexer *lexer, struct lex_line *out, bool *out_found, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_lex_line struct lex_line made = LEX_LINE_INIT;

	*out_found = false;
	while (!*out_found) {
		auto_free char *line = get_line(lexer->source, lexer->next);
		char *start;
		bool is_continued;

		if (!line)
			return 0;
		start = line + (rune_skip_space(line) - line);
		lexer->next++;
		if (start[0] == '#')
			note_comment(lexer, line);
		if (!start[0] || start[0] == '#')
			continue;
		*out_found = true;
		made.line_start = made.line_end = lexer->next - 1;
		add_segment(&made, &text,
			    (struct position){ lexer->next - 1, (int)(start - line) + 1 });
		is_continued = cut_continuation(start, lexer->escape);
		strbuf_puts(&text, start);
		if (is_continued)
			join_lines(lexer, &made, &text);
	}
	if (!rune_skip_space(text.data)[0])
		return source_error(err, lexer->source, made.segments[0].at,
				    "'%c' continues nothing", lexer->escape);

	made.text = strbuf_steal(&text);
	made.comments = lexer->comments;
	lexer->comments = (struct strlist)STRLIST_INIT;
	*out = made;
	made = (struct lex_line)LEX_LINE_INIT;
	return 0;
}

/* ---- heredocs ---- */

int lex_heredoc(struct lexer *lexer, struct heredoc *heredoc, struct position opened, int *out_line,
		struct err *err)
{
	auto_strbuf struct strbuf body = STRBUF_INIT;
	const struct source_file *source = lexer->source;
	size_t name_len = strlen(heredoc->name);

	heredoc->at = (struct position){ lexer->next, 1 };
	for (int number = lexer->next; (size_t)number <= source->line_count; number++) {
		size_t len;
		const char *line = source_line(source, number, &len);
		size_t tabs = 0;

		while (heredoc->should_chomp && tabs < len && line[tabs] == '\t')
			tabs++;
		if (len - tabs == name_len && memcmp(line + tabs, heredoc->name, name_len) == 0) {
			heredoc->body = strbuf_steal(&body);
			*out_line = number;
			lexer->next = number + 1;
			return 0;
		}
		strbuf_add(&body, line,
			   source->line_starts[number] - source->line_starts[number - 1]);
	}
	source_error(err, source, opened, "the heredoc '%s' has no end", heredoc->name);
	return source_hint(err, "a line that is exactly '%s' ends it", heredoc->name);
}
