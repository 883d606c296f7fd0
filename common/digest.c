/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for SHA-256, its text form, and chain IDs. The only room that knows
 * libcrypto.
 */
#include "common/digest.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void load_sha256(void)
{
	/* the host's openssl.cnf has nothing to say about a bare hash */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	assert(sha256);
}

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
	pthread_once(&sha256_once, load_sha256);
	state->len_bytes = 0;
	state->ctx = EVP_MD_CTX_new();
	assert(state->ctx);
	int ok = EVP_DigestInit_ex(state->ctx, sha256, NULL);

	assert(ok);
	(void)ok;
}

void digest_state_release(struct digest_state *state)
{
	EVP_MD_CTX_free(state->ctx);
	state->ctx = NULL;
}

void digest_state_update(struct digest_state *state, const void *data, size_t len)
{
	int ok = EVP_DigestUpdate(state->ctx, data, len);

	assert(ok);
	(void)ok;
	state->len_bytes += len;
}

void digest_state_final(struct digest_state *state, struct digest *out)
{
	int ok = EVP_DigestFinal_ex(state->ctx, out->bytes, NULL);

	assert(ok);
	(void)ok;
	digest_state_release(state);
}

void digest_of(const void *data, size_t len, struct digest *out)
{
	struct digest_state state;

	digest_state_init(&state);
	digest_state_update(&state, data, len);
	digest_state_final(&state, out);
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
