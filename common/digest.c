/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for SHA-256, its text form, and chain IDs. The only room that knows
 * libcrypto, of which it takes the bare hash: the same code as behind EVP, but
 * without providers, whose loading costs more than many a build here, and which
 * would bring all of the library into a program that is linked statically.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/digest.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"

const char *digest_hex(const struct digest *digest, char *buf)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < DIGEST_BYTES; i++) {
		buf[2 * i] = digits[digest->bytes[i] >> 4];
		buf[2 * i + 1] = digits[digest->bytes[i] & 15];
	}
	buf[2 * DIGEST_BYTES] = '\0';
	return buf;
}

const char *digest_name(const struct digest *digest, char *buf)
{
	memcpy(buf, "sha256:", 7);
	digest_hex(digest, buf + 7);
	return buf;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int digest_parse_hex(const char *text, struct digest *out, struct err *err)
{
	struct digest digest;

	if (strnlen(text, 2 * DIGEST_BYTES + 1) != 2 * DIGEST_BYTES)
		return err_set(err, ERR_INPUT, "'%.80s' is not 64 hex digits", text);
	for (int i = 0; i < DIGEST_BYTES; i++) {
		int high = hex_value(text[2 * i]);
		int low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return err_set(err, ERR_INPUT, "'%.80s' is not 64 lower-case hex digits",
				       text);
		digest.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = digest;
	return 0;
}

int digest_parse(const char *text, struct digest *out, struct err *err)
{
	if (strncmp(text, "sha256:", 7) != 0)
		return err_set(err, ERR_INPUT, "'%.80s' is not a sha256 digest", text);
	if (digest_parse_hex(text + 7, out, err) < 0)
		return err_set(err, ERR_INPUT,
			       "'%.80s' is not a digest: 64 lower-case hex digits must follow "
			       "'sha256:'",
			       text);
	return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

bool digest_is_zero(const struct digest *digest)
{
	static const struct digest zero;

	return digest_equal(digest, &zero);
}

void digest_state_init(struct digest_state *state)
{
	state->len_bytes = 0;
	state->ctx = mem_alloc(sizeof(SHA256_CTX));
	/* none of the three can fail: no memory is taken, nothing is loaded */
	(void)SHA256_Init(state->ctx);
}

void digest_state_release(struct digest_state *state)
{
	free(state->ctx);
	state->ctx = NULL;
}

void digest_state_update(struct digest_state *state, const void *data, size_t len)
{
	(void)SHA256_Update(state->ctx, data, len);
	state->len_bytes += len;
}

void digest_state_final(struct digest_state *state, struct digest *out)
{
	(void)SHA256_Final(out->bytes, state->ctx);
	digest_state_release(state);
}

void digest_of(const void *data, size_t len, struct digest *out)
{
	SHA256_CTX ctx;

	/* SHA256() itself would go by way of EVP */
	(void)SHA256_Init(&ctx);
	(void)SHA256_Update(&ctx, data, len);
	(void)SHA256_Final(out->bytes, &ctx);
}

void digest_chain(const struct digest *parent, const struct digest *diff_id, struct digest *out)
{
	char text[2 * DIGEST_NAME_MAX];
	char a[DIGEST_NAME_MAX];
	char b[DIGEST_NAME_MAX];

	if (!parent) {
		*out = *diff_id;
		return;
	}
	snprintf(text, sizeof(text), "%s %s", digest_name(parent, a), digest_name(diff_id, b));
	digest_of(text, strlen(text), out);
}
