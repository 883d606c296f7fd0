/* SPDX-License-Identifier: Apache-2.0 */
/* The texts and times of history entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/history.h"
#include "common/mem.h"

static void make_list(struct strlist *list, const char *const *items)
{
	for (; *items; items++)
		strlist_add(list, *items);
}

static void test_quoted(void **state)
{
	auto_strlist struct strlist list = STRLIST_INIT;
	auto_strbuf struct strbuf out = STRBUF_INIT;

	make_list(&list, (const char *[]){ "/bin/sh", "-c", "echo \"a\\b\"\t\x01", "\xc3\xa4\xff",
					   "\xe2\x80\x8b", "", "a\xc0\x80", NULL });
	history_quoted_list(&list, &out);
	assert_string_equal(out.data, "[\"/bin/sh\" \"-c\" \"echo \\\"a\\\\b\\\"\\t\\x01\" "
				      "\"\xc3\xa4\\xff\" \"\\u200b\" \"\" \"a\\x00\"]");
}

static void test_duration(void **state)
{
	const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ns" },
		{ 1500, "1.5\xc2\xb5s" },
		{ 1000000, "1ms" },
		{ 1050000, "1.05ms" },
		{ 1000000000, "1s" },
		{ 30000000000, "30s" },
		{ 90000000000, "1m30s" },
		{ 300000000000, "5m0s" },
		{ 3600000000000, "1h0m0s" },
		{ 3661001000000, "1h1m1.001s" },
		{ -1500000000, "-1.5s" },
		{ INT64_MIN, "-2562047h47m16.854775808s" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_strbuf struct strbuf out = STRBUF_INIT;

		history_duration(cases[i].ns, &out);
		assert_string_equal(out.data, cases[i].text);
	}
}

static void test_healthcheck(void **state)
{
	struct healthcheck check = { .interval_ns = 300000000000,
				     .timeout_ns = 3000000000,
				     .retries = 3 };
	auto_strbuf struct strbuf out = STRBUF_INIT;

	make_list(&check.test, (const char *[]){ "CMD-SHELL", "curl x || exit 1", NULL });
	history_healthcheck(&check, &out);
	assert_string_equal(out.data, "{Test:[CMD-SHELL curl x || exit 1] Interval:5m0s Timeout:3s "
				      "StartPeriod:0s StartInterval:0s Retries:3}");
	strlist_release(&check.test);
}

static void test_run(void **state)
{
	auto_strlist struct strlist args = STRLIST_INIT;
	auto_strlist struct strlist env = STRLIST_INIT;
	auto_strlist struct strlist argv = STRLIST_INIT;
	auto_strbuf struct strbuf out = STRBUF_INIT;

	make_list(&args, (const char *[]){ "A=1", "B", "A=2", "C=c", NULL });
	make_list(&env, (const char *[]){ "A=2", "C=from env", NULL });
	make_list(&argv, (const char *[]){ "/bin/sh", "-c", "make $A", NULL });
	history_run(&args, &env, &argv, &out);
	assert_string_equal(out.data, "RUN |3 A=2 B= C=from env /bin/sh -c make $A");

	strbuf_truncate(&out, 0);
	strlist_release(&args);
	history_run(&args, &env, &argv, &out);
	assert_string_equal(out.data, "RUN /bin/sh -c make $A");
}

static void add(struct image_config *config, const char *text, const char *created, bool is_empty)
{
	struct history_entry entry = { .created_by = (char *)text,
				       .created = (char *)created,
				       .empty_layer = is_empty };

	image_config_add_history(config, &entry);
}

static void expect_times(const struct image_config *config, const char *const *times)
{
	for (size_t i = 0; i < config->history_count; i++)
		assert_string_equal(config->history[i].created, times[i]);
}

/* Entries without a layer get the time of the next new layer, at the end of the one before. */
static void test_times(void **state)
{
	struct image_config config = { 0 };
	struct digest diff_id = { { 1 } };

	for (int i = 0; i < 3; i++)
		image_config_add_layer(&config, &diff_id);
	add(&config, "base", "2001-01-01T00:00:00Z", false);
	add(&config, "ENV a=b", NULL, true);
	add(&config, "RUN one", "2002-01-01T00:00:00Z", false);
	add(&config, "ENV c=d", NULL, true);
	add(&config, "RUN two", "2003-01-01T00:00:00Z", false);
	add(&config, "CMD x", NULL, true);
	history_settle(&config, NULL);
	expect_times(&config, (const char *[]){ "2001-01-01T00:00:00Z", "2002-01-01T00:00:00Z",
						"2002-01-01T00:00:00Z", "2002-01-01T00:00:00Z",
						"2003-01-01T00:00:00Z", "2003-01-01T00:00:00Z" });
	assert_string_equal(config.created, "2003-01-01T00:00:00Z");
	image_config_release(&config);
}

static void test_only_config(void **state)
{
	struct image_config config = { 0 };
	struct digest diff_id = { { 1 } };

	image_config_add_layer(&config, &diff_id);
	add(&config, "base", "2001-01-01T00:00:00Z", false);
	add(&config, "ENV a=b", NULL, true);
	history_settle(&config, NULL);
	expect_times(&config, (const char *[]){ "2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z" });
	image_config_release(&config);

	config = (struct image_config){ 0 };
	add(&config, "ENV a=b", NULL, true);
	history_settle(&config, NULL);
	assert_null(config.history[0].created);
	assert_null(config.created);
	image_config_release(&config);
}

static void test_epoch(void **state)
{
	struct image_config config = { 0 };
	struct digest diff_id = { { 1 } };

	image_config_add_layer(&config, &diff_id);
	image_config_add_layer(&config, &diff_id);
	add(&config, "base", "2001-01-01T00:00:00Z", false);
	add(&config, "ENV a=b", NULL, true);
	add(&config, "RUN one", NULL, false);
	history_settle(&config, "1970-01-01T00:00:00Z");
	expect_times(&config, (const char *[]){ "2001-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
						"1970-01-01T00:00:00Z" });
	assert_string_equal(config.created, "1970-01-01T00:00:00Z");
	image_config_release(&config);
}

/* Bases whose history does not fit their layers. */
static void test_layer_count(void **state)
{
	struct image_config config = { 0 };
	struct digest diff_id = { { 1 } };

	image_config_add_layer(&config, &diff_id);
	image_config_add_layer(&config, &diff_id);
	add(&config, "one", "2001-01-01T00:00:00Z", false);
	history_settle(&config, NULL);
	assert_int_equal(config.history_count, 2);
	assert_false(config.history[1].empty_layer);
	assert_string_equal(config.history[1].comment, HISTORY_COMMENT_ADDED);
	image_config_release(&config);

	config = (struct image_config){ 0 };
	image_config_add_layer(&config, &diff_id);
	add(&config, "one", "2001-01-01T00:00:00Z", false);
	add(&config, "two", "2001-01-01T00:00:00Z", false);
	history_settle(&config, NULL);
	assert_int_equal(config.history_count, 2);
	assert_true(config.history[1].empty_layer);
	image_config_release(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quoted),      cmocka_unit_test(test_duration),
		cmocka_unit_test(test_healthcheck), cmocka_unit_test(test_run),
		cmocka_unit_test(test_times),       cmocka_unit_test(test_only_config),
		cmocka_unit_test(test_epoch),       cmocka_unit_test(test_layer_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
