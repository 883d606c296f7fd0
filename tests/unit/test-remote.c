/* SPDX-License-Identifier: Apache-2.0 */
/* How sources that are not files here are read: what is fetched, and that no password is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/remote.h"
#include "builder/source.h"
#include "common/mem.h"
#include "common/strbuf.h"

static void tells_remotes_from_files(void **state)
{
	assert_true(remote_is("http://a"));
	assert_true(remote_is("https://a/b"));
	assert_true(remote_is("git://a/b"));
	assert_true(remote_is("git@a:b"));
	assert_true(remote_is("ssh://git@a/b"));
	assert_false(remote_is("a.git"));
	assert_false(remote_is("file:///etc/passwd"));
	assert_false(remote_is("github.com/a/b"));
	assert_false(remote_is("HTTP"));
	assert_true(remote_is("me@a.b-c:d"));
	assert_false(remote_is("@a:b"));
	assert_false(remote_is("a@:b"));
	assert_false(remote_is("a@b"));
	assert_false(remote_is("a/b@c:d"));
	assert_false(remote_is("git@-oProxyCommand=x:r"));
}

/* All fields on one line; "-" is none. */
static char *dump(const struct remote *remote)
{
	static const char *const keeps[] = { "unset", "no", "yes" };
	const char *const fields[] = { remote->shown, remote->url, remote->user,   remote->password,
				       remote->name,  remote->ref, remote->subdir, remote->commit };
	struct strbuf out = STRBUF_INIT;

	strbuf_puts(&out, remote->kind == REMOTE_GIT ? "git" : "url");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		strbuf_printf(&out, " %s", fields[i] ? fields[i] : "-");
	strbuf_printf(&out, " %s%s", keeps[remote->keeps_git_dir],
		      remote->kind == REMOTE_URL || remote->has_submodules ? "" : " alone");
	return strbuf_steal(&out);
}

static void reads_remotes(void **state)
{
#define COMMIT "0123456789012345678901234567890123456789"
	static const struct {
		const char *text;
		const char *fields; /* shown url user password name ref subdir commit … */
	} good[] = {
		{ "git@h:a/r.git#v1:dir",
		  "git git@h:a/r.git#v1:dir git@h:a/r.git - - - v1 dir - unset" },
		{ "git@h:r?branch=b&keep-git-dir",
		  "git git@h:r?branch=b&keep-git-dir git@h:r - - - refs/heads/b - - yes" },
		{ "ssh://git@h:2222/a/r#m",
		  "git ssh://git@h:2222/a/r#m ssh://git@h:2222/a/r - - - m - - unset" },
		{ "ssh://h/~me/r", "git ssh://h/~me/r ssh://h/~me/r - - - - - - unset" },
		{ "http://h/a", "url http://h/a http://h/a - - a - - - unset" },
		{ "http://h", "url http://h http://h - - - - - - unset" },
		{ "http://h/", "url http://h/ http://h/ - - - - - - unset" },
		{ "http://h/a/b/?q=/c",
		  "url http://h/a/b/?q=/c http://h/a/b/?q=/c - - b - - - unset" },
		{ "http://h/%61%20", "url http://h/%61%20 http://h/%61%20 - - a  - - - unset" },
		{ "http://h/a%2Fb", "url http://h/a%2Fb http://h/a%2Fb - - b - - - unset" },
		{ "http://h/a/..", "url http://h/a/.. http://h/a/.. - - - - - - unset" },
		{ "http://h/%00", "url http://h/%00 http://h/%00 - - - - - - unset" },
		{ "http://h/a%0ab", "url http://h/a%0ab http://h/a%0ab - - - - - - unset" },
		{ "https://u:p%40@h:8/a#f",
		  "url https://h:8/a#f https://h:8/a u p@ a - - - unset" },
		{ "https://u@h/a@b", "url https://h/a@b https://h/a@b u - a@b - - - unset" },
		{ "https://u:p@q@h/a", "url https://h/a https://h/a u p@q a - - - unset" },
		{ "https://h/r.git", "git https://h/r.git https://h/r.git - - - - - - unset" },
		{ "https://h/r.git.tar",
		  "url https://h/r.git.tar https://h/r.git.tar - - r.git.tar - - - unset" },
		{ "https://u:p@h/r.git#v1:a/b",
		  "git https://h/r.git#v1:a/b https://h/r.git u p - v1 a/b - unset" },
		{ "https://h/r.git#:a",
		  "git https://h/r.git#:a https://h/r.git - - - - a - unset" },
		{ "git://h/r", "git git://h/r git://h/r - - - - - - unset" },
		{ "git://h/r?branch=b&subdir=s&keep-git-dir=1&submodules",
		  "git git://h/r?branch=b&subdir=s&keep-git-dir=1&submodules git://h/r - - - "
		  "refs/heads/b s - yes" },
		{ "git://h/r?submodules=false",
		  "git git://h/r?submodules=false git://h/r - - - - - - unset alone" },
		{ "git://h/r?tag=t&keep-git-dir=false",
		  "git git://h/r?tag=t&keep-git-dir=false git://h/r - - - refs/tags/t - - no" },
		{ "git://h/r?commit=" COMMIT,
		  "git git://h/r?commit=" COMMIT " git://h/r - - - " COMMIT " - " COMMIT " unset" },
		{ "git://h/r?ref=m&checksum=0123456",
		  "git git://h/r?ref=m&checksum=0123456 git://h/r - - - m - 0123456 unset" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = ERR_INIT;
		auto_remote struct remote *remote = remote_parse(good[i].text, &err);
		auto_free char *fields = NULL;

		assert_string_equal(err.text, "");
		assert_non_null(remote);
		fields = dump(remote);
		assert_string_equal(fields, good[i].fields);
	}
}

static void refuses_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} bad[] = {
		{ "git@h:", "'git@h:' names no repository" },
		{ "git@h:#main", "'git@h:#main' names no repository" },
		{ "git@h:-x", "'git@h:-x' names no repository" },
		{ "git@-h:r", "'git@-h:r' names no host" },
		{ "-git@h:r", "'-git@h:r' names no host" },
		{ "git@h:r s", "the URL 'git@h:r...' has a blank or a control character" },
		{ "ssh://h", "'ssh://h' names no repository" },
		{ "ssh://h/", "'ssh://h/' names no repository" },
		{ "ssh://h/#x", "'ssh://h/#x' names no repository" },
		{ "ssh:///r", "'ssh:///r' names no host" },
		{ "ssh://git@/r", "'ssh://git@/r' names no host" },
		{ "ssh://git@:22/r", "'ssh://git@:22/r' names no host" },
		{ "ssh://-oProxyCommand=x/r", "'ssh://-oProxyCommand=x/r' names no host" },
		{ "ssh://git@-oProxyCommand=x/r", "'ssh://git@-oProxyCommand=x/r' names no host" },
		{ "ssh://u:s3cr3t@h/r",
		  "'ssh://h/r': ssh takes no password: lend it an agent that has a key" },
		{ "ssh://h/r#m:../x",
		  "'ssh://h/r#m:../x': the directory '../x' would leave the repository" },
		{ "http://", "'http://' names no host" },
		{ "http:///a", "'http:///a' names no host" },
		{ "http://u:p@/a", "'http:///a' names no host" },
		{ "http://h/a b", "the URL 'http://h/a...' has a blank or a control character" },
		{ "http://h/a\n", "the URL 'http://h/a...' has a blank or a control character" },
		{ "http://u%00:p@h/", "'http://h/': its user or password has a NUL" },
		{ "http://u:p%0d%0aX:%20y@h/", "'http://h/': its user or password has a line end" },
		{ "git://h/r#m:../x",
		  "'git://h/r#m:../x': the directory '../x' would leave the repository" },
		{ "git://h/r#m:a/../../x",
		  "'git://h/r#m:a/../../x': the directory 'a/../../x' would leave the repository" },
		{ "git://h/r#m:.git/hooks",
		  "'git://h/r#m:.git/hooks': '.git' is not a directory of the repository" },
		{ "git://h/r#m:a/.GIT",
		  "'git://h/r#m:a/.GIT': '.git' is not a directory of the repository" },
		{ "git://h/r?subdir=%2e%2e",
		  "'git://h/r?subdir=%2e%2e': the directory '..' would leave the repository" },
		{ "git://h/r#--upload-pack=x", "'git://h/r#--upload-pack=x': '--upload-pack=x' is "
					       "no name of a branch, tag or commit" },
		{ "git://h/r?ref=a:b",
		  "'git://h/r?ref=a:b': 'a:b' is no name of a branch, tag or commit" },
		{ "git://h/r?ref=*",
		  "'git://h/r?ref=*': '*' is no name of a branch, tag or commit" },
		{ "git://h/r?ref=a#b", "'git://h/r?ref=a#b' says its branch, tag or commit twice" },
		{ "git://h/r?branch=a&tag=a",
		  "'git://h/r?branch=a&tag=a' says its branch, tag or commit twice" },
		{ "git://h/r?subdir=a#:b", "'git://h/r?subdir=a#:b' says its directory twice" },
		{ "git://h/r?commit=12",
		  "'git://h/r?commit=12': '12' is not a commit, 7 to 64 lower-case hex digits" },
		{ "git://h/r?x=1", "'git://h/r?x=1': unknown key 'x' (known: " },
		{ "git://h/r?submodules=maybe", "'git://h/r?submodules=maybe': submodules: " },
		{ "git://u@h/r", "'git://h/r': the git protocol knows no user" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = ERR_INIT;

		assert_null(remote_parse(bad[i].text, &err));
		assert_int_equal(err.kind, ERR_INPUT);
		assert_memory_equal(err.text, bad[i].error, strlen(bad[i].error));
	}
}

static void masks_passwords(void **state)
{
	static const char *const pairs[][2] = {
		{ "ADD https://u:p@h/a b", "ADD https://***@h/a b" },
		{ "a http://x@y http://h/@ git://q@/", "a http://*@y http://h/@ git://*@/" },
		{ "http://u:p@q@h \"https://me@h\"", "http://*****@h \"https://**@h\"" },
		{ "user@host", "user@host" },
		{ "://", "://" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		auto_free char *text = str_dup(pairs[i][0]);

		source_mask_passwords(text);
		assert_string_equal(text, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_remotes_from_files),
		cmocka_unit_test(reads_remotes),
		cmocka_unit_test(refuses_what_is_wrong),
		cmocka_unit_test(masks_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
