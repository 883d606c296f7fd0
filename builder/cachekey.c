/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the bytes of cache keys: that each value is told apart from its
 * neighbours, and that a key of another kind of step is another key. What goes
 * into the key of a step is the step's own affair.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "builder/cachekey.h"

/* Part of every key: change it when the meaning of a step changes, so that no old result is used.
 */
#define CACHEKEY_VERSION "imgbuild step 1"

void cachekey_init(struct cachekey *key, const char *kind, const struct digest *parent)
{
	digest_state_init(&key->state);
	cachekey_string(key, "version", CACHEKEY_VERSION);
	cachekey_string(key, "kind", kind);
	if (parent)
		cachekey_digest(key, "parent", parent);
}

void cachekey_release(struct cachekey *key)
{
	digest_state_release(&key->state);
}

void cachekey_bytes(struct cachekey *key, const char *name, const void *data, size_t len)
{
	char head[80];
	int n = snprintf(head, sizeof(head), "%s %zu:", name, len);

	digest_state_update(&key->state, head, (size_t)n);
	digest_state_update(&key->state, data, len);
	digest_state_update(&key->state, "\n", 1);
}

void cachekey_string(struct cachekey *key, const char *name, const char *text)
{
	if (text)
		cachekey_bytes(key, name, text, strlen(text));
	else
		cachekey_bytes(key, "absent", name, strlen(name));
}

void cachekey_number(struct cachekey *key, const char *name, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	cachekey_string(key, name, text);
}

void cachekey_list(struct cachekey *key, const char *name, const struct strlist *list)
{
	cachekey_number(key, name, (int64_t)list->count);
	for (size_t i = 0; i < list->count; i++)
		cachekey_string(key, name, list->items[i]);
}

void cachekey_digest(struct cachekey *key, const char *name, const struct digest *digest)
{
	cachekey_bytes(key, name, digest->bytes, sizeof(digest->bytes));
}

void cachekey_final(struct cachekey *key, struct digest *out)
{
	digest_state_final(&key->state, out);
}
