/* SPDX-License-Identifier: Apache-2.0 */
/* Names that servers suggest, and what is said to the program "fetch" and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/mem.h"
#include "registry/disposition.h"
#include "registry/fetch-wire.h"
#include "registry/fetch.h"

static void cleans_suggested_names(void **state)
{
	static const char *const cases[][2] = {
		{ "attachment; filename=a.txt", "a.txt" },
		{ "attachment; filename=\"a b.txt\"", "a b.txt" },
		{ "attachment;FileName = \"a\\\"b\" ; x=y", "a\"b" },
		{ "attachment; filename=\"/etc/passwd\"", "passwd" },
		{ "attachment; filename=\"..\\\\..\\\\x\"", "x" },
		{ "attachment; filename=plain; filename*=UTF-8''b%C3%A4r", "b\xc3\xa4r" },
		{ "attachment; filename*=utf-8'en'..%2Fx", "x" },
		{ "attachment; filename*=latin1''x; filename=y", "y" },
		{ "inline; x; filename=z", "z" },
		{ "attachment", NULL },
		{ "", NULL },
		{ "attachment; filename=", NULL },
		{ "attachment; filename=..", NULL },
		{ "attachment; filename=\"a/\"", NULL },
		{ "attachment; filename=\"a\tb\"", NULL },
		{ "attachment; filename*=UTF-8''a%00b", NULL },
		{ "attachment; filename=\"", NULL },
		{ "attachment; filename=\"\\", NULL },
		{ "; = ;;= filename", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *name = disposition_filename(cases[i][0]);

		if (!cases[i][1]) {
			assert_null(name);
			continue;
		}
		assert_non_null(name);
		assert_string_equal(name, cases[i][1]);
	}
}

static void a_name_is_no_longer_than_names_can_be(void **state)
{
	char name[257];
	auto_free char *fits = NULL;

	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	assert_null(disposition_clean_name(name));
	name[255] = '\0';
	fits = disposition_clean_name(name);
	assert_non_null(fits);
}

static void requests_come_through(void **state)
{
	auto_fetch_request struct fetch_request request = {
		.kind = FETCH_GIT,
		.url = str_dup("https://h/r.git"),
		.user = str_dup("u"),
		.password = str_dup("p\"\\"),
		.ref = str_dup("refs/heads/main"),
		.commit = str_dup("0123"),
		.keeps_git_dir = true,
		.max_bytes = 1ULL << 40,
		.idle_seconds = 60,
	};
	auto_fetch_request struct fetch_request back = { .url = NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;

	fetch_request_format(&request, &text);
	assert_int_equal(fetch_request_parse(text.data, text.len, &back, &err), 0);
	assert_int_equal(back.kind, FETCH_GIT);
	assert_string_equal(back.url, request.url);
	assert_string_equal(back.password, request.password);
	assert_string_equal(back.ref, request.ref);
	assert_null(back.etag);
	assert_true(back.keeps_git_dir);
	assert_false(back.has_submodules);
	assert_true(back.max_bytes == request.max_bytes);
}

static void incomplete_requests_are_refused(void **state)
{
	static const char *const bad[] = { "{}",
					   "{\"kind\":0}",
					   "{\"kind\":3,\"url\":\"x\"}",
					   "{\"kind\":2,\"url\":\"x\"}",
					   "[]",
					   "" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_fetch_request struct fetch_request request = { .url = NULL };
		struct err err = ERR_INIT;

		assert_int_equal(fetch_request_parse(bad[i], strlen(bad[i]), &request, &err), -1);
		assert_int_equal(err.kind, ERR_INPUT);
	}
}

static void errors_come_through(void **state)
{
	auto_fetch_result struct fetch_result result = { .etag = NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err sent = ERR_INIT;
	struct err err = ERR_INIT;

	err_set(&sent, ERR_REMOTE, "get 'http://h/': HTTP status 404");
	fetch_error_format(&sent, &text);
	assert_int_equal(fetch_result_parse(text.data, text.len, &result, &err), -1);
	assert_int_equal(err.kind, ERR_REMOTE);
	assert_string_equal(err.text, sent.text);
}

static void a_commit_is_hex_digits(void **state)
{
	static const char text[] = "{\"commit\":\"../../x\"}";
	auto_fetch_result struct fetch_result result = { .etag = NULL };
	struct err err = ERR_INIT;

	assert_int_equal(fetch_result_parse(text, strlen(text), &result, &err), -1);
	assert_string_equal(err.text, "fetch result: '../../x' is no commit");
}

static void a_file_name_is_one_component(void **state)
{
	static const char *const bad[] = { "../../x", "..", "a/b", "", "a\\nb" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_free char *text = str_format("{\"filename\":\"%s\"}", bad[i]);
		auto_fetch_result struct fetch_result result = { .etag = NULL };
		struct err err = ERR_INIT;

		assert_int_equal(fetch_result_parse(text, strlen(text), &result, &err), -1);
		assert_int_equal(err.kind, ERR_REMOTE);
	}
}

static void a_size_is_not_negative(void **state)
{
	static const char text[] = "{\"size\":-5}";
	auto_fetch_result struct fetch_result result = { .etag = NULL };
	struct err err = ERR_INIT;

	assert_int_equal(fetch_result_parse(text, strlen(text), &result, &err), -1);
	assert_string_equal(err.text, "fetch result: a size below 0");
}

static void limits_are_numbers(void **state)
{
	struct fetch_request request = { .url = NULL };
	struct err err = ERR_INIT;

	unsetenv("IMGBUILD_FETCH_MAX_BYTES");
	setenv("IMGBUILD_FETCH_TIMEOUT", "7", 1);
	assert_int_equal(fetch_limits(&request, &err), 0);
	assert_true(request.max_bytes == (uint64_t)16 << 30);
	assert_true(request.idle_seconds == 7);
	setenv("IMGBUILD_FETCH_TIMEOUT", "-1", 1);
	assert_int_equal(fetch_limits(&request, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text, "IMGBUILD_FETCH_TIMEOUT '-1' is not a number above 0");
	unsetenv("IMGBUILD_FETCH_TIMEOUT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleans_suggested_names),
		cmocka_unit_test(a_name_is_no_longer_than_names_can_be),
		cmocka_unit_test(requests_come_through),
		cmocka_unit_test(incomplete_requests_are_refused),
		cmocka_unit_test(errors_come_through),
		cmocka_unit_test(a_commit_is_hex_digits),
		cmocka_unit_test(a_file_name_is_one_component),
		cmocka_unit_test(a_size_is_not_negative),
		cmocka_unit_test(limits_are_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
