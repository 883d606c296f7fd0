/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/detach-keys.h"

static struct detach_keys parsed(const char *text)
{
	struct detach_keys keys = { .count = 99 };
	struct err err = ERR_INIT;

	assert_int_equal(detach_keys_parse(text, &keys, &err), 0);
	return keys;
}

static void keys_are_read(void **state)
{
	struct detach_keys keys = parsed(DETACH_KEYS_DEFAULT);

	(void)state;
	assert_int_equal(keys.count, 2);
	assert_memory_equal(keys.keys, "\x10\x11", 2);
	keys = parsed("a,ctrl-a,ctrl-z,ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,-");
	assert_int_equal(keys.count, 10);
	assert_memory_equal(keys.keys, "a\x01\x1a\x00\x1b\x1c\x1d\x1e\x1f-", 10);
	assert_int_equal(parsed("").count, 0);
}

static void what_is_no_key_is_refused(void **state)
{
	static const char *const bad[] = {
		"ab",   "ctrl-",  "ctrl-A", "ctrl-ab",
		"a,",   ",a",     "ctrl-1", "\xc3",
		"a,,b", "CTRL-a", "ctrl-,", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct detach_keys keys = { .count = 7 };
		struct err err = ERR_INIT;

		assert_int_equal(detach_keys_parse(bad[i], &keys, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_int_equal(keys.count, 7);
	}
}

/* What is typed in pieces, and what of it the container gets: "|" is where it is left. */
static void check(const char *text, const char *const *pieces, const char *expected)
{
	struct detach_keys keys = parsed(text);
	auto_strbuf struct strbuf out = STRBUF_INIT;

	for (; *pieces; pieces++)
		if (detach_keys_take(&keys, *pieces, strlen(*pieces), &out)) {
			strbuf_add(&out, "|", 1);
			break;
		}
	assert_string_equal(out.data ? out.data : "", expected);
}
#define CHECK(text, expected, ...) check(text, (const char *const[]){ __VA_ARGS__, NULL }, expected)

static void keys_are_found_in_what_is_typed(void **state)
{
	(void)state;
	CHECK("x,y", "ab|", "abxy");
	CHECK("x,y", "ab|", "ab", "x", "y", "never");
	CHECK("x,y", "axb|", "axbxyz");
	CHECK("x,y", "x|", "x", "x", "y"); /* the second may be the first of them */
	CHECK("x,y", "xa", "x", "a");
	CHECK("x,y", "a", "ax"); /* held back */
	CHECK("x,x,y", "x|", "xxxy");
	CHECK("x,y,x,z", "xy|", "xyxyxz");
	CHECK("x", "|", "x");
	CHECK("", "x,y", "x", ",y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_read),
		cmocka_unit_test(what_is_no_key_is_refused),
		cmocka_unit_test(keys_are_found_in_what_is_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
