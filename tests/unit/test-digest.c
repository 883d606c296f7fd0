/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, its one text form, and chain IDs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/digest.h"

/* FIPS 180-4 examples */
#define HEX_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX_ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void computes_sha256(void **state)
{
	struct digest digest;
	char hex[DIGEST_HEX_MAX];
	char name[DIGEST_NAME_MAX];

	digest_of("", 0, &digest);
	assert_string_equal(digest_hex(&digest, hex), HEX_EMPTY);
	digest_of("abc", 3, &digest);
	assert_string_equal(digest_name(&digest, name), "sha256:" HEX_ABC);
}

static void computes_in_pieces(void **state)
{
	auto_digest_state struct digest_state state_of = { .ctx = NULL };
	struct digest whole;
	struct digest pieces;

	digest_state_init(&state_of);
	digest_state_update(&state_of, "a", 1);
	digest_state_update(&state_of, "", 0);
	digest_state_update(&state_of, "bc", 2);
	assert_int_equal(state_of.len_bytes, 3);
	digest_state_final(&state_of, &pieces);
	digest_of("abc", 3, &whole);
	assert_true(digest_equal(&whole, &pieces));
	assert_false(digest_is_zero(&whole));
	memset(&whole, 0, sizeof(whole));
	assert_true(digest_is_zero(&whole));
	assert_false(digest_equal(&whole, &pieces));
}

static void reads_only_the_one_form(void **state)
{
	static const char *const bad[] = {
		"",
		"sha256:",
		HEX_ABC,
		"sha256:" HEX_ABC "0",
		"sha256: " HEX_ABC,
		"SHA256:" HEX_ABC,
		"sha512:" HEX_ABC,
		"sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ag",
		"sha256:../../../../../../../../../../../../../../../../../../../../../x",
		"sha256:" HEX_ABC "\n",
	};
	struct digest digest;
	struct err err = ERR_INIT;
	char name[DIGEST_NAME_MAX];

	assert_int_equal(digest_parse("sha256:" HEX_ABC, &digest, &err), 0);
	assert_string_equal(digest_name(&digest, name), "sha256:" HEX_ABC);
	assert_int_equal(digest_parse_hex(HEX_EMPTY, &digest, &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct digest out = digest;

		if (digest_parse(bad[i], &out, &err) == 0)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_true(digest_equal(&out, &digest));
	}
	assert_int_equal(digest_parse_hex("sha256:" HEX_ABC, &digest, &err), -1);
}

static void chains(void **state)
{
	struct digest a;
	struct digest b;
	struct digest chain;
	struct digest want;
	static const char text[] = "sha256:" HEX_EMPTY " sha256:" HEX_ABC;

	digest_of("", 0, &a);
	digest_of("abc", 3, &b);
	digest_chain(NULL, &a, &chain);
	assert_true(digest_equal(&chain, &a));
	digest_chain(&a, &b, &chain);
	digest_of(text, strlen(text), &want);
	assert_true(digest_equal(&chain, &want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computes_sha256),
		cmocka_unit_test(computes_in_pieces),
		cmocka_unit_test(reads_only_the_one_form),
		cmocka_unit_test(chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
