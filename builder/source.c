/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the bytes of a Buildfile, where its lines are, and how an error
 * shows the place it speaks of. Knows nothing of what the lines mean.
 */
#include "builder/source.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "builder/rune.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define EXCERPT_BEFORE 60 /* characters shown left of the column */
#define EXCERPT_MAX    110

void source_release(struct source_file *source)
{
	free(source->name);
	free(source->data);
	free(source->line_starts);
	*source = (struct source_file)SOURCE_INIT;
}

/* Fill the table of lines; a last line end begins no further line. */
static void find_lines(struct source_file *source)
{
	const char *end = source->data + source->len;
	size_t count = 0;

	for (const char *p = source->data; p < end; p++)
		count += *p == '\n';
	source->line_starts = mem_array(count + 2, sizeof(size_t));
	for (const char *p = source->data; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		source->line_starts[source->line_count++] = (size_t)(p - source->data);
		p = nl ? nl + 1 : end;
	}
	source->line_starts[source->line_count] = source->len;
}

static int check_lines(const struct source_file *source, struct err *err)
{
	for (size_t i = 0; i < source->line_count; i++) {
		int line = (int)i + 1;
		size_t from = source->line_starts[i], to = source->line_starts[i + 1];
		const char *nul = memchr(source->data + from, '\0', to - from);

		if (to > from && source->data[to - 1] == '\n')
			to--;
		if (to - from > SOURCE_LINE_MAX_BYTES)
			return source_error(err, source, (struct position){ line, 1 },
					    "the line is longer than %u bytes",
					    SOURCE_LINE_MAX_BYTES);
		if (nul)
			return source_error(
				err, source,
				(struct position){
					line, (int)(nul - source->data - (ptrdiff_t)from) + 1 },
				"a NUL byte is not text");
	}
	return 0;
}

int source_init(struct source_file *source, const char *name, const char *data, size_t len,
		struct err *err)
{
	auto_source_file struct source_file made = SOURCE_INIT;

	if (len > SOURCE_MAX_BYTES)
		return err_set(err, ERR_INPUT, "'%s' is larger than %u MiB", name,
			       SOURCE_MAX_BYTES >> 20);
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		len -= 3;
	}
	made.name = str_dup(name);
	made.data = mem_alloc(len + 1);
	if (len > 0)
		memcpy(made.data, data, len);
	made.len = len;
	find_lines(&made);
	if (check_lines(&made, err) < 0)
		return -1;

	*source = made;
	made = (struct source_file)SOURCE_INIT;
	return 0;
}

int source_load(struct source_file *source, const char *name, int fd, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd_read_all(fd, SOURCE_MAX_BYTES, &text, name, err) < 0)
		return -1;
	return source_init(source, name, text.data, text.len, err);
}

const char *source_line(const struct source_file *source, int line, size_t *out_len)
{
	size_t from, to;

	*out_len = 0;
	if (line < 1 || (size_t)line > source->line_count)
		return "";
	from = source->line_starts[line - 1];
	to = source->line_starts[line];
	while (to > from && (source->data[to - 1] == '\n' || source->data[to - 1] == '\r'))
		to--;
	*out_len = to - from;
	return source->data + from;
}

void source_put_plain(struct strbuf *out, const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t rune = rune_next(s + i, len - i, &n);

		if (rune == '\t')
			strbuf_putc(out, ' ');
		else if (rune < 0x20 || (rune >= 0x7f && rune < 0xa0) || rune >= RUNE_BAD)
			strbuf_putc(out, '?');
		else
			strbuf_add(out, s + i, n);
	}
}

/* How many characters the @len bytes at @s are. */
static size_t count_runes(const char *s, size_t len)
{
	size_t count = 0;

	for (size_t i = 0, n; i < len; i += n, count++)
		rune_next(s + i, len - i, &n);
	return count;
}

/* The offset of the character @count characters on from @from. */
static size_t skip_runes(const char *s, size_t len, size_t from, size_t count)
{
	for (size_t n; from < len && count > 0; from += n, count--)
		rune_next(s + from, len - from, &n);
	return from;
}

void source_mask_passwords(char *text)
{
	for (char *at = text; (at = strstr(at, "://"));) {
		size_t len;
		char *end;

		at += 3;
		len = strcspn(at, "/?#\"' \t");
		end = memrchr(at, '@', len);
		if (end)
			memset(at, '*', (size_t)(end - at));
	}
}

/* As a string: what ends one becomes another character that is not shown either. */
static char *copy_line(const struct source_file *source, int number, size_t *out_len)
{
	const char *line = source_line(source, number, out_len);
	char *copy = mem_alloc(*out_len + 1);

	memcpy(copy, line, *out_len);
	for (char *nul; (nul = memchr(copy, '\0', *out_len));)
		*nul = '\1';
	return copy;
}

static void put_excerpt(struct strbuf *out, const struct source_file *source, struct position at)
{
	size_t len, from = 0, to, before, column = at.column > 0 ? (size_t)at.column - 1 : 0;
	auto_free char *line = copy_line(source, at.line, &len);
	bool is_cut;

	source_mask_passwords(line);

	if (column > len)
		column = len;
	before = count_runes(line, column);
	is_cut = before > EXCERPT_BEFORE;
	if (is_cut) {
		from = skip_runes(line, len, 0, before - EXCERPT_BEFORE);
		before = EXCERPT_BEFORE;
	}
	to = skip_runes(line, len, from, EXCERPT_MAX);
	strbuf_printf(out, "%5d | %s", at.line, is_cut ? "..." : "");
	source_put_plain(out, line + from, to - from);
	strbuf_printf(out, "%s\n      | %*s^", to < len ? "..." : "",
		      (int)(before + (is_cut ? 3 : 0)), "");
}

/* "NAME:LINE:COLUMN: ", the column in characters as an editor counts them. */
static void put_place(struct strbuf *out, const struct source_file *source, struct position at)
{
	size_t len, column = at.column > 0 ? (size_t)at.column - 1 : 0;
	const char *line = source_line(source, at.line, &len);

	strbuf_puts(out, source->name);
	if (at.line > 0)
		strbuf_printf(out, ":%d:%zu", at.line,
			      count_runes(line, column < len ? column : len) + 1);
	strbuf_puts(out, ": ");
}

int source_error(struct err *err, const struct source_file *source, struct position at,
		 const char *fmt, ...)
{
	auto_free char *message = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&message, fmt, ap);
	va_end(ap);
	err_set(err, ERR_INPUT, "%s", n < 0 ? fmt : message);
	return source_locate(err, source, at, NULL);
}

int source_locate(struct err *err, const struct source_file *source, struct position at,
		  const char *what)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strbuf struct strbuf detail = STRBUF_INIT;

	put_place(&text, source, at);
	if (what)
		strbuf_printf(&text, "%s: ", what);
	source_put_plain(&text, err->text, strlen(err->text));
	snprintf(err->text, sizeof(err->text), "%s", text.data);
	if (at.line < 1)
		return -1;
	put_excerpt(&detail, source, at);
	if (err->detail[0])
		strbuf_printf(&detail, "\n%s", err->detail);
	return err_detail(err, "%s", detail.data);
}

int source_hint(struct err *err, const char *fmt, ...)
{
	auto_free char *hint = NULL;
	auto_strbuf struct strbuf detail = STRBUF_INIT;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&hint, fmt, ap);
	va_end(ap);
	strbuf_printf(&detail, "%s%shint: ", err->detail, err->detail[0] ? "\n" : "");
	if (n >= 0)
		source_put_plain(&detail, hint, strlen(hint));
	return err_detail(err, "%s", detail.data);
}
