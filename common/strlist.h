/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STRLIST_H
#define COMMON_STRLIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A list of owned strings. `items` ends with a NULL once anything was added
 * (usable as argv) and is NULL before that.
 */
struct strlist {
	char **items;
	size_t count;
};

#define STRLIST_INIT          \
	{                     \
		.items = NULL \
	}

#define auto_strlist __attribute__((cleanup(strlist_release)))

void strlist_release(struct strlist *list);
void strlist_add(struct strlist *list, const char *s);
void strlist_addf(struct strlist *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strlist_take(struct strlist *list, char *s);                  /* takes ownership of @s */
void strlist_copy(struct strlist *to, const struct strlist *from); /* replaces @to */
bool strlist_has(const struct strlist *list, const char *s);
void strlist_sort(struct strlist *list); /* by bytes; keeps duplicates */

/* Environment style lists, "KEY=value": the value or NULL (borrowed); set replaces in place. */
const char *strlist_env_get(const struct strlist *list, const char *key);
void strlist_env_set(struct strlist *list, const char *key, const char *value);
void strlist_env_unset(struct strlist *list, const char *key);

#endif
