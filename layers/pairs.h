/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_PAIRS_H
#define LAYERS_PAIRS_H

#include "common/err.h"
#include "common/json.h"
#include "common/strlist.h"

/*
 * The two kinds of JSON objects that image documents use as dictionaries, as
 * sorted lists of strings:
 *
 *   pairs   {"key": "value", …}      labels, annotations: "key=value" by key
 *   names   {"name": {}, …}          exposed ports, volumes: "name"
 *
 * Sorted by the bytes of the key, as every writer of these documents sorts them.
 * And their text members, where writers do not tell empty from absent.
 */

/*
 * Take the object @member of @object; absent or null leaves @out as it is.
 * ERR_INPUT names @what when it is no object of strings, or when a key holds
 * '=' (the list could not be told apart afterwards).
 */
int pairs_take(const struct json *object, const char *member, struct strlist *out, const char *what,
	       struct err *err);
/* Set @member, unless @pairs is empty. */
void pairs_set(struct json *object, const char *member, const struct strlist *pairs);
/* Into key order; of several values for one key the last one stays. */
void pairs_sort(struct strlist *pairs);

/* What the values are does not matter: some writers put null there. */
int names_take(const struct json *object, const char *member, struct strlist *out, const char *what,
	       struct err *err);
void names_set(struct json *object, const char *member, const struct strlist *names);

/* A string member, where "" means the same as none: *out stays NULL then. */
int text_take(const struct json *object, const char *member, char **out, const char *what,
	      struct err *err);

#endif
