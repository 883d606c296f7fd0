/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of SELinux: ours, with the parts that were asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/mem.h"
#include "sandbox/label.h"

static char *with(const char *ours, const char *first, const char *second, struct err *err)
{
	auto_strlist struct strlist parts = STRLIST_INIT;

	if (first)
		strlist_add(&parts, first);
	if (second)
		strlist_add(&parts, second);
	return label_with_parts(ours, &parts, err);
}

static void parts_are_exchanged(void **state)
{
	static const struct {
		const char *ours, *first, *second, *want;
	} rows[] = {
		{ "u:r:t:s0-s0:c0.c1023\n", "type:container_t", NULL,
		  "u:r:container_t:s0-s0:c0.c1023" },
		{ "u:r:t:s0", "level:s0:c1,c2", "type:x_t", "u:r:x_t:s0:c1,c2" },
		{ "u:r:t", "user:v", "role:q", "v:q:t" },
		{ "u:r:t", "level:s0", NULL, "u:r:t:s0" },
		{ "u:r:t", NULL, NULL, "u:r:t" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_INIT;
		auto_free char *label = with(rows[i].ours, rows[i].first, rows[i].second, &err);

		assert_non_null(label);
		assert_string_equal(label, rows[i].want);
	}
}

static void what_is_no_part_is_refused(void **state)
{
	static const char *const parts[] = { "",         "type",        "type:", "typ:x",
					     "type:a:b", "container_t", ":x" };

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct err err = ERR_INIT;

		assert_null(with("u:r:t", parts[i], NULL, &err));
		assert_int_equal(err.kind, ERR_USAGE);
	}
}

static void a_label_of_another_form_is_an_error(void **state)
{
	static const char *const ours[] = { "", "unconfined", "u:r", "u::t", "kernel\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct err err = ERR_INIT;

		assert_null(with(ours[i], "type:x", NULL, &err));
		assert_int_equal(err.kind, ERR_SYSTEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_exchanged),
		cmocka_unit_test(what_is_no_part_is_refused),
		cmocka_unit_test(a_label_of_another_form_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
