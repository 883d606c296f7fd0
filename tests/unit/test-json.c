/* SPDX-License-Identifier: Apache-2.0 */
/* JSON is read strictly, written in order, and never written broken. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

static struct json *parse(const char *text, struct err *err)
{
	return json_parse(text, strlen(text), "doc", err);
}

static struct json *parse_ok(const char *text)
{
	struct err err = ERR_INIT;
	struct json *value = parse(text, &err);

	if (!value)
		fail_msg("%s", err.text);
	return value;
}

static void expect_text(const struct json *value, const char *want)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	json_format(value, &text);
	assert_string_equal(text.data, want);
}

static void gives_back_what_it_read(void **state)
{
	static const char *const texts[] = {
		"{\"z\":1,\"a\":[true,false,null],\"m\":{\"/\":\"a/b\"}}",
		"[]",
		"{}",
		"\"\"",
		"-9223372036854775808",
		"null",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
		"\"\\\"\\\\\\n\\u0001\"",
		"[\"\\u0000\",\"a\\u0000b\\u0000\"]",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_json struct json *value = parse_ok(texts[i]);

		expect_text(value, texts[i]);
	}
}

static void formats_for_people(void **state)
{
	auto_json struct json *value = parse_ok("{\"a\":[1],\"b\":{}}");
	auto_strbuf struct strbuf text = STRBUF_INIT;

	json_format_pretty(value, &text);
	assert_string_equal(text.data, "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
}

static void refuses(const char *text, const char *place, const char *part)
{
	struct err err = ERR_INIT;
	struct json *value = parse(text, &err);

	if (value)
		fail_msg("'%s' was accepted", text);
	assert_int_equal(err.kind, ERR_INPUT);
	if (strncmp(err.text, place, strlen(place)) != 0 || !strstr(err.text, part))
		fail_msg("'%s' gave '%s'", text, err.text);
}

static void refuses_what_is_not_json(void **state)
{
	refuses("", "doc:1:", "end of file");
	refuses("{", "doc:1:1: ", "end of file");
	refuses("{\"a\":1,}", "doc:1:8: ", "'}'");
	refuses("[1\n 2]", "doc:2:2: ", "'2'");
	refuses("{} {}", "doc:1:4: ", "end of file expected");
	refuses("{\"a\":1,\"a\":2}", "doc:1:", "duplicate object key");
	refuses("\"\xff\"", "doc:1:", "unable to decode byte");
	refuses("\"\xed\xa0\x80\"", "doc:1:", "unable to decode byte");
	refuses("{\"a\\u0000b\":1}", "doc:1:", "NUL byte in object key");
	refuses("'a'", "doc:1:", "invalid token");
	refuses("01", "doc:1:", "");
	refuses("NaN", "doc:1:", "invalid token");
	refuses("99999999999999999999", "doc:1:", "too big");
	refuses("\"\x1b[2J", "doc:1:", "control character");
	refuses("\xef\xbb\xbf{}", "doc:1:", "invalid token");
}

static void keeps_escapes_out_of_messages(void **state)
{
	struct err err = ERR_INIT;

	assert_null(parse("{\"a\": x\x1b[31m\x7f}", &err));
	assert_null(strchr(err.text, 0x1b));
	assert_null(strchr(err.text, 0x7f));
}

/* @count times @c */
static void add_many(struct strbuf *text, char c, size_t count)
{
	for (size_t i = 0; i < count; i++)
		strbuf_putc(text, c);
}

static void refuses_what_is_too_deep(void **state)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_json struct json *value = NULL;

	add_many(&text, '[', JSON_DEPTH_MAX);
	strbuf_puts(&text, "\"[[[[\\\"[[[\"");
	add_many(&text, ']', JSON_DEPTH_MAX);
	value = parse_ok(text.data);
	assert_int_equal(json_count(value), 1);
	strbuf_truncate(&text, 0);
	strbuf_putc(&text, '\n');
	add_many(&text, '[', JSON_DEPTH_MAX + 1);
	refuses(text.data, "doc:2:65: ", "nested too deeply");
	add_many(&text, '[', 1000000);
	refuses(text.data, "doc:2:65: ", "nested too deeply");
}

static void add_members(struct strbuf *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		strbuf_printf(text, "%s\"k%zu\":%zu", i ? "," : "", i, i);
}

static void refuses_too_many_members(void **state)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_json struct json *value = NULL;
	auto_json struct json *list = NULL;

	strbuf_puts(&text, "[[1,2],{");
	add_members(&text, JSON_MEMBERS_MAX);
	strbuf_puts(&text, "}]");
	value = parse_ok(text.data);
	assert_int_equal(json_count(json_at(value, 1)), JSON_MEMBERS_MAX);
	strbuf_truncate(&text, 0);
	strbuf_putc(&text, '{');
	add_members(&text, JSON_MEMBERS_MAX + 1);
	strbuf_putc(&text, '}');
	refuses(text.data, "doc:1:", "too many members");
	/* elements are not members */
	strbuf_truncate(&text, 0);
	strbuf_putc(&text, '[');
	for (size_t i = 0; i < 2 * JSON_MEMBERS_MAX; i++)
		strbuf_puts(&text, i ? ",0" : "0");
	strbuf_putc(&text, ']');
	list = parse_ok(text.data);
	assert_int_equal(json_count(list), 2 * JSON_MEMBERS_MAX);
}

static void reads_or_says_none(void **state)
{
	auto_json struct json *doc = parse_ok("{\"s\":\"t\",\"i\":7,\"b\":true,\"n\":null,"
					      "\"l\":[1,2],\"r\":1.5}");

	assert_string_equal(json_string(json_get(doc, "s")), "t");
	assert_null(json_string(json_get(doc, "i")));
	assert_null(json_string(NULL));
	assert_int_equal(json_int(json_get(doc, "i"), -1), 7);
	assert_int_equal(json_int(json_get(doc, "r"), -1), -1);
	assert_int_equal(json_int(NULL, -1), -1);
	assert_true(json_bool(json_get(doc, "b"), false));
	assert_true(json_bool(json_get(doc, "s"), true));
	assert_true(json_is_null(json_get(doc, "n")));
	assert_false(json_is_null(NULL));
	assert_true(json_is_array(json_get(doc, "l")));
	assert_false(json_is_object(json_get(doc, "l")));
	assert_true(json_is_object(doc));
	assert_true(json_is_string(json_get(doc, "s")));
	assert_int_equal(json_count(json_get(doc, "l")), 2);
	assert_int_equal(json_count(doc), 6);
	assert_int_equal(json_count(json_get(doc, "s")), 0);
	assert_int_equal(json_count(NULL), 0);
	assert_null(json_at(json_get(doc, "l"), 2));
	assert_null(json_at(doc, 0));
	assert_null(json_get(json_get(doc, "l"), "x"));
	assert_null(json_get(NULL, "x"));
	assert_string_equal(json_key_at(doc, 4), "l");
	assert_int_equal(json_int(json_value_at(doc, 1), 0), 7);
	assert_null(json_key_at(doc, 6));
	assert_null(json_value_at(doc, 6));
	assert_null(json_key_at(NULL, 0));
	assert_null(json_value_at(json_get(doc, "l"), 0));
}

static void takes_and_checks(void **state)
{
	auto_json struct json *doc = parse_ok("{\"s\":\"t\",\"i\":7,\"b\":true,\"n\":null,"
					      "\"l\":[\"x\",\"y\"],\"m\":[\"x\",1]}");
	auto_strlist struct strlist list = STRLIST_INIT;
	auto_free char *s = NULL;
	struct err err = ERR_INIT;
	int64_t i = 3;
	bool b = false;

	assert_int_equal(json_take_string(doc, "s", &s, "doc", &err), 0);
	assert_string_equal(s, "t");
	assert_int_equal(json_take_string(doc, "s", &s, "doc", &err), 0);
	assert_int_equal(json_take_string(doc, "none", &s, "doc", &err), 0);
	assert_int_equal(json_take_string(doc, "n", &s, "doc", &err), 0);
	assert_string_equal(s, "t");
	assert_int_equal(json_take_string(doc, "i", &s, "doc", &err), -1);
	assert_string_equal(err.text, "doc: 'i' is not a string");
	assert_int_equal(err.kind, ERR_INPUT);
	assert_int_equal(json_take_strlist(doc, "l", &list, "doc", &err), 0);
	assert_int_equal(json_take_strlist(doc, "l", &list, "doc", &err), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[1], "y");
	assert_int_equal(json_take_strlist(doc, "m", &list, "doc", &err), -1);
	assert_string_equal(err.text, "doc: 'm' is not a list of strings");
	assert_int_equal(json_take_strlist(doc, "s", &list, "doc", &err), -1);
	assert_int_equal(list.count, 2);
	assert_int_equal(json_take_int(doc, "i", &i, "doc", &err), 0);
	assert_int_equal(i, 7);
	assert_int_equal(json_take_int(doc, "s", &i, "doc", &err), -1);
	assert_string_equal(err.text, "doc: 's' is not a whole number");
	assert_int_equal(json_take_bool(doc, "b", &b, "doc", &err), 0);
	assert_true(b);
	assert_int_equal(json_take_bool(doc, "i", &b, "doc", &err), -1);
	assert_string_equal(err.text, "doc: 'i' is not true or false");
	assert_int_equal(json_take_bool(NULL, "i", &b, "doc", &err), 0);
	assert_int_equal(json_take_bool(json_get(doc, "l"), "i", &b, "doc", &err), -1);
	assert_string_equal(err.text, "doc: not an object where 'i' should be");
}

static void keeps_nul_in_lists_only(void **state)
{
	auto_json struct json *doc = parse_ok("{\"s\":\"a\\u0000b\",\"l\":[\"\",\"a\\u0000b\"]}");
	auto_json struct json *made = json_array();
	auto_strlist struct strlist list = STRLIST_INIT;
	auto_free char *s = NULL;
	struct err err = ERR_INIT;

	assert_null(json_string(json_get(doc, "s")));
	assert_int_equal(json_take_string(doc, "s", &s, "doc", &err), -1);
	assert_string_equal(err.text, "doc: 's' is not a string");
	assert_int_equal(json_take_strlist(doc, "l", &list, "doc", &err), 0);
	assert_string_equal(list.items[1], "a" JSON_NUL "b");
	assert_true(json_has_nul(list.items[1]));
	assert_false(json_has_nul(list.items[0]));
	json_append(made, json_new_string("x" JSON_NUL "\xc0" JSON_NUL));
	expect_text(made, "[\"x\\u0000\xef\xbf\xbd\\u0000\"]");
	json_set_string(doc, "k" JSON_NUL, "v");
	assert_non_null(json_get(doc, "k\xef\xbf\xbd\xef\xbf\xbd"));
}

static void makes_documents(void **state)
{
	auto_json struct json *doc = json_object();
	auto_strlist struct strlist list = STRLIST_INIT;
	struct json *array = json_array();

	strlist_add(&list, "one");
	strlist_add(&list, "two");
	json_set_string(doc, "z", "s");
	json_set_string(doc, "not", NULL);
	json_set_int(doc, "i", INT64_MAX);
	json_set_bool(doc, "b", false);
	json_set_strlist(doc, "l", &list);
	json_append(array, json_new_null());
	json_append(array, json_ref(doc));
	json_set(doc, "a", json_new_bool(true));
	/* in the place that it has */
	json_set_string(doc, "z", "t");
	expect_text(array, "[null,{\"z\":\"t\",\"i\":9223372036854775807,\"b\":false,"
			   "\"l\":[\"one\",\"two\"],\"a\":true}]");
	json_unref(array);
}

static void replaces_what_is_not_utf8(void **state)
{
	static const char *const rows[][2] = {
		{ "a\xff"
		  "b",
		  "\"a\xef\xbf\xbd"
		  "b\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe0\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
		{ "\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\"" },
		{ "\xc3\xa9\xc3", "\"\xc3\xa9\xef\xbf\xbd\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_json struct json *value = json_new_string(rows[i][0]);

		expect_text(value, rows[i][1]);
	}
	auto_json struct json *doc = json_object();

	json_set_int(doc, "k\xff", 1);
	expect_text(doc, "{\"k\xef\xbf\xbd\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_it_read),
		cmocka_unit_test(formats_for_people),
		cmocka_unit_test(refuses_what_is_not_json),
		cmocka_unit_test(keeps_escapes_out_of_messages),
		cmocka_unit_test(refuses_what_is_too_deep),
		cmocka_unit_test(refuses_too_many_members),
		cmocka_unit_test(reads_or_says_none),
		cmocka_unit_test(takes_and_checks),
		cmocka_unit_test(keeps_nul_in_lists_only),
		cmocka_unit_test(makes_documents),
		cmocka_unit_test(replaces_what_is_not_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
