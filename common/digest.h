/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_DIGEST_H
#define COMMON_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/*
 * SHA-256 digests as the OCI image specification writes them ("sha256:" and 64
 * lower-case hex digits; descriptor.md, "Digests"). No other algorithm is
 * accepted.
 */
#define DIGEST_BYTES    32
#define DIGEST_HEX_MAX  65 /* with the NUL */
#define DIGEST_NAME_MAX 72 /* "sha256:" + hex + NUL */

struct digest {
	uint8_t bytes[DIGEST_BYTES];
};

/* Write the 64 hex digits, or "sha256:…", into @buf; returns @buf. */
const char *digest_hex(const struct digest *digest, char *buf);
const char *digest_name(const struct digest *digest, char *buf);

/* "sha256:<64 hex>" exactly, or ERR_INPUT. Safe to use as a path or URL part afterwards. */
int digest_parse(const char *text, struct digest *out, struct err *err);
/* 64 lower-case hex digits exactly. */
int digest_parse_hex(const char *text, struct digest *out, struct err *err);

bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *digest);

/* The digest of bytes in memory. */
void digest_of(const void *data, size_t len, struct digest *out);

/* A digest in the making. */
struct digest_state {
	void *ctx;
	uint64_t len_bytes; /* fed so far */
};

#define auto_digest_state __attribute__((cleanup(digest_state_release)))

void digest_state_init(struct digest_state *state);
void digest_state_release(struct digest_state *state);
void digest_state_update(struct digest_state *state, const void *data, size_t len);
void digest_state_final(struct digest_state *state, struct digest *out); /* once */

/*
 * The chain ID of image-spec config.md, "Layer ChainID": of @diff_id on top of
 * @parent, or @diff_id itself when @parent is NULL.
 */
void digest_chain(const struct digest *parent, const struct digest *diff_id, struct digest *out);

#endif
