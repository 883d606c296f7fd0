/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the dictionaries of image documents (labels, annotations, ports,
 * volumes): between JSON objects and sorted lists of strings.
 */
#include "layers/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static size_t key_length(const char *pair)
{
	return strcspn(pair, "=");
}

/* Where the key of @a would come before, with or after that of @b. */
static int compare_keys(const char *a, const char *b)
{
	size_t len_a = key_length(a);
	size_t len_b = key_length(b);
	int order = memcmp(a, b, len_a < len_b ? len_a : len_b);

	if (order != 0)
		return order;
	return len_a < len_b ? -1 : len_a > len_b;
}

struct numbered {
	char *pair;
	size_t position;
};

static int by_key_then_position(const void *a, const void *b)
{
	const struct numbered *x = a;
	const struct numbered *y = b;
	int order = compare_keys(x->pair, y->pair);

	if (order != 0)
		return order;
	return x->position < y->position ? -1 : 1;
}

void pairs_sort(struct strlist *pairs)
{
	auto_free struct numbered *sorted = mem_array(pairs->count, sizeof(*sorted));
	size_t kept = 0;

	if (pairs->count < 2)
		return;
	for (size_t i = 0; i < pairs->count; i++)
		sorted[i] = (struct numbered){ .pair = pairs->items[i], .position = i };
	qsort(sorted, pairs->count, sizeof(*sorted), by_key_then_position);
	for (size_t i = 0; i < pairs->count; i++) {
		bool is_last = i + 1 == pairs->count ||
			       compare_keys(sorted[i].pair, sorted[i + 1].pair) != 0;

		if (is_last)
			pairs->items[kept++] = sorted[i].pair;
		else
			free(sorted[i].pair);
	}
	pairs->count = kept;
	pairs->items[kept] = NULL;
}

/* The object at @member, or NULL in *out when there is none. */
static int take_object(const struct json *object, const char *member, const struct json **out,
		       const char *what, struct err *err)
{
	const struct json *value = json_get(object, member);

	if (value && !json_is_null(value) && !json_is_object(value))
		return err_set(err, ERR_INPUT, "%s: '%s' is not an object", what, member);
	*out = json_is_object(value) ? value : NULL;
	return 0;
}

int pairs_take(const struct json *object, const char *member, struct strlist *out, const char *what,
	       struct err *err)
{
	auto_strlist struct strlist pairs = STRLIST_INIT;
	const struct json *dictionary = NULL;

	if (take_object(object, member, &dictionary, what, err) < 0)
		return -1;
	for (size_t i = 0; i < json_count(dictionary); i++) {
		const char *key = json_key_at(dictionary, i);
		const char *value = json_string(json_value_at(dictionary, i));

		if (!value)
			return err_set(err, ERR_INPUT, "%s: '%s' of '%s' is not a string", what,
				       key, member);
		if (strchr(key, '='))
			return err_set(err, ERR_INPUT, "%s: the name '%s' in '%s' holds a '='",
				       what, key, member);
		strlist_addf(&pairs, "%s=%s", key, value);
	}
	if (!dictionary)
		return 0;
	pairs_sort(&pairs);
	strlist_release(out);
	*out = pairs;
	pairs = (struct strlist)STRLIST_INIT;
	return 0;
}

void pairs_set(struct json *object, const char *member, const struct strlist *pairs)
{
	struct json *dictionary = NULL;

	if (pairs->count == 0)
		return;
	dictionary = json_object();
	for (size_t i = 0; i < pairs->count; i++) {
		const char *pair = pairs->items[i];
		size_t len = key_length(pair);
		auto_free char *key = str_ndup(pair, len);

		json_set_string(dictionary, key, pair[len] == '=' ? pair + len + 1 : "");
	}
	json_set(object, member, dictionary);
}

int names_take(const struct json *object, const char *member, struct strlist *out, const char *what,
	       struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	const struct json *dictionary = NULL;

	if (take_object(object, member, &dictionary, what, err) < 0)
		return -1;
	if (!dictionary)
		return 0;
	for (size_t i = 0; i < json_count(dictionary); i++)
		strlist_add(&names, json_key_at(dictionary, i));
	strlist_sort(&names);
	strlist_release(out);
	*out = names;
	names = (struct strlist)STRLIST_INIT;
	return 0;
}

void names_set(struct json *object, const char *member, const struct strlist *names)
{
	struct json *dictionary = NULL;

	if (names->count == 0)
		return;
	dictionary = json_object();
	for (size_t i = 0; i < names->count; i++)
		json_set(dictionary, names->items[i], json_object());
	json_set(object, member, dictionary);
}

int text_take(const struct json *object, const char *member, char **out, const char *what,
	      struct err *err)
{
	auto_free char *text = NULL;

	if (json_take_string(object, member, &text, what, err) < 0)
		return -1;
	if (text && text[0] != '\0')
		*out = ptr_steal(&text);
	return 0;
}
