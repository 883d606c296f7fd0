/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for reading what registries and their token servers say about who may come in. */
#include "registry/challenge.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/mem.h"

#define LIFETIME_MIN_SECONDS 60
#define LIFETIME_MAX_SECONDS (24L * 60 * 60)

void challenges_release(struct challenges *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].realm);
		free(list->items[i].service);
		free(list->items[i].scope);
		free(list->items[i].error);
	}
	free(list->items);
	*list = (struct challenges){ .items = NULL };
}

const struct challenge *challenges_find(const struct challenges *list, enum challenge_kind kind)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].kind == kind)
			return &list->items[i];
	return NULL;
}

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* @at the opening quote; the end behind the closing one, or NULL when there is none. */
static const char *take_quoted(const char *at, char **out)
{
	auto_free char *value = mem_alloc(strlen(at) + 1);
	size_t len = 0;

	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		value[len++] = *at;
	}
	if (*at != '"')
		return NULL;
	*out = ptr_steal(&value);
	return at + 1;
}

/* Behind "name=" */
static const char *take_value(const char *at, char **out)
{
	size_t len;

	if (*at == '"')
		return take_quoted(at, out);
	/* more than a token may be: people forget the quotes around URLs */
	len = strcspn(at, ", \t\"");
	*out = str_ndup(at, len);
	return at + len;
}

static void keep_param(struct challenge *challenge, const char *name, size_t len, char *value)
{
	const struct {
		const char *name;
		char **target;
	} known[] = {
		{ "realm", &challenge->realm },
		{ "service", &challenge->service },
		{ "scope", &challenge->scope },
		{ "error", &challenge->error },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) != len || strncasecmp(known[i].name, name, len) != 0 ||
		    *known[i].target)
			continue;
		*known[i].target = value;
		return;
	}
	free(value);
}

static struct challenge *add(struct challenges *list, const char *scheme, size_t len)
{
	struct challenge *challenge;

	if (list->count == CHALLENGES_MAX)
		return NULL;
	list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
	challenge = &list->items[list->count++];
	*challenge = (struct challenge){ .kind = CHALLENGE_OTHER };
	if (len == 5 && strncasecmp(scheme, "basic", len) == 0)
		challenge->kind = CHALLENGE_BASIC;
	if (len == 6 && strncasecmp(scheme, "bearer", len) == 0)
		challenge->kind = CHALLENGE_BEARER;
	return challenge;
}

void challenges_parse(const char *value, struct challenges *list)
{
	struct challenge *current = NULL;
	const char *at = value;

	while (at && *(at += strspn(at, " \t,"))) {
		const char *word = at;
		const char *next;
		size_t len;
		char *text = NULL;

		while (is_token_char(*at))
			at++;
		len = (size_t)(at - word);
		if (len == 0)
			return;
		next = skip_blanks(at);
		if (*next == '=' && current) {
			at = take_value(skip_blanks(next + 1), &text);
			if (at)
				keep_param(current, word, len, text);
			continue;
		}
		current = add(list, word, len);
		if (!current)
			return;
		/* a token68 says nothing to us; one word and no "=" or several at its end */
		while (is_token_char(*next) || *next == '/')
			next++;
		if (*next == '/' || (*next == '=' && strspn(next, "=") > 1))
			at = next + strcspn(next, ",");
	}
}

/* It becomes a part of a header line. */
static bool fits_header(const char *token)
{
	if (!token[0])
		return false;
	for (const char *c = token; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return true;
}

int token_answer_parse(const char *data, size_t len, struct token_answer *out, struct err *err)
{
	auto_json struct json *root = json_parse(data, len, "its answer", err);
	const char *token = NULL;
	int64_t lifetime;

	if (!root) {
		err->kind = ERR_REMOTE;
		return -1;
	}
	token = json_string(json_get(root, "token"));
	if (!token || !token[0])
		token = json_string(json_get(root, "access_token"));
	if (!token || !fits_header(token))
		return err_set(err, ERR_REMOTE, "its answer has no token");
	lifetime = json_int(json_get(root, "expires_in"), LIFETIME_MIN_SECONDS);
	if (lifetime < LIFETIME_MIN_SECONDS)
		lifetime = LIFETIME_MIN_SECONDS;
	if (lifetime > LIFETIME_MAX_SECONDS)
		lifetime = LIFETIME_MAX_SECONDS;
	out->token = str_dup(token);
	out->lifetime_seconds = (long)lifetime;
	return 0;
}
