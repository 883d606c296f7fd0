/* SPDX-License-Identifier: Apache-2.0 */
/* Base 64, files of credentials and what helpers say, certificates of registries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64.h"
#include "common/mem.h"
#include "registry/authfile.h"
#include "registry/certs.h"
#include "registry/credential-helper.h"
#include "tests/unit/scratch.h"

static void base64_goes_both_ways(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "\xff\xfe\xfd", "//79" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *text = base64_format(cases[i][0], strlen(cases[i][0]));
		auto_strbuf struct strbuf back = STRBUF_INIT;
		struct err err = ERR_INIT;

		assert_string_equal(text, cases[i][1]);
		assert_int_equal(base64_parse(text, &back, &err), 0);
		assert_string_equal(back.data, cases[i][0]);
	}
}

static void base64_refuses_what_is_none(void **state)
{
	static const char *const cases[] = { "Zg", "Zg=", "Zg===", "Z===", "Zh==", "Zm9=", "Z g=",
					     "Zm9v\n", "=Zm9", "Zg==Zg==", "Zm8*" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_strbuf struct strbuf out = STRBUF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(base64_parse(cases[i], &out, &err), -1);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_int_equal(out.len, 0);
	}
}

static const char several[] =
	"{\"auths\":{"
	"\"a.io\":{\"auth\":\"YTpo\"},"                                   /* a:h */
	"\"a.io/team\":{\"auth\":\"YTp0\"},"                              /* a:t */
	"\"a.io/team/app\":{\"username\":\"a\",\"password\":\"p\"},"
	"\"https://index.docker.io/v1/\":{\"auth\":\"ZDpkAAA=\"},"        /* d:d and NULs */
	"\"https://old.io/v1/\":{\"auth\":\"bzpvOm8=\"},"                 /* o:o:o */
	"\"t.io\":{\"auth\":\"PDo=\",\"identitytoken\":\"it\"},"
	"\"r.io\":{\"registrytoken\":\"rt\"},"
	"\"e.io\":{},\"bad.io\":{\"auth\":\"***\"},\"line.io\":{\"registrytoken\":\"a\\nb\"}},"
	"\"credHelpers\":{\"h.io\":\"pass\",\"evil.io\":\"../../bin/sh\"},\"credsStore\":\"store\"}";

static int find(const char *json, const char *host, const char *repository, bool is_legacy,
		struct credentials *out, char **helper, struct err *err)
{
	auto_authfile struct authfile file = AUTHFILE_INIT;

	assert_int_equal(authfile_parse(json, strlen(json), "f", is_legacy, &file, err), 0);
	return authfile_find(&file, host, repository, out, helper, err);
}

static void the_longest_key_and_the_host_are_found(void **state)
{
	static const struct {
		const char *host, *repository, *password, *helper;
	} cases[] = {
		{ "a.io", "x", "h", NULL },
		{ "a.io", NULL, "h", NULL },
		{ "a.io", "team", "t", NULL },
		{ "a.io", "team/other", "t", NULL },
		{ "a.io", "team/app", "p", NULL },
		{ "a.io", "team/app/deep", "p", NULL },
		{ "a.io", "teams/app", "h", NULL },
		{ "docker.io", "library/x", "d", NULL },
		{ "index.docker.io", "library/x", "d", NULL },
		{ "old.io", "x", "o:o", NULL },
		{ "h.io", "x", NULL, "pass" },
		{ "e.io", "x", NULL, "store" },
		{ "other.io", "x", NULL, "store" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_credentials struct credentials out = CREDENTIALS_INIT;
		auto_free char *helper = NULL;
		struct err err = ERR_INIT;

		if (find(several, cases[i].host, cases[i].repository, false, &out, &helper, &err) < 0)
			fail_msg("%s", err.text);
		if (cases[i].password)
			assert_string_equal(out.password, cases[i].password);
		else
			assert_null(out.password);
		if (cases[i].helper)
			assert_string_equal(helper, cases[i].helper);
		else
			assert_null(helper);
	}
}

static void tokens_are_told_from_passwords(void **state)
{
	auto_credentials struct credentials identity = CREDENTIALS_INIT;
	auto_credentials struct credentials bearer = CREDENTIALS_INIT;
	auto_free char *helper = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(find(several, "t.io", "x", false, &identity, &helper, &err), 0);
	assert_string_equal(identity.identity_token, "it");
	assert_int_equal(find(several, "r.io", "x", false, &bearer, &helper, &err), 0);
	assert_string_equal(bearer.registry_token, "rt");
	assert_null(bearer.user);
	assert_null(helper);
}

static void a_legacy_file_is_entries_alone(void **state)
{
	static const char text[] = "{\"https://a.io/v1/\":{\"auth\":\"YTpo\",\"email\":\"x\"}}";
	auto_credentials struct credentials out = CREDENTIALS_INIT;
	auto_free char *helper = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(find(text, "a.io", "team/x", true, &out, &helper, &err), 0);
	assert_string_equal(out.password, "h");
}

static void a_bad_entry_is_named_without_its_secret(void **state)
{
	static const char *const hosts[] = { "bad.io", "line.io", "evil.io" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		auto_credentials struct credentials out = CREDENTIALS_INIT;
		auto_free char *helper = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(find(several, hosts[i], "x", false, &out, &helper, &err), -1);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_non_null(strstr(err.text, hosts[i]));
		assert_null(strstr(err.text, "***"));
		assert_null(helper);
	}
}

static void a_login_changes_its_entry_alone(void **state)
{
	auto_credentials struct credentials login = { .user = str_dup("u"),
						      .password = str_dup("p:w") };
	auto_credentials struct credentials out = CREDENTIALS_INIT;
	auto_authfile struct authfile file = AUTHFILE_INIT;
	auto_free char *helper = NULL;
	auto_free char *path = NULL;
	struct scratch scratch;
	struct stat st;
	struct err err = ERR_INIT;
	bool found = false;

	scratch_make(&scratch);
	path = str_format("%s/new/dir/auth.json", scratch.path);
	if (authfile_set(path, "x.io/team", &login, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(authfile_set(path, "y.io", &login, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(authfile_unset(path, "y.io", &found, &err), 0);
	assert_true(found);
	assert_int_equal(authfile_unset(path, "y.io", &found, &err), 0);
	assert_false(found);
	assert_int_equal(authfile_load(path, false, &found, &file, &err), 0);
	assert_true(found);
	assert_int_equal(authfile_find(&file, "x.io", "team/a", &out, &helper, &err), 0);
	assert_string_equal(out.password, "p:w");
	assert_int_equal(authfile_unset_all(path, &err), 0);
	scratch_remove(&scratch);
}

static void what_others_wrote_in_a_file_stays(void **state)
{
	auto_credentials struct credentials login = { .user = str_dup("u"),
						      .password = str_dup("p") };
	auto_free char *path = NULL;
	struct scratch scratch;
	struct err err = ERR_INIT;
	char text[1000];

	scratch_make(&scratch);
	path = str_format("%s/config.json", scratch.path);
	scratch_write(&scratch, "config.json",
		      "{\"HttpHeaders\":{\"X\":\"y\"},\"auths\":{\"k.io\":{\"auth\":\"YTpo\"}}}");
	assert_int_equal(authfile_set(path, "x.io", &login, &err), 0);
	scratch_read(&scratch, "config.json", text, sizeof(text));
	assert_non_null(strstr(text, "HttpHeaders"));
	assert_non_null(strstr(text, "YTpo"));
	assert_non_null(strstr(text, "dTpw"));
	scratch_remove(&scratch);
}

static void headers_are_those_that_docker_passes_on(void **state)
{
	static const struct {
		const char *json;
		const char *headers; /* NULL: refused */
	} rows[] = {
		{ "{}", "" },
		{ "{\"HttpHeaders\":{\"X-Meta-A\":\"1 2\",\"User-Agent\":\"x\",\"x-meta-b\":\"\"}}",
		  "X-Meta-A: 1 2|x-meta-b: |" },
		{ "{\"HttpHeaders\":{\"Authorization\":\"Basic x\"}}", "" },
		{ "{\"HttpHeaders\":{\"X-Meta-A\":\"1\\r\\nHost: b\"}}", NULL },
		{ "{\"HttpHeaders\":{\"X-Meta-A: 1\\nB\":\"1\"}}", NULL },
		{ "{\"HttpHeaders\":{\"X-Meta-A\":[\"1\"]}}", NULL },
		{ "{\"HttpHeaders\":[]}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_authfile struct authfile file = AUTHFILE_INIT;
		auto_strlist struct strlist headers = STRLIST_INIT;
		auto_strbuf struct strbuf text = STRBUF_INIT;
		struct err err = ERR_INIT;
		int result;

		assert_int_equal(authfile_parse(rows[i].json, strlen(rows[i].json), "f", false,
						&file, &err),
				 0);
		result = authfile_headers(&file, &headers, &err);
		assert_int_equal(result, rows[i].headers ? 0 : -1);
		if (result < 0) {
			assert_int_equal(err.kind, ERR_INPUT);
			assert_non_null(strstr(err.text, "HttpHeaders"));
			continue;
		}
		for (size_t k = 0; k < headers.count; k++)
			strbuf_printf(&text, "%s|", headers.items[k]);
		strbuf_puts(&text, "");
		assert_string_equal(text.data, rows[i].headers);
	}
}

static void what_a_helper_says_is_read(void **state)
{
	static const char good[] = "{\"ServerURL\":\"s\",\"Username\":\"u\",\"Secret\":\"p\"}";
	static const char token[] = "{\"Username\":\"<token>\",\"Secret\":\"t\"}";
	static const char *const bad[] = { "", "no", "{}", "{\"Username\":\"u\"}", "[]",
					   "{\"Username\":1,\"Secret\":\"s\"}" };
	auto_credentials struct credentials user = CREDENTIALS_INIT;
	auto_credentials struct credentials identity = CREDENTIALS_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(credential_helper_parse(good, strlen(good), "h", &user, &err), 0);
	assert_string_equal(user.password, "p");
	assert_int_equal(credential_helper_parse(token, strlen(token), "h", &identity, &err), 0);
	assert_string_equal(identity.identity_token, "t");
	assert_null(identity.user);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_credentials struct credentials none = CREDENTIALS_INIT;

		assert_int_equal(credential_helper_parse(bad[i], strlen(bad[i]), "h", &none, &err),
				 -1);
		assert_int_equal(err.kind, ERR_INPUT);
	}
}

static void certificates_are_read_by_their_names(void **state)
{
	static const char pem[] = "-----BEGIN X-----\n-----END X-----\n";
	auto_certs struct certs certs = CERTS_INIT;
	auto_certs struct certs half = CERTS_INIT;
	struct scratch scratch;
	struct err err = ERR_INIT;

	scratch_make(&scratch);
	assert_int_equal(certs_load(scratch.path, "h", &certs, &err), 0);
	assert_null(certs.ca);
	scratch_write(&scratch, "a.crt", pem);
	scratch_write(&scratch, "b.crt", pem);
	scratch_write(&scratch, "c.cert", pem);
	scratch_write(&scratch, "c.key", pem);
	scratch_write(&scratch, "README", "nothing");
	if (certs_load(scratch.path, "h", &certs, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(strlen(certs.ca), 2 * strlen(pem) + 2);
	assert_non_null(certs.cert);
	assert_non_null(certs.key);
	scratch_write(&scratch, "d.key", pem);
	assert_int_equal(certs_load(scratch.path, "h", &half, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "d.cert"));
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_goes_both_ways),
		cmocka_unit_test(base64_refuses_what_is_none),
		cmocka_unit_test(the_longest_key_and_the_host_are_found),
		cmocka_unit_test(tokens_are_told_from_passwords),
		cmocka_unit_test(a_legacy_file_is_entries_alone),
		cmocka_unit_test(a_bad_entry_is_named_without_its_secret),
		cmocka_unit_test(a_login_changes_its_entry_alone),
		cmocka_unit_test(what_others_wrote_in_a_file_stays),
		cmocka_unit_test(headers_are_those_that_docker_passes_on),
		cmocka_unit_test(what_a_helper_says_is_read),
		cmocka_unit_test(certificates_are_read_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
