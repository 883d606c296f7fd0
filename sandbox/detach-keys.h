/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_DETACH_KEYS_H
#define SANDBOX_DETACH_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"

/*
 * The keys that, typed one after the other, leave a container to itself.
 *
 *   keys = "" | key *("," key)          "": none, nobody leaves it
 *   key  = one ASCII character | "ctrl-" ("a"…"z" | "@" | "[" | "\" | "]" | "^" | "_")
 */
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"
#define DETACH_KEYS_MAX     16

struct detach_keys {
	char keys[DETACH_KEYS_MAX]; /* as a terminal sends them */
	size_t count;
	size_t typed; /* how many of them were typed last */
};

/* ERR_USAGE. */
int detach_keys_parse(const char *text, struct detach_keys *out, struct err *err);

/*
 * Append to @out what of @data, which was typed, is the container's. The beginning of the keys is
 * held back until the next one tells what it was. True when all were typed: what comes behind
 * them is nobody's.
 */
bool detach_keys_take(struct detach_keys *keys, const char *data, size_t len, struct strbuf *out);

#endif
