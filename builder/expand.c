/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for variables, quotes and escapes in the words of a Buildfile. What
 * a variable is worth is the scope's, which words are expanded and in which
 * environment is the plan's, patterns are builder/pattern's.
 */
#include "builder/expand.h"

#include <string.h>

#include "builder/pattern.h"
#include "builder/rune.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define NESTING_MAX 64

struct expander {
	const char *at; /* what is left of the word */
	const struct expand_scope *scope;
	char escape;
	enum expand_mode mode;
	unsigned depth;
	struct err *err;
};

/* Where characters go: one text, or words. */
struct result {
	struct strbuf *text;
	struct strlist *words; /* NULL: all is one text */
	size_t words_bytes;
};

static int fail(struct expander *x, const char *message)
{
	return err_set(x->err, ERR_INPUT, "%s", message);
}

static int check_size(struct expander *x, const struct strbuf *text)
{
	if (text->len <= EXPAND_MAX_BYTES)
		return 0;
	return err_set(x->err, ERR_INPUT, "the value is longer than %u MiB",
		       EXPAND_MAX_BYTES >> 20);
}

/* ---- results ---- */

/* One more than may be is enough to tell. */
static void end_word(struct result *out)
{
	if (out->text->len == 0)
		return;
	out->words_bytes += out->text->len;
	if (out->words->count <= EXPAND_WORDS_MAX)
		strlist_take(out->words, strbuf_steal(out->text));
	else
		strbuf_truncate(out->text, 0);
}

static int check_result(struct expander *x, const struct result *out)
{
	if (out->words && out->words->count > EXPAND_WORDS_MAX)
		return err_set(x->err, ERR_INPUT, "more than %u words come out", EXPAND_WORDS_MAX);
	if (out->words_bytes > EXPAND_MAX_BYTES)
		return err_set(x->err, ERR_INPUT, "the values together are longer than %u MiB",
			       EXPAND_MAX_BYTES >> 20);
	return check_size(x, out->text);
}

/* What stands in quotes or behind an escape: a blank in it ends no word. */
static void put_raw(struct result *out, const char *s, size_t len)
{
	strbuf_add(out->text, s, len);
}

static void put_split(struct result *out, const char *s, size_t len)
{
	size_t from = 0; /* first byte not yet put */

	if (!out->words) {
		put_raw(out, s, len);
		return;
	}
	for (size_t i = 0, n; i < len; i += n) {
		if (!rune_is_space(rune_next(s + i, len - i, &n)))
			continue;
		put_raw(out, s + from, i - from);
		end_word(out);
		from = i + n;
	}
	put_raw(out, s + from, len - from);
}

/* ---- characters ---- */

/* The length of the character at x->at; 0 at the end. */
static size_t rune_len(const struct expander *x)
{
	size_t n = 0;

	if (x->at[0])
		rune_next(x->at, strnlen(x->at, 4), &n);
	return n;
}

/* ---- variables ---- */

static void note_name(struct strlist *list, const char *name)
{
	if (list && list->count < EXPAND_NAMES_MAX && !strlist_has(list, name))
		strlist_add(list, name);
}

/* The value, borrowed, or NULL. */
static const char *get_value(const struct expander *x, const char *name)
{
	const struct expand_scope *scope = x->scope;
	const char *value = NULL;

	if (scope->lookup)
		value = scope->lookup(name, scope->data);
	if (!value && scope->env)
		value = strlist_env_get(scope->env, name);
	note_name(value ? scope->used : scope->unset, name);
	return value;
}

/* All digits, or one special character, or letters, digits and '_'; maybe nothing. */
static char *take_name(struct expander *x)
{
	const char *from = x->at;
	size_t n;

	if (from[0] >= '0' && from[0] <= '9') {
		x->at += strspn(x->at, "0123456789");
	} else if (from[0] && strchr("@*#?-$!", from[0])) {
		x->at++;
	} else {
		while ((n = rune_len(x)) > 0) {
			size_t used;

			if (!rune_is_name(rune_next(x->at, n, &used)))
				break;
			x->at += n;
		}
	}
	return str_ndup(from, (size_t)(x->at - from));
}

static int expand_until(struct expander *x, char stop, enum expand_mode mode, struct result *out);

/* The word inside ${…} up to @stop, expanded. */
static int take_inner(struct expander *x, char stop, enum expand_mode mode, struct strbuf *word)
{
	struct result out = { .text = word };
	int r;

	if (x->depth >= NESTING_MAX)
		return fail(x, "substitutions are nested too deeply");
	x->depth++;
	r = expand_until(x, stop, mode, &out);
	x->depth--;
	return r;
}

/* ${x-w} ${x+w} ${x?w} and with ':'; x->at is behind the modifier. */
static int expand_default(struct expander *x, const char *name, char modifier, bool is_colon,
			  const char **out_value, struct strbuf *word)
{
	const char *value;
	bool is_missing;

	if (take_inner(x, '}', x->mode & ~(unsigned)EXPAND_RAW_ESCAPES, word) < 0)
		return -1;
	value = get_value(x, name);
	is_missing = !value || (is_colon && !value[0]);
	if (modifier == '-')
		*out_value = is_missing ? word->data : value;
	else if (modifier == '+')
		*out_value = is_missing ? "" : word->data;
	else if (!is_missing)
		*out_value = value;
	else
		return err_set(x->err, ERR_INPUT, "%s: %s", name,
			       word->len ? word->data
			       : value   ? "is not allowed to be empty"
					 : "is not allowed to be unset");
	return 0;
}

/* ${x#p} ${x##p} ${x%p} ${x%%p} */
static int expand_trim(struct expander *x, const char *name, char modifier, struct strbuf *out)
{
	auto_strbuf struct strbuf pattern = STRBUF_INIT;
	bool is_longest;
	enum pattern_length length;
	const char *value;

	if (take_inner(x, '}', x->mode | EXPAND_RAW_ESCAPES, &pattern) < 0)
		return -1;
	value = get_value(x, name);
	is_longest = pattern.data[0] == modifier;
	length = is_longest ? PATTERN_LONGEST : PATTERN_SHORTEST;
	if (modifier == '#')
		return pattern_trim_prefix(pattern.data + is_longest, value ? value : "", length,
					   out, x->err);
	return pattern_trim_suffix(pattern.data + is_longest, value ? value : "", length, out,
				   x->err);
}

/* ${x/p/w} ${x//p/w} */
static int expand_replace(struct expander *x, const char *name, struct strbuf *out)
{
	auto_strbuf struct strbuf pattern = STRBUF_INIT;
	auto_strbuf struct strbuf replacement = STRBUF_INIT;
	bool is_each = x->at[0] == '/';
	const char *value;

	x->at += is_each;
	if (take_inner(x, '/', x->mode | EXPAND_RAW_ESCAPES, &pattern) < 0)
		return -1;
	if (take_inner(x, '}', x->mode | EXPAND_RAW_ESCAPES, &replacement) < 0)
		return -1;
	value = get_value(x, name);
	return pattern_replace(pattern.data, value ? value : "", replacement.data, is_each,
			       EXPAND_MAX_BYTES, out, x->err);
}

/* After "${NAME". */
static int expand_modifier(struct expander *x, const char *name, struct strbuf *out)
{
	auto_strbuf struct strbuf word = STRBUF_INIT;
	const char *value = NULL;
	char modifier = x->at[0];
	bool is_colon = modifier == ':';

	if (!modifier)
		return fail(x, "missing '}'");
	x->at++;
	if (modifier == '}') {
		value = get_value(x, name);
		strbuf_puts(out, value ? value : "");
		return 0;
	}
	if (is_colon) {
		modifier = x->at[0];
		if (!modifier)
			return fail(x, "missing '}'");
		x->at += rune_len(x);
	}
	if (!name[0] || !strchr(is_colon ? "-+?" : "-+?#%/", modifier))
		return err_set(x->err, ERR_INPUT, "unsupported modifier '%s%c' in a substitution",
			       is_colon ? ":" : "", modifier);
	if (modifier == '#' || modifier == '%')
		return expand_trim(x, name, modifier, out);
	if (modifier == '/')
		return expand_replace(x, name, out);
	if (expand_default(x, name, modifier, is_colon, &value, &word) < 0)
		return -1;
	strbuf_puts(out, value);
	return 0;
}

/* True when the name that stands at @name has no value and is to be left as it is. */
static bool is_left_alone(const struct expander *x, const char *name)
{
	return (x->mode & EXPAND_SKIP_UNSET) && !get_value(x, name);
}

/* At '$'. */
static int expand_dollar(struct expander *x, struct strbuf *out)
{
	auto_free char *name = NULL;
	const char *from = x->at++;
	const char *value;
	size_t before = out->len;

	if (x->at[0] != '{') {
		name = take_name(x);
		if (!name[0] || is_left_alone(x, name)) {
			strbuf_add(out, from, (size_t)(x->at - from));
			return 0;
		}
		value = get_value(x, name);
		strbuf_puts(out, value ? value : "");
		return check_size(x, out);
	}
	x->at++;
	if (!x->at[0])
		return fail(x, "missing '}'");
	if (strchr("{}:", x->at[0]))
		return fail(x, "bad substitution");
	name = take_name(x);
	if (expand_modifier(x, name, out) < 0)
		return -1;
	if (is_left_alone(x, name)) {
		strbuf_truncate(out, before);
		strbuf_add(out, from, (size_t)(x->at - from));
	}
	return check_size(x, out);
}

/* ---- quotes ---- */

static int expand_single_quotes(struct expander *x, struct result *out)
{
	const char *from = x->at++;
	const char *end = strchr(x->at, '\'');

	if (!end)
		return fail(x, "a single quote without its end");
	if (x->mode & EXPAND_RAW_QUOTES)
		put_raw(out, from, (size_t)(end + 1 - from));
	else
		put_raw(out, x->at, (size_t)(end - x->at));
	x->at = end + 1;
	return 0;
}

/* At the escape, inside double quotes: it acts before '"', '$' and itself, else it stays. */
static void take_quoted_escape(struct expander *x, enum expand_mode mode, struct result *out)
{
	char next = x->at[1];

	if (mode & EXPAND_RAW_ESCAPES)
		put_raw(out, &x->escape, 1);
	x->at++;
	if (next == '"' || next == '$' || (next && next == x->escape)) {
		put_raw(out, x->at, 1);
		x->at++;
	} else if (next) {
		/* the second of two for a pattern, where one alone would be none */
		put_raw(out, &x->escape, 1);
	}
}

static int expand_double_quotes(struct expander *x, enum expand_mode mode, struct result *out)
{
	if (mode & EXPAND_RAW_QUOTES)
		put_raw(out, "\"", 1);
	x->at++;
	while (x->at[0] != '"') {
		if (!x->at[0])
			return fail(x, "a double quote without its end");
		if (x->at[0] == '$') {
			auto_strbuf struct strbuf value = STRBUF_INIT;

			if (expand_dollar(x, &value) < 0)
				return -1;
			put_raw(out, value.data, value.len);
		} else if (x->at[0] == x->escape) {
			take_quoted_escape(x, mode, out);
		} else {
			put_raw(out, x->at++, 1);
		}
	}
	if (mode & EXPAND_RAW_QUOTES)
		put_raw(out, "\"", 1);
	x->at++;
	return check_result(x, out);
}

/* ---- words ---- */

/* At '<': "<<" and the blanks behind it stay with the word that follows. */
static void take_heredoc_mark(struct expander *x, struct result *out)
{
	size_t n = 1;

	if (x->at[1] == '<')
		n = 2 + strspn(x->at + 2, " \t\r");
	put_raw(out, x->at, n);
	x->at += n;
}

static void take_escape(struct expander *x, enum expand_mode mode, struct result *out)
{
	size_t n;

	if (mode & EXPAND_RAW_ESCAPES)
		put_raw(out, x->at, 1);
	x->at++;
	n = rune_len(x);
	put_raw(out, x->at, n);
	x->at += n;
}

static int take_dollar(struct expander *x, struct result *out)
{
	auto_strbuf struct strbuf value = STRBUF_INIT;

	if (expand_dollar(x, &value) < 0)
		return -1;
	put_split(out, value.data, value.len);
	return check_result(x, out);
}

/* Up to @stop, which is taken too, or to the end if @stop is NUL. */
static int expand_until(struct expander *x, char stop, enum expand_mode mode, struct result *out)
{
	enum expand_mode outer = x->mode;
	int r = 0;

	x->mode = mode;
	while (r == 0 && x->at[0] && (!stop || x->at[0] != stop)) {
		char c = x->at[0];
		bool has_quotes = !(mode & EXPAND_KEEP_QUOTES);

		if (c == '$') {
			r = take_dollar(x, out);
		} else if (c == '\'' && has_quotes) {
			r = expand_single_quotes(x, out);
		} else if (c == '"' && has_quotes) {
			r = expand_double_quotes(x, mode, out);
		} else if (c == '<') {
			take_heredoc_mark(x, out);
		} else if (c == x->escape) {
			take_escape(x, mode, out);
		} else {
			size_t n = rune_len(x);

			put_split(out, x->at, n);
			x->at += n;
		}
	}
	x->mode = outer;
	if (r < 0)
		return -1;
	if (stop && !x->at[0])
		return fail(x, stop == '}' ? "missing '}'" : "missing '/' in a substitution");
	x->at += stop ? 1 : 0;
	return 0;
}

static int expand(const char *word, const struct expand_scope *scope, char escape,
		  enum expand_mode mode, struct result *out, struct err *err)
{
	struct expander x = { word, scope, escape, mode, 0, err };

	if (expand_until(&x, '\0', mode, out) < 0 || check_result(&x, out) < 0)
		return err_prefix(err, "in '%.*s%s'", (int)rune_head(word, 60), word,
				  strlen(word) > 60 ? "..." : "");
	return 0;
}

int expand_word(const char *word, const struct expand_scope *scope, char escape,
		enum expand_mode mode, char **out, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct result result = { .text = &text };

	if (expand(word, scope, escape, mode, &result, err) < 0)
		return -1;
	*out = strbuf_steal(&text);
	return 0;
}

int expand_words(const char *word, const struct expand_scope *scope, char escape,
		 enum expand_mode mode, struct strlist *out, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strlist struct strlist words = STRLIST_INIT;
	struct result result = { .text = &text, .words = &words };

	if (expand(word, scope, escape, mode, &result, err) < 0)
		return -1;
	end_word(&result);
	for (size_t i = 0; i < words.count; i++) {
		strlist_take(out, words.items[i]);
		words.items[i] = NULL;
	}
	return 0;
}

int expand_pair(const char *key, const char *value, const struct expand_scope *scope, char escape,
		char **out_key, char **out_value, struct err *err)
{
	auto_free char *new_key = NULL;
	char *new_value = NULL;

	if (expand_word(key, scope, escape, EXPAND_WORD, &new_key, err) < 0)
		return -1;
	if (!new_key[0])
		return err_set(err, ERR_INPUT, "the name '%s' comes out empty", key);
	if (value && expand_word(value, scope, escape, EXPAND_WORD, &new_value, err) < 0)
		return -1;
	*out_key = ptr_steal(&new_key);
	*out_value = new_value;
	return 0;
}
