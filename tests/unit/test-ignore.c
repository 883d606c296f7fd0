/* SPDX-License-Identifier: Apache-2.0 */
/* Wildcard patterns, and what .dockerignore files leave out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/ignore.h"
#include "builder/match.h"
#include "common/mem.h"
#include "common/strbuf.h"

static const struct {
	const char *pattern;
	const char *name;
	bool is_match;
} globs[] = {
	{ "abc", "abc", true },
	{ "abc", "abcd", false },
	{ "*", "abc", true },
	{ "*", "", true },
	{ "*c", "abc", true },
	{ "a*", "a", true },
	{ "a*", "ab/c", false },
	{ "a*/b", "abc/b", true },
	{ "a*/b", "a/c/b", false },
	{ "**", "a/b", false },
	{ "a*b*c*d*e*/f", "axbxcxdxexxx/f", true },
	{ "a*b*c*d*e*/f", "axbxcxdxexxx/fff", false },
	{ "a*b?c*x", "abxbbxdbxebxczzx", true },
	{ "a*b?c*x", "abxbbxdbxebxczzy", false },
	{ "ab[c]", "abc", true },
	{ "ab[b-d]", "abc", true },
	{ "ab[e-g]", "abc", false },
	{ "ab[^c]", "abc", false },
	{ "ab[^e-g]", "abc", true },
	{ "[a-cx-z]", "y", true },
	{ "a\\*b", "a*b", true },
	{ "a\\*b", "ab", false },
	{ "a?b", "a☺b", true },
	{ "a???b", "a☺b", false },
	{ "a[^a]b", "a☺b", true },
	{ "[a-ζ]*", "α", true },
	{ "a?b", "a/b", false },
	{ "a?b",
	  "a\xff"
	  "b",
	  true },
	{ "[\\]a]", "]", true },
	{ "[x\\-]", "-", true },
	{ "[x\\-]", "z", false },
	{ "*x", "xxx", true },
	{ "{a,b}", "{a,b}", true },
};

static const char *const bad_globs[] = {
	"[",    "[]", "[]a]", "[^",   "[^bc", "a[",      "[-]",   "[x-]",
	"[-x]", "\\", "a\\",  "[a\\", "[a-",  "[a-b-c]", "[z-a]",
};

static void matches_globs(void **state)
{
	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(match_check(globs[i].pattern, &err), 0);
		if (match_glob(globs[i].pattern, globs[i].name) != globs[i].is_match)
			fail_msg("'%s' on '%s'", globs[i].pattern, globs[i].name);
	}
}

static void refuses_bad_globs(void **state)
{
	for (size_t i = 0; i < sizeof(bad_globs) / sizeof(bad_globs[0]); i++) {
		auto_free char *want = str_format("syntax error in pattern '%s'", bad_globs[i]);
		struct err err = ERR_INIT;

		if (match_check(bad_globs[i], &err) == 0)
			fail_msg("'%s' was taken", bad_globs[i]);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_string_equal(err.text, want);
	}
}

static void bounds_patterns(void **state)
{
	auto_free char *pattern = mem_alloc(MATCH_PATTERN_MAX_BYTES + 2);
	auto_free char *name = mem_alloc(4001);
	struct err err = ERR_INIT;

	memset(name, 'a', 4000);
	memset(pattern, '*', MATCH_PATTERN_MAX_BYTES);
	pattern[300] = 'b';
	pattern[301] = '\0';
	assert_false(match_glob(pattern, name)); /* at once, not in exponential time */
	pattern[300] = pattern[301] = '*';
	assert_int_equal(match_check(pattern, &err), 0);
	pattern[MATCH_PATTERN_MAX_BYTES] = '*';
	assert_int_equal(match_check(pattern, &err), -1);
	assert_string_equal(err.text, "a pattern is longer than 8192 bytes");
}

static void finds_wildcards(void **state)
{
	assert_true(match_has_wildcard("a*"));
	assert_true(match_has_wildcard("?"));
	assert_true(match_has_wildcard("x[a]"));
	assert_false(match_has_wildcard("a\\*b\\?\\["));
	assert_false(match_has_wildcard("a]b\\"));
	assert_true(match_is_pattern("a\\*b"));
	assert_true(match_is_pattern("x["));
	assert_false(match_is_pattern("a\\b]c"));
}

struct row {
	const char *rule;
	const char *file; /* .dockerignore */
	const char *path;
	bool is_ignored;
};

static const struct row rows[] = {
	/* lines */
	{ "byte order mark",
	  "\xef\xbb\xbf"
	  "a\n",
	  "a", true },
	{ "# at column 0", "#a\n", "#a", false },
	{ "# elsewhere", " #a\n", "#a", true },
	{ "blanks trimmed", "  a \t\n", "a", true },
	{ "CRLF", "a\r\nb\r\n", "a", true },
	{ "CRLF, last line", "a\r\nb", "b", true },
	{ "empty lines", "\n\n  \na\n", "a", true },
	{ "cleaned ./", "./a/./b//c/\n", "a/b/c", true },
	{ "cleaned ..", "x/../a\n", "a", true },
	{ ".. above the top", "../a\n", "a", false },
	{ "leading /", "/a/b\n", "a/b", true },
	{ "/.. is /", "/../a\n", "a", true },
	{ "! negates", "a*\n!ab\n", "ab", false },
	{ "! and blanks", "a*\n! \tab\n", "ab", false },
	{ "! and leading /", "a*\n! /ab\n", "ab", false },
	{ "! alone matters only after", "!ab\na*\n", "ab", true },
	/* order, and what is below */
	{ "last match wins", "a\n!a\na\n", "a", true },
	{ "below a directory", "a\n", "a/b/c", true },
	{ "not a longer name", "a\n", "ab", false },
	{ "below a wildcard", "a/*\n", "a/b/c", true },
	{ "brought back below", "docs\n!docs/README.md\n", "docs/README.md", false },
	{ "its sibling stays out", "docs\n!docs/README.md\n", "docs/x", true },
	{ "whole directory brought back", "**\n!util/web\n", "util/web/foo", false },
	{ "and out again", "**\n!util/web\nutil/web/foo\n", "util/web/foo", true },
	{ "the context itself", "**\n*\n.\n", ".", false },
	/* tokens */
	{ "*", "*\n", "a", true },
	{ "* and /", "*/b\n", "a/c/b", false },
	{ "?", "a?c\n", "abc", true },
	{ "[...]", "a[b-d]e\n", "ace", true },
	{ "[^...]", "a[^b-d]e\n", "ace", false },
	{ "** alone", "**\n", "a/b/c", true },
	{ "**/", "**/\n", "a/b", true },
	{ "**/x none", "**/x\n", "x", true },
	{ "**/x deep", "**/x\n", "a/b/x", true },
	{ "**/x is a name", "**/.foo\n", "bar.foo", false },
	{ "x/** below", "x/**\n", "x/a/b", true },
	{ "x/** not itself", "x/**\n", "x", false },
	{ "a/**/b", "a/**/b\n", "a/b", true },
	{ "a/**/b deep", "a/**/b\n", "a/x/y/b", true },
	{ "**/a/*", "**/a/*\n", "x/a/b", true },
	{ "**/**", "**/**\n", "a/b", true },
	{ "**/**/*.txt", "**/**/*.txt\n", "a.txt", true },
	{ "**.ext", "**.log\n", "a/b.log", true },
	{ "a**/*.txt", "a**/*.txt\n", "a/b/c.txt", true },
	{ "*.txt**", "a/*.txt**\n", "a/b.txt", true },
	{ "\\x", "a\\*b\n", "a*b", true },
	{ "\\x literal", "a\\*b\n", "axb", false },
	{ "literal signs", "a.|)$(}+{bc\n", "a.|)$(}+{bc", true },
	{ "literal ^", "a^*\n", "a^b", true },
	{ ". is literal", "a.c\n", "abc", false },
	{ "characters", "?.c\n", "ä.c", true },
};

static void reads_files(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_ignore struct ignore ignore = IGNORE_INIT;
		struct err err = ERR_INIT;

		if (ignore_parse(&ignore, ".dockerignore", rows[i].file, strlen(rows[i].file),
				 &err) < 0)
			fail_msg("%s: %s", rows[i].rule, err.text);
		if (ignore_match(&ignore, rows[i].path) != rows[i].is_ignored)
			fail_msg("%s: '%s'", rows[i].rule, rows[i].path);
	}
}

static void expect_error(const char *file, size_t len, const char *want)
{
	auto_ignore struct ignore ignore = IGNORE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(ignore_parse(&ignore, ".dockerignore", file, len, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, want);
}

static void refuses_bad_lines(void **state)
{
	expect_error("a\n!\n", 4, ".dockerignore:2: '!' needs a pattern");
	expect_error("a\n\n[\n", 5, ".dockerignore:3: syntax error in pattern '['");
	expect_error("[Local-Only]/\n", 14,
		     ".dockerignore:1: syntax error in pattern '[Local-Only]'");
	expect_error("a\0b\n", 4, ".dockerignore:1: a NUL byte is not text");
}

static void walks_into_what_may_come_back(void **state)
{
	static const char file[] = "*\n!a/b/c\n!x/**/keep\nx/no\n!src/*.c\n**/tmp\n";
	static const struct {
		const char *dir;
		bool may_descend;
	} dirs[] = {
		{ ".", true },      { "a", true },      { "a/b", true },    { "a/b/c", true },
		{ "a/x", false },   { "x", true },      { "x/y/z", true },  { "x/no", false },
		{ "src", true },    { "src/d", false }, { "other", false }, { "x/tmp", false },
		{ "src.c", false },
	};
	auto_ignore struct ignore ignore = IGNORE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(ignore_parse(&ignore, "f", file, strlen(file), &err), 0);
	assert_true(ignore.has_exceptions);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (ignore_may_descend(&ignore, dirs[i].dir) != dirs[i].may_descend)
			fail_msg("'%s'", dirs[i].dir);
}

static void takes_single_patterns(void **state)
{
	auto_ignore struct ignore ignore = IGNORE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(ignore_add(&ignore, "#a", &err), 0);
	assert_int_equal(ignore_add(&ignore, "  ", &err), 0);
	assert_int_equal(ignore_add(&ignore, "b/**", &err), 0);
	assert_int_equal(ignore_add(&ignore, "!b/c", &err), 0);
	assert_int_equal(ignore.count, 3);
	assert_true(ignore_match(&ignore, "#a"));
	assert_true(ignore_match(&ignore, "b/x"));
	assert_false(ignore_match(&ignore, "b/c"));
	assert_int_equal(ignore_add(&ignore, "!", &err), -1);
	assert_string_equal(err.text, "'!' needs a pattern");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_globs),
		cmocka_unit_test(refuses_bad_globs),
		cmocka_unit_test(bounds_patterns),
		cmocka_unit_test(finds_wildcards),
		cmocka_unit_test(reads_files),
		cmocka_unit_test(refuses_bad_lines),
		cmocka_unit_test(walks_into_what_may_come_back),
		cmocka_unit_test(takes_single_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
