/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the keys that leave a container: how they are written, and finding them in what is
 * typed. */
#include "sandbox/detach-keys.h"

#include <string.h>

#define CTRL_PREFIX "ctrl-"
#define CTRL_MASK   0x1f

/* *out is what a terminal sends for it. */
static bool key_parse(const char *text, size_t len, char *out)
{
	const size_t prefix = strlen(CTRL_PREFIX);

	if (len == 1 && (unsigned char)*text < 0x80) {
		*out = *text;
		return true;
	}
	if (len != prefix + 1 || strncmp(text, CTRL_PREFIX, prefix) != 0 ||
	    !strchr("abcdefghijklmnopqrstuvwxyz@[\\]^_", text[prefix]))
		return false;
	*out = (char)(text[prefix] & CTRL_MASK);
	return true;
}

int detach_keys_parse(const char *text, struct detach_keys *out, struct err *err)
{
	struct detach_keys keys = { .count = 0 };
	const char *at = text;

	while (*text) {
		size_t len = strcspn(at, ",");

		if (keys.count == DETACH_KEYS_MAX)
			return err_set(err, ERR_USAGE, "'%s' are more than %d keys", text,
				       DETACH_KEYS_MAX);
		if (!key_parse(at, len, &keys.keys[keys.count++]))
			return err_set(err, ERR_USAGE,
				       "'%.*s' is no key: a character, or ctrl- and one of a-z @ [ "
				       "\\ ] ^ _",
				       (int)len, at);
		if (!at[len])
			break;
		at += len + 1;
	}
	*out = keys;
	return 0;
}

/* One more key: whatever can no longer begin the keys is the container's. */
static void take_key(struct detach_keys *keys, char key, struct strbuf *out)
{
	char held[DETACH_KEYS_MAX];
	size_t start = 0;

	memcpy(held, keys->keys, keys->typed);
	held[keys->typed++] = key;
	while (memcmp(held + start, keys->keys, keys->typed - start) != 0)
		start++;
	strbuf_add(out, held, start);
	keys->typed -= start;
}

bool detach_keys_take(struct detach_keys *keys, const char *data, size_t len, struct strbuf *out)
{
	if (keys->count == 0) {
		strbuf_add(out, data, len);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		take_key(keys, data[i], out);
		if (keys->typed == keys->count)
			return true;
	}
	return false;
}
