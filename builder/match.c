/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for wildcard patterns over paths: their grammar, and whether a path
 * matches. A pattern is compiled to a list of tokens, and all the places in the
 * list that a path can have reached are followed at once, so that no pattern
 * makes matching slow. Which patterns apply, and in what order, is not known here.
 */
#include "builder/match.h"

#include <string.h>

#include "builder/rune.h"
#include "common/mem.h"

enum token_kind {
	TOKEN_RUNE,  /* this very character */
	TOKEN_ANY,   /* one character, not '/' */
	TOKEN_CLASS, /* one character in, or not in, the ranges */
	TOKEN_STAR,  /* any number, not '/' */
	TOKEN_DIRS,  /* nothing, or anything that ends with '/' */
	TOKEN_REST,  /* anything */
};

struct range {
	uint32_t first;
	uint32_t last;
};

struct token {
	enum token_kind kind;
	uint32_t rune;
	bool is_negated;
	size_t range_at; /* into the match's ranges */
	size_t range_count;
};

struct match {
	struct token *tokens;
	size_t count;
	struct range *ranges;
	size_t range_count;
	char *literal; /* the path itself when every token is a character, else NULL */
	size_t literal_len;
};

/* What is left of the pattern. */
struct cursor {
	const char *at;
	const char *end;
};

static uint32_t take_rune(struct cursor *c)
{
	size_t n;
	uint32_t rune = rune_next(c->at, (size_t)(c->end - c->at), &n);

	c->at += n;
	return rune;
}

static bool take_char(struct cursor *c, char want)
{
	if (c->at == c->end || *c->at != want)
		return false;
	c->at++;
	return true;
}

/* One end of a range; '-' and ']' only behind '\'. False when there is none. */
static bool take_class_rune(struct cursor *c, uint32_t *out)
{
	if (c->at == c->end || *c->at == '-' || *c->at == ']')
		return false;
	take_char(c, '\\');
	if (c->at == c->end)
		return false;
	*out = take_rune(c);
	return true;
}

/* After '[': the ranges up to ']'. */
static bool take_class(struct match *m, struct cursor *c, struct token *token)
{
	token->kind = TOKEN_CLASS;
	token->is_negated = take_char(c, '^');
	token->range_at = m->range_count;
	do {
		struct range *range = &m->ranges[m->range_count];

		if (!take_class_rune(c, &range->first))
			return false;
		range->last = range->first;
		if (take_char(c, '-') && !take_class_rune(c, &range->last))
			return false;
		if (range->last < range->first)
			return false;
		m->range_count++;
		token->range_count++;
	} while (!take_char(c, ']'));
	return true;
}

/* After the first '*'. */
static void take_star(struct match *m, struct cursor *c, bool is_deep, struct token *token)
{
	token->kind = TOKEN_STAR;
	if (!is_deep || !take_char(c, '*'))
		return;
	if (m->count == 0 && c->at < c->end && *c->at != '/' && !strpbrk(c->at, "*?[]\\")) {
		token->kind = TOKEN_REST; /* "**.log" */
		return;
	}
	take_char(c, '/');
	token->kind = c->at == c->end ? TOKEN_REST : TOKEN_DIRS;
}

static bool take_token(struct match *m, struct cursor *c, bool is_deep)
{
	struct token *token = &m->tokens[m->count];

	if (take_char(c, '*')) {
		take_star(m, c, is_deep, token);
	} else if (take_char(c, '?')) {
		token->kind = TOKEN_ANY;
	} else if (take_char(c, '[')) {
		if (!take_class(m, c, token))
			return false;
	} else {
		if (take_char(c, '\\') && c->at == c->end)
			return false;
		token->kind = TOKEN_RUNE;
		token->rune = take_rune(c);
	}
	m->count++;
	return true;
}

/* Keep the characters themselves when there is nothing else. */
static void find_literal(struct match *m, const char *pattern)
{
	size_t len = 0;

	for (size_t i = 0; i < m->count; i++)
		if (m->tokens[i].kind != TOKEN_RUNE)
			return;
	m->literal = mem_alloc(strlen(pattern) + 1);
	for (const char *p = pattern; *p; p++) {
		if (*p == '\\')
			p++;
		m->literal[len++] = *p;
	}
	m->literal_len = len;
}

struct match *match_new(const char *pattern, bool is_deep, struct err *err)
{
	size_t len = strlen(pattern);
	struct cursor c = { pattern, pattern + len };
	struct match *m;

	if (len > MATCH_PATTERN_MAX_BYTES) {
		err_set(err, ERR_INPUT, "a pattern is longer than %d bytes",
			MATCH_PATTERN_MAX_BYTES);
		return NULL;
	}
	m = mem_alloc(sizeof(*m));
	m->tokens = mem_array(len + 1, sizeof(*m->tokens));
	m->ranges = mem_array(len + 1, sizeof(*m->ranges));
	while (c.at < c.end) {
		if (!take_token(m, &c, is_deep)) {
			match_free(m);
			err_set(err, ERR_INPUT, "syntax error in pattern '%s'", pattern);
			return NULL;
		}
	}
	find_literal(m, pattern);
	m->tokens = mem_resize(m->tokens, m->count + 1, sizeof(*m->tokens));
	m->ranges = mem_resize(m->ranges, m->range_count + 1, sizeof(*m->ranges));
	return m;
}

void match_free(struct match *m)
{
	if (!m)
		return;
	free(m->tokens);
	free(m->ranges);
	free(m->literal);
	free(m);
}

/* ---- following a path ---- */

#define AT     1u /* the token is next */
#define INSIDE 2u /* TOKEN_DIRS has begun and needs its '/' */

struct places {
	unsigned char bits[MATCH_PATTERN_MAX_BYTES + 1]; /* one per token, and the end */
};

static bool is_skippable(enum token_kind kind)
{
	return kind == TOKEN_STAR || kind == TOKEN_DIRS || kind == TOKEN_REST;
}

/* Tokens that may match nothing let the next one be reached too. */
static bool skip_empty(const struct match *m, struct places *places)
{
	bool is_alive = false;

	for (size_t i = 0; i < m->count; i++) {
		if (!places->bits[i])
			continue;
		is_alive = true;
		if ((places->bits[i] & AT) && is_skippable(m->tokens[i].kind))
			places->bits[i + 1] |= AT;
	}
	return is_alive || places->bits[m->count];
}

static bool class_has(const struct match *m, const struct token *token, uint32_t rune)
{
	const struct range *range = &m->ranges[token->range_at];

	for (size_t i = 0; i < token->range_count; i++)
		if (rune >= range[i].first && rune <= range[i].last)
			return !token->is_negated;
	return token->is_negated;
}

/* Where token @i, reached, leads with @rune. */
static void step_token(const struct match *m, size_t i, uint32_t rune, struct places *to)
{
	const struct token *token = &m->tokens[i];

	switch (token->kind) {
	case TOKEN_RUNE:
		to->bits[i + 1] |= rune == token->rune ? AT : 0;
		break;
	case TOKEN_ANY:
		to->bits[i + 1] |= rune != '/' ? AT : 0;
		break;
	case TOKEN_CLASS:
		to->bits[i + 1] |= class_has(m, token, rune) ? AT : 0;
		break;
	case TOKEN_STAR:
		to->bits[i] |= rune != '/' ? AT : 0;
		break;
	case TOKEN_DIRS:
		to->bits[i] |= INSIDE;
		to->bits[i + 1] |= rune == '/' ? AT : 0;
		break;
	case TOKEN_REST:
		to->bits[i] |= AT;
		break;
	}
}

struct walk {
	struct places places[2];
	int now;
	bool is_alive;
};

static void walk_start(const struct match *m, struct walk *walk)
{
	walk->now = 0;
	memset(walk->places[0].bits, 0, m->count + 1);
	walk->places[0].bits[0] = AT;
	walk->is_alive = skip_empty(m, &walk->places[0]);
}

static void walk_step(const struct match *m, struct walk *walk, uint32_t rune)
{
	const struct places *from = &walk->places[walk->now];
	struct places *to = &walk->places[!walk->now];

	memset(to->bits, 0, m->count + 1);
	for (size_t i = 0; i < m->count; i++)
		if (from->bits[i])
			step_token(m, i, rune, to);
	walk->now = !walk->now;
	walk->is_alive = skip_empty(m, to);
}

static bool walk_is_end(const struct match *m, const struct walk *walk)
{
	return walk->places[walk->now].bits[m->count] & AT;
}

bool match_test(const struct match *m, const char *name, size_t len)
{
	struct walk walk;

	if (m->literal)
		return len == m->literal_len && memcmp(name, m->literal, len) == 0;
	walk_start(m, &walk);
	for (size_t i = 0, n; i < len && walk.is_alive; i += n)
		walk_step(m, &walk, rune_next(name + i, len - i, &n));
	return walk.is_alive && walk_is_end(m, &walk);
}

bool match_test_tree(const struct match *m, const char *path, size_t len)
{
	struct walk walk;

	if (m->literal)
		return m->literal_len > 0 && len >= m->literal_len &&
		       memcmp(path, m->literal, m->literal_len) == 0 &&
		       (len == m->literal_len || path[m->literal_len] == '/');
	walk_start(m, &walk);
	for (size_t i = 0, n; i < len && walk.is_alive; i += n) {
		if (i > 0 && path[i] == '/' && walk_is_end(m, &walk))
			return true;
		walk_step(m, &walk, rune_next(path + i, len - i, &n));
	}
	return walk.is_alive && walk_is_end(m, &walk);
}

bool match_test_below(const struct match *m, const char *dir, size_t len)
{
	struct walk walk;

	if (m->literal)
		return m->literal_len > len && memcmp(m->literal, dir, len) == 0 &&
		       (len == 0 || m->literal[len] == '/');
	walk_start(m, &walk);
	for (size_t i = 0, n; i < len && walk.is_alive; i += n)
		walk_step(m, &walk, rune_next(dir + i, len - i, &n));
	if (len > 0 && walk.is_alive)
		walk_step(m, &walk, '/');
	return walk.is_alive;
}

/* ---- one pattern, one name ---- */

int match_check(const char *pattern, struct err *err)
{
	struct match *m = match_new(pattern, false, err);

	if (!m)
		return -1;
	match_free(m);
	return 0;
}

bool match_glob(const char *pattern, const char *name)
{
	struct err err;
	struct match *m = match_new(pattern, false, &err);
	bool is_match = m && match_test(m, name, strlen(name));

	match_free(m);
	return is_match;
}

bool match_is_pattern(const char *pattern)
{
	return strpbrk(pattern, "*?[") != NULL;
}

bool match_has_wildcard(const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (strchr("*?[", *p))
			return true;
	}
	return false;
}
