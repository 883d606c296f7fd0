/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges of one user are read as newuidmap reads them, and no bad one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/strbuf.h"
#include "common/subids.h"

/* What user "u", 1000, has in @text: "start+count ..." */
static void expect(const char *text, const char *want)
{
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct subids subids = { .count = 0 };

	subids_parse(text, "u", 1000, 1000, &subids);
	for (size_t i = 0; i < subids.count; i++)
		strbuf_printf(&got, "%s%u+%u", i ? " " : "", subids.ranges[i].start,
			      subids.ranges[i].count);
	if (strcmp(got.data, want) != 0)
		fail_msg("'%s' gave '%s'", text, got.data);
}

static void reads_the_ranges_of_the_user(void **state)
{
	expect("", "");
	expect("u:100000:65536\n", "100000+65536");
	expect("u:100000:65536", "100000+65536");
	expect("1000:100000:65536\n", "100000+65536");
	expect("v:1:2\nu:100000:10\n\n#u:5:5\nu:200000:20\n1000:300000:30\n",
	       "100000+10 200000+20 300000+30");
	expect("uu:100000:1\nu2:1:1\n10000:2:1\n", "");
}

static void passes_over_bad_lines(void **state)
{
	expect("u\nu:\nu:1\nu:1:\nu::1\nu:a:1\nu:1:b\nu:-1:2\nu: 1:2\nu:1:2x\nu:1:2:3\n", "");
	expect("u:4294967296:1\nu:1:4294967296\nu:99999999999999999999999:1\n", "");
	expect("u:4294967295:1\nu:4294967290:6\nu:5:0\n", "");
	expect("u:4294967290:5\n", "4294967290+5");
	expect(":1:2\n::\n", "");
}

static void leaves_out_what_the_kernel_refuses(void **state)
{
	/* twice the same, by name and by number */
	expect("u:100000:65536\n1000:100000:65536\n", "100000+65536");
	expect("u:100000:10\nu:100009:10\nu:100010:5\n", "100000+10 100010+5");
	/* the own id */
	expect("u:1000:10\nu:990:10\nu:990:11\nu:1001:5\n", "990+10 1001+5");
}

static void reads_no_more_than_fit(void **state)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct subids subids = { .count = 0 };

	for (unsigned int i = 0; i < 200; i++)
		strbuf_printf(&text, "u:%u:10\n", 100000 + 10 * i);
	subids_parse(text.data, NULL, 1000, 1000, &subids);
	assert_int_equal(subids.count, 0);
	subids_parse(text.data, "u", 1000, 1000, &subids);
	assert_int_equal(subids.count, SUBID_RANGES_MAX);
}

static void needs_no_file(void **state)
{
	struct subids subids = { .count = 0 };
	struct err err = ERR_INIT;

	assert_int_equal(subids_load("/none/subuid", "u", 1000, 1000, &subids, &err), 0);
	assert_int_equal(subids.count, 0);
	assert_int_equal(subids_load("/", "u", 1000, 1000, &subids, &err), -1);
	assert_string_equal(err.text, "read '/': Is a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_ranges_of_the_user),
		cmocka_unit_test(passes_over_bad_lines),
		cmocka_unit_test(leaves_out_what_the_kernel_refuses),
		cmocka_unit_test(reads_no_more_than_fit),
		cmocka_unit_test(needs_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
