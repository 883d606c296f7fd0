/* SPDX-License-Identifier: Apache-2.0 */
/* What --ulimit says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>

#include "sandbox/limits.h"

static void limits_are_rows_by_number(void **state)
{
	struct limits limits = { .items = NULL };
	struct err err = ERR_INIT;

	assert_int_equal(limits_add(&limits, "nofile=10:20", &err), 0);
	assert_int_equal(limits_add(&limits, "core=-1", &err), 0);
	assert_int_equal(limits_add(&limits, "cpu=7", &err), 0);
	assert_int_equal(limits_add(&limits, "nofile=30:-1", &err), 0);
	assert_int_equal(limits.count, 3);
	assert_int_equal(limits.items[0].resource, RLIMIT_CPU);
	assert_int_equal(limits.items[0].soft, 7);
	assert_int_equal(limits.items[0].hard, 7);
	assert_int_equal(limits.items[1].resource, RLIMIT_CORE);
	assert_true(limits.items[1].soft == RLIM_INFINITY);
	assert_int_equal(limits.items[2].resource, RLIMIT_NOFILE);
	assert_int_equal(limits.items[2].soft, 30);
	assert_true(limits.items[2].hard == RLIM_INFINITY);
	assert_string_equal(limits_name(RLIMIT_NOFILE), "nofile");
	limits_release(&limits);
}

static void host_stands_for_our_own(void **state)
{
	struct limits limits = { .items = NULL };
	struct err err = ERR_INIT;
	struct rlimit ours;

	assert_int_equal(limits_add(&limits, "host", &err), 0);
	assert_int_equal(limits.count, RLIM_NLIMITS);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &ours), 0);
	assert_true(limits.items[RLIMIT_NOFILE].soft == ours.rlim_cur);
	assert_true(limits.items[RLIMIT_NOFILE].hard == ours.rlim_max);
	limits_release(&limits);
}

static void limits_that_are_none_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "nofile", "--ulimit 'nofile' is not NAME=SOFT[:HARD]" },
		{ "files=1", "--ulimit 'files=1': there is no limit 'files'" },
		{ "=1", "--ulimit '=1': there is no limit ''" },
		{ "cpu=", "--ulimit 'cpu=': '' is not SOFT[:HARD] in numbers" },
		{ "cpu=x", "--ulimit 'cpu=x': 'x' is not SOFT[:HARD] in numbers" },
		{ "cpu=1:", "--ulimit 'cpu=1:': '1:' is not SOFT[:HARD] in numbers" },
		{ "cpu=1:2:3", "--ulimit 'cpu=1:2:3': '1:2:3' is not SOFT[:HARD] in numbers" },
		{ "cpu=-2", "--ulimit 'cpu=-2': '-2' is not SOFT[:HARD] in numbers" },
		{ "cpu=99999999999999999999",
		  "--ulimit 'cpu=99999999999999999999': '99999999999999999999' is not "
		  "SOFT[:HARD] in numbers" },
		{ "cpu=2:1", "--ulimit 'cpu=2:1': the soft limit is above the hard one" },
		{ "cpu=-1:1", "--ulimit 'cpu=-1:1': the soft limit is above the hard one" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limits limits = { .items = NULL };
		struct err err = ERR_INIT;

		assert_int_equal(limits_add(&limits, rows[i][0], &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_string_equal(err.text, rows[i][1]);
		assert_int_equal(limits.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_rows_by_number),
		cmocka_unit_test(host_stands_for_our_own),
		cmocka_unit_test(limits_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
