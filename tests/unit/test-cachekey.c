/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the step cache: the bytes under them, and that different values differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/cachekey.h"
#include "common/mem.h"

static void of_text(const char *text, struct digest *out)
{
	digest_of(text, strlen(text), out);
}

/* The form is on disk, in the stores of users: it changes only with its version. */
static void test_golden(void **state)
{
	auto_cachekey struct cachekey key = { 0 };
	auto_strlist struct strlist list = STRLIST_INIT;
	struct digest got;
	struct digest want;

	strlist_add(&list, "a=1");
	strlist_add(&list, "");
	cachekey_init(&key, "run", NULL);
	cachekey_list(&key, "env", &list);
	cachekey_string(&key, "user", NULL);
	cachekey_number(&key, "mode", -8);
	cachekey_final(&key, &got);
	of_text("version 15:imgbuild step 1\nkind 3:run\nenv 1:2\nenv 3:a=1\nenv 0:\n"
		"absent 4:user\nmode 2:-8\n",
		&want);
	assert_true(digest_equal(&got, &want));
}

static void key_of(const char *kind, const struct digest *parent, const char *const *fields,
		   struct digest *out)
{
	auto_cachekey struct cachekey key = { 0 };

	cachekey_init(&key, kind, parent);
	for (; *fields; fields++)
		cachekey_string(&key, "f", *fields);
	cachekey_final(&key, out);
}

static void test_distinct(void **state)
{
	struct digest parent = { { 7 } };
	struct digest keys[6];

	key_of("run", NULL, (const char *[]){ "ab", "c", NULL }, &keys[0]);
	key_of("run", NULL, (const char *[]){ "a", "bc", NULL }, &keys[1]);
	key_of("run", NULL, (const char *[]){ "abc", NULL }, &keys[2]);
	key_of("run", NULL, (const char *[]){ "ab\nf 1:c", NULL }, &keys[3]);
	key_of("copy", NULL, (const char *[]){ "ab", "c", NULL }, &keys[4]);
	key_of("run", &parent, (const char *[]){ "ab", "c", NULL }, &keys[5]);
	for (size_t i = 0; i < 6; i++)
		for (size_t k = i + 1; k < 6; k++)
			assert_false(digest_equal(&keys[i], &keys[k]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_distinct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
