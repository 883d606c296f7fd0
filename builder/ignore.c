/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for lists of ignore patterns: how a .dockerignore file is read, and
 * whether a path is left out. What a single pattern matches is builder/match's.
 */
#include "builder/ignore.h"

#include <stdlib.h>
#include <string.h>

#include "builder/match.h"
#include "builder/rune.h"
#include "common/mem.h"
#include "common/strbuf.h"

struct ignore_pattern {
	struct match *match;
	bool is_exception;
};

void ignore_release(struct ignore *ignore)
{
	for (size_t i = 0; i < ignore->count; i++)
		match_free(ignore->patterns[i].match);
	free(ignore->patterns);
	*ignore = (struct ignore)IGNORE_INIT;
}

/* Drop the last component of what was put; nothing above the top. */
static void put_parent(struct strbuf *out, size_t top)
{
	size_t len = out->len;

	while (len > top && out->data[len - 1] != '/')
		len--;
	strbuf_truncate(out, len > top ? len - 1 : top);
}

/*
 * The path without empty and "." components, with "a/.." gone; "." when
 * nothing is left. ".." stays only at the front of a relative path.
 */
static void clean_path(const char *path, struct strbuf *out)
{
	bool is_rooted = path[0] == '/';
	size_t top;

	strbuf_puts(out, is_rooted ? "/" : "");
	top = out->len;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		bool is_up = n == 2 && p[0] == '.' && p[1] == '.';

		if (is_up && out->len > top) {
			put_parent(out, top);
		} else if (n > 0 && !(n == 1 && p[0] == '.') && !(is_up && is_rooted)) {
			strbuf_puts(out, out->len > top ? "/" : "");
			strbuf_add(out, p, n);
			if (is_up)
				top = out->len;
		}
		p += n;
		p += strspn(p, "/");
	}
	if (out->len == 0)
		strbuf_putc(out, '.');
}

/* @pattern is cleaned and without "!". */
static int add_clean(struct ignore *ignore, const char *pattern, bool is_exception, struct err *err)
{
	struct match *match = match_new(pattern, true, err);

	if (!match)
		return -1;
	if ((ignore->count & (ignore->count - 1)) == 0) /* 0, 1, 2, 4, 8…: full */
		ignore->patterns =
			mem_resize(ignore->patterns, ignore->count ? 2 * ignore->count : 1,
				   sizeof(*ignore->patterns));
	ignore->patterns[ignore->count++] = (struct ignore_pattern){ match, is_exception };
	ignore->has_exceptions |= is_exception;
	return 0;
}

int ignore_add(struct ignore *ignore, const char *pattern, struct err *err)
{
	auto_strbuf struct strbuf clean = STRBUF_INIT;
	auto_free char *text = NULL;
	bool is_exception;

	pattern = rune_skip_space(pattern);
	text = str_ndup(pattern, rune_trim_end(pattern, strlen(pattern)));
	if (!text[0])
		return 0;
	is_exception = text[0] == '!';
	pattern = rune_skip_space(text + is_exception);
	if (!pattern[0])
		return err_set(err, ERR_INPUT, "'!' needs a pattern");
	clean_path(pattern, &clean);
	pattern = clean.data;
	if (pattern[0] == '/' && pattern[1])
		pattern++;
	return add_clean(ignore, pattern, is_exception, err);
}

int ignore_parse(struct ignore *ignore, const char *name, const char *text, size_t len,
		 struct err *err)
{
	const char *end = text + len;
	int line = 1;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (const char *p = text; p < end; line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);
		auto_free char *line_text = NULL;

		if (memchr(p, '\0', n))
			return err_set(err, ERR_INPUT, "%s:%d: a NUL byte is not text", name, line);
		line_text = str_ndup(p, n);
		if (line_text[0] != '#' && ignore_add(ignore, line_text, err) < 0)
			return err_prefix(err, "%s:%d", name, line);
		p = nl ? nl + 1 : end;
	}
	return 0;
}

/*
 * The last pattern that matches decides. Going backwards, the first match is
 * it: whether it matches does not depend on the others.
 */
static bool find_last(const struct ignore *ignore, const char *path, size_t *out_index)
{
	size_t len = strlen(path);

	for (size_t i = ignore->count; i-- > 0;) {
		if (match_test_tree(ignore->patterns[i].match, path, len)) {
			*out_index = i;
			return true;
		}
	}
	return false;
}

bool ignore_match(const struct ignore *ignore, const char *path)
{
	size_t last;

	if (strcmp(path, ".") == 0 || !path[0])
		return false;
	return find_last(ignore, path, &last) && !ignore->patterns[last].is_exception;
}

bool ignore_may_descend(const struct ignore *ignore, const char *dir)
{
	size_t last, len = strlen(dir);

	if (strcmp(dir, ".") == 0 || !dir[0])
		return true;
	if (!find_last(ignore, dir, &last) || ignore->patterns[last].is_exception)
		return true;
	for (size_t i = last + 1; i < ignore->count; i++)
		if (ignore->patterns[i].is_exception &&
		    match_test_below(ignore->patterns[i].match, dir, len))
			return true;
	return false;
}
