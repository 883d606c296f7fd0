/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHEKEY_H
#define BUILDER_CACHEKEY_H

#include <stdint.h>

#include "common/digest.h"
#include "common/strlist.h"

/*
 * Keys of the step cache: the SHA-256 of all that a step's result depends on,
 * as fields "NAME LENGTH:BYTES\n", so that no two lists of values are the same bytes.
 */
struct cachekey {
	struct digest_state state;
};

#define auto_cachekey __attribute__((cleanup(cachekey_release)))
void cachekey_release(struct cachekey *key);

/* @kind: "run", "copy"…; @parent: the key of what is below, or NULL. */
void cachekey_init(struct cachekey *key, const char *kind, const struct digest *parent);
void cachekey_bytes(struct cachekey *key, const char *name, const void *data, size_t len);
void cachekey_string(struct cachekey *key, const char *name, const char *text); /* NULL: "absent" */
void cachekey_number(struct cachekey *key, const char *name, int64_t number);
void cachekey_list(struct cachekey *key, const char *name, const struct strlist *list);
void cachekey_digest(struct cachekey *key, const char *name, const struct digest *digest);
void cachekey_final(struct cachekey *key, struct digest *out); /* once */

#endif
