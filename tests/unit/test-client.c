/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry client reads and decides without a network, and how its program is shut in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "registry/challenge.h"
#include "registry/client-wire.h"
#include "registry/confine.h"
#include "registry/retry.h"

/* ---- challenges ---- */

static void reads_challenges(void **state)
{
	auto_challenges struct challenges list = { .items = NULL };
	const struct challenge *bearer;

	challenges_parse("Basic realm=\"a, b\", Bearer realm=\"https://t/x\",service=s , "
			 "scope=\"repository:a/b:pull,push\", error=insufficient_scope",
			 &list);
	assert_int_equal(list.count, 2);
	assert_string_equal(challenges_find(&list, CHALLENGE_BASIC)->realm, "a, b");
	bearer = challenges_find(&list, CHALLENGE_BEARER);
	assert_string_equal(bearer->realm, "https://t/x");
	assert_string_equal(bearer->service, "s");
	assert_string_equal(bearer->scope, "repository:a/b:pull,push");
	assert_string_equal(bearer->error, "insufficient_scope");
}

static void reads_odd_challenges(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		const char *realm; /* of the last */
	} rows[] = {
		{ "", 0, NULL },
		{ "Basic", 1, NULL },
		{ "bAsIc REALM = \"x\"", 1, "x" },
		{ "Negotiate YWJj/ZGVm==, Basic realm=x", 2, "x" },
		{ "Negotiate YWJj==, Basic realm=x", 2, "x" },
		{ "Bearer realm=https://unquoted/x,service=y", 1, "https://unquoted/x" },
		{ "Bearer realm=\"a\\\"b\"", 1, "a\"b" },
		{ "Bearer realm=\"never ends", 1, NULL },
		{ "Bearer realm=\"first\", realm=\"second\"", 1, "first" },
		{ ",,, Basic ,, realm=x", 1, "x" },
		{ "=", 0, NULL },
		{ "Bearer \x01", 1, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_challenges struct challenges list = { .items = NULL };
		const char *realm;

		challenges_parse(rows[i].text, &list);
		assert_int_equal(list.count, rows[i].count);
		realm = list.count ? list.items[list.count - 1].realm : NULL;
		if (rows[i].realm)
			assert_string_equal(realm, rows[i].realm);
		else
			assert_null(realm);
	}
}

static void there_are_not_too_many_challenges(void **state)
{
	auto_challenges struct challenges list = { .items = NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < 1000; i++)
		strbuf_puts(&text, "Basic realm=x, ");
	challenges_parse(text.data, &list);
	assert_int_equal(list.count, CHALLENGES_MAX);
}

static void reads_tokens(void **state)
{
	static const struct {
		const char *text;
		const char *token; /* NULL: refused */
		long lifetime;
	} rows[] = {
		{ "{\"token\":\"a.b\"}", "a.b", 60 },
		{ "{\"access_token\":\"c\",\"expires_in\":300}", "c", 300 },
		{ "{\"token\":\"\",\"access_token\":\"c\",\"expires_in\":3}", "c", 60 },
		{ "{\"token\":\"a\",\"access_token\":\"c\",\"expires_in\":-3}", "a", 60 },
		{ "{\"token\":\"a\",\"expires_in\":1e99}", "a", 60 },
		{ "{\"token\":\"a\",\"expires_in\":9223372036854775807}", "a", 86400 },
		{ "{\"token\":\"a\\r\\nX: y\"}", NULL, 0 },
		{ "{\"token\":\"a b\"}", NULL, 0 },
		{ "{\"token\":7}", NULL, 0 },
		{ "{}", NULL, 0 },
		{ "[]", NULL, 0 },
		{ "", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct token_answer answer = { .token = NULL };
		struct err err = ERR_INIT;
		int result = token_answer_parse(rows[i].text, strlen(rows[i].text), &answer, &err);

		assert_int_equal(result, rows[i].token ? 0 : -1);
		if (!rows[i].token) {
			assert_int_equal(err.kind, ERR_REMOTE);
			continue;
		}
		assert_string_equal(answer.token, rows[i].token);
		assert_int_equal(answer.lifetime_seconds, rows[i].lifetime);
		free(answer.token);
	}
}

/* ---- again ---- */

static void knows_when_to_ask_again(void **state)
{
	time_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */

	assert_int_equal(retry_after_ms("120", now), 120000);
	assert_int_equal(retry_after_ms("0", now), 0);
	assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", now), 10000);
	assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:27 GMT", now), 0);
	assert_int_equal(retry_after_ms("99999999999999999999", now), INT32_MAX);
	assert_int_equal(retry_after_ms("soon", now), -1);
	assert_int_equal(retry_after_ms("-1", now), -1);
	assert_int_equal(retry_after_ms("", now), -1);
}

static void waits_longer_each_time(void **state)
{
	assert_int_equal(retry_delay_ms(2000, 0, -1, 0), 2000);
	assert_int_equal(retry_delay_ms(2000, 3, -1, 0), 16000);
	assert_int_equal(retry_delay_ms(2000, 1000, -1, 0), RETRY_DELAY_MAX_MS);
	assert_int_equal(retry_delay_ms(2000, 3, 5000, 0), 5000);
	assert_int_equal(retry_delay_ms(2000, 3, 500000, 0), RETRY_DELAY_MAX_MS);
	assert_in_range(retry_delay_ms(2000, 0, -1, UINT32_MAX), 2000, 2500);
}

static void only_passing_troubles_are_worth_it(void **state)
{
	static const long worth[] = { 408, 429, 500, 502, 503, 504 };
	static const long not_worth[] = { 200, 301, 400, 401, 403, 404, 405, 413, 416, 501, 505 };

	for (size_t i = 0; i < sizeof(worth) / sizeof(worth[0]); i++)
		assert_true(retry_is_worth(worth[i]));
	for (size_t i = 0; i < sizeof(not_worth) / sizeof(not_worth[0]); i++)
		assert_false(retry_is_worth(not_worth[i]));
}

/* ---- what is said to the courier ---- */

static int parse_request(const struct client_request *request, struct wire_message *out,
			 struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	wire_request_format(request, &text);
	return wire_message_parse(text.data, text.len, out, err);
}

static void a_request_reads_the_same_there(void **state)
{
	auto_strlist struct strlist headers = STRLIST_INIT;
	auto_wire_message struct wire_message message = { .kind = WIRE_SETTINGS };
	struct client_request request = {
		.endpoint = 3,
		.method = CLIENT_PATCH,
		.path = "/v2/a/b?c=d",
		.repository = "a",
		.is_push = true,
		.from_repository = "f",
		.headers = &headers,
		.body = { .kind = CLIENT_BODY_STREAM, .length = UINT64_MAX },
		.max_bytes = 7,
		.offset = UINT64_C(1) << 40,
		.total = UINT64_C(1) << 41,
	};
	struct err err = ERR_INIT;

	strlist_add(&headers, "A: b");
	assert_int_equal(parse_request(&request, &message, &err), 0);
	assert_int_equal(message.kind, WIRE_REQUEST);
	assert_int_equal(message.request.endpoint, 3);
	assert_int_equal(message.request.method, CLIENT_PATCH);
	assert_string_equal(message.request.path, request.path);
	assert_string_equal(message.request.repository, "a");
	assert_string_equal(message.request.from_repository, "f");
	assert_true(message.request.is_push);
	assert_string_equal(message.request_headers.items[0], "A: b");
	assert_int_equal(message.request.body.kind, CLIENT_BODY_STREAM);
	assert_true(message.request.body.length == UINT64_MAX);
	assert_true(message.request.offset == request.offset);
	assert_true(message.request.total == request.total);
}

static void nothing_slips_into_a_request(void **state)
{
	static const char *const paths[] = { "/a b", "/a\r\nHost: x", "/\x7f", "/a\x01" };
	static const char *const lines[] = { "A: b\r\nC: d", "A: \n", "none", ": x", "a b: c" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		auto_wire_message struct wire_message message = { .kind = WIRE_SETTINGS };
		struct client_request request = { .path = paths[i] };
		struct err err = ERR_INIT;

		assert_int_equal(parse_request(&request, &message, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		auto_wire_message struct wire_message message = { .kind = WIRE_SETTINGS };
		auto_strlist struct strlist headers = STRLIST_INIT;
		struct client_request request = { .path = "/", .headers = &headers };
		struct err err = ERR_INIT;

		strlist_add(&headers, lines[i]);
		assert_int_equal(parse_request(&request, &message, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
	}
}

static void hosts_are_hosts(void **state)
{
	static const char *const bad[] = { "", "a b", "a/b", "u@h", "h?x", "h#x", "h\\x", "h\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_wire_message struct wire_message message = { .kind = WIRE_SETTINGS };
		struct client_endpoint endpoint = { .host = bad[i] };
		auto_strbuf struct strbuf text = STRBUF_INIT;
		struct err err = ERR_INIT;

		wire_endpoint_format(&endpoint, &text);
		assert_int_equal(wire_message_parse(text.data, text.len, &message, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
	}
}

static void an_answer_is_an_error_or_a_response(void **state)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err said = ERR_INIT;
	struct err err = ERR_INIT;

	err_set(&said, ERR_REMOTE, "no");
	wire_error_format(&said, &text);
	assert_int_equal(wire_answer_parse(text.data, text.len, &response, &err), -1);
	assert_int_equal(err.kind, ERR_REMOTE);
	assert_string_equal(err.text, "no");

	strbuf_truncate(&text, 0);
	response.status = 206;
	strlist_add(&response.headers, "etag: x: y");
	wire_response_format(&response, &text);
	client_response_release(&response);
	err_clear(&err);
	assert_int_equal(wire_answer_parse(text.data, text.len, &response, &err), 0);
	assert_int_equal(response.status, 206);
	assert_string_equal(client_response_header(&response, "etag"), "x: y");
	assert_null(client_response_header(&response, "eta"));
}

/* ---- shut in ---- */

/* Status of a child that shuts itself in and then tries: 0 as it should be. */
static int tries_shut_in(void)
{
	struct err err = ERR_INIT;
	int fd;

	if (confine_network_program(&err) < 0)
		return 1;
	fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return 2;
	fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || errno != EACCES)
		return 3;
	fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || errno != EACCES)
		return 4;
	if (setgid(12345) == 0 && geteuid() == 0)
		return 5;
	return 0;
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void what_reads_the_network_opens_no_files(void **state)
{
	pid_t pid;
	int status = 0;

	if (!has_landlock())
		skip();
	pid = fork();
	if (pid == 0)
		_exit(tries_shut_in());
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_challenges),
		cmocka_unit_test(reads_odd_challenges),
		cmocka_unit_test(there_are_not_too_many_challenges),
		cmocka_unit_test(reads_tokens),
		cmocka_unit_test(knows_when_to_ask_again),
		cmocka_unit_test(waits_longer_each_time),
		cmocka_unit_test(only_passing_troubles_are_worth_it),
		cmocka_unit_test(a_request_reads_the_same_there),
		cmocka_unit_test(nothing_slips_into_a_request),
		cmocka_unit_test(hosts_are_hosts),
		cmocka_unit_test(an_answer_is_an_error_or_a_response),
		cmocka_unit_test(what_reads_the_network_opens_no_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
