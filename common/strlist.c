/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for lists of owned strings: arguments, environments, names. */
#include "common/strlist.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

void strlist_release(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strlist)STRLIST_INIT;
}

void strlist_take(struct strlist *list, char *s)
{
	/* grow at powers of two; the array always has room for the NULL */
	if ((list->count & (list->count + 1)) == 0)
		list->items = mem_resize(list->items, 2 * (list->count + 1), sizeof(char *));
	list->items[list->count++] = s;
	list->items[list->count] = NULL;
}

void strlist_add(struct strlist *list, const char *s)
{
	strlist_take(list, str_dup(s));
}

void strlist_addf(struct strlist *list, const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	strlist_take(list, n < 0 ? mem_alloc(1) : s);
}

void strlist_copy(struct strlist *to, const struct strlist *from)
{
	struct strlist fresh = STRLIST_INIT;

	for (size_t i = 0; i < from->count; i++)
		strlist_add(&fresh, from->items[i]);
	strlist_release(to);
	*to = fresh;
}

bool strlist_has(const struct strlist *list, const char *s)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], s) == 0)
			return true;
	return false;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(char *), by_bytes);
}

static bool is_key(const char *item, const char *key, size_t len)
{
	return strncmp(item, key, len) == 0 && item[len] == '=';
}

const char *strlist_env_get(const struct strlist *list, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = list->count; i-- > 0;)
		if (is_key(list->items[i], key, len))
			return list->items[i] + len + 1;
	return NULL;
}

void strlist_env_set(struct strlist *list, const char *key, const char *value)
{
	size_t len = strlen(key);
	char *item = str_format("%s=%s", key, value);

	for (size_t i = 0; i < list->count; i++) {
		if (!is_key(list->items[i], key, len))
			continue;
		free(list->items[i]);
		list->items[i] = item;
		return;
	}
	strlist_take(list, item);
}

void strlist_env_unset(struct strlist *list, const char *key)
{
	size_t len = strlen(key);
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (is_key(list->items[i], key, len))
			free(list->items[i]);
		else
			list->items[kept++] = list->items[i];
	}
	if (list->items)
		list->items[kept] = NULL;
	list->count = kept;
}
