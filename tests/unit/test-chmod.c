/* SPDX-License-Identifier: Apache-2.0 */
/* What --chmod makes of a mode, and what it is no mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "builder/chmod.h"
#include "common/mem.h"

static const struct {
	const char *text;
	mode_t from;
	mode_t to;
} changes[] = {
	{ "0", S_IFREG | 0777, 0 },
	{ "7777", S_IFDIR | 0, 07777 },
	{ "00644", S_IFREG | 0, 0644 },
	{ "u=rwX,go=rX", S_IFREG | 0600, 0644 },
	{ "u=rwX,go=rX", S_IFREG | 0100, 0755 },
	{ "u=rwX,go=rX", S_IFDIR | 0, 0755 },
	{ "go+X", S_IFREG | 0010, 0011 },
	{ "+x", S_IFREG | 0640, 0751 },
	{ "=", S_IFREG | 07777, 0 },
	{ "=rw", S_IFREG | 0, 0666 },
	{ "a=", S_IFREG | 06777, 0 },
	{ "g=u", S_IFREG | 0754, 0774 },
	{ "u=g,g=o", S_IFREG | 0754, 0544 },
	{ "o-u", S_IFREG | 0647, 0641 },
	{ "g+o", S_IFREG | 0604, 0644 },
	{ "u+s", S_IFREG | 0755, 04755 },
	{ "+s", S_IFREG | 0755, 06755 },
	{ "o+s", S_IFREG | 0755, 0755 },
	{ "u=rwx", S_IFREG | 06755, 02755 },
	{ "-s", S_IFREG | 06755, 0755 },
	{ "+t", S_IFDIR | 0777, 01777 },
	{ "o=rx", S_IFDIR | 01777, 01775 },
	{ "u+w-x+r", S_IFREG | 0100, 0600 },
	{ "u+x,u-x", S_IFREG | 0644, 0644 },
	{ "ug+rw,o-rwx", S_IFREG | 0407, 0660 },
	/* the second clause sees what the first one made */
	{ "u+x,go+X", S_IFREG | 0600, 0711 },
};

static void changes_modes(void **state)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct err err = ERR_INIT;
		struct chmod chmod;

		if (chmod_parse(changes[i].text, &chmod, &err) < 0)
			fail_msg("%s", err.text);
		if (chmod_apply(&chmod, changes[i].from) != changes[i].to)
			fail_msg("%s on %o: %o", changes[i].text, changes[i].from,
				 chmod_apply(&chmod, changes[i].from));
	}
}

static void knows_what_is_fixed(void **state)
{
	struct chmod chmod = { .is_set = false };
	struct err err = ERR_INIT;

	assert_false(chmod_is_fixed(&chmod));
	assert_int_equal(chmod_apply(&chmod, S_IFREG | 04711), 04711);
	assert_int_equal(chmod_parse("644", &chmod, &err), 0);
	assert_true(chmod_is_fixed(&chmod));
	assert_int_equal(chmod_parse("=", &chmod, &err), 0);
	assert_false(chmod_is_fixed(&chmod));
}

static void refuses_what_is_none(void **state)
{
	static const char *const bad[] = { "",    "8",    "10000", "-1",   "0x1ff", "u",
					   "rwx", "X",    "u=rq",  "u+r,", ",u+r",  "u+r g+r",
					   "+ug", "g=ur", "+r;-w", "a",    "7 " };
	auto_free char *long_text = mem_alloc(2 * CHMOD_ACTIONS_MAX + 4);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_free char *want = str_format("--chmod=%s is neither an octal mode up to 07777 "
						  "nor symbolic as in 'u=rwX,go=rX'",
						  bad[i]);
		struct err err = ERR_INIT;
		struct chmod chmod;

		if (chmod_parse(bad[i], &chmod, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_string_equal(err.text, want);
	}
	for (size_t i = 0; i <= CHMOD_ACTIONS_MAX; i++)
		memcpy(long_text + 2 * i, "+r", 3);
	{
		struct err err = ERR_INIT;
		struct chmod chmod;

		assert_int_equal(chmod_parse(long_text, &chmod, &err), -1);
		long_text[2 * CHMOD_ACTIONS_MAX] = '\0';
		err = (struct err)ERR_INIT;
		assert_int_equal(chmod_parse(long_text, &chmod, &err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_modes),
		cmocka_unit_test(knows_what_is_fixed),
		cmocka_unit_test(refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
