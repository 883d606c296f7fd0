/* SPDX-License-Identifier: Apache-2.0 */
/* Variables, quotes and escapes: each form, in words, lists, pairs and heredocs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/expand.h"
#include "common/mem.h"
#include "common/strbuf.h"

/* What is set while the tables are walked; "unset" is not. */
static const char *const environment[] = {
	"x=one",    "empty=",   "file=/tmp/tmp/a.tar.gz", "stars=a***yy*",
	"xy=xxyy",  "two=a b",  "korean=한국어",          "regex=()[]{}^$.*?|\\x",
	"nested=x", "pat=\\*/", "dirs=/foo*/*/*.txt",     "quoted='q'",
	"nl=a\nb",  NULL,
};

static struct strlist env;
static const struct expand_scope scope = { .env = &env };

struct row {
	const char *rule;
	const char *word;
	const char *want; /* the result, or a part of the error's text */
};

static const struct row good[] = {
	{ "nothing", "", "" },
	{ "plain", "hello", "hello" },
	{ "$x", "a$x.b", "aone.b" },
	{ "$x unset", "a$unset.b", "a.b" },
	{ "${x}", "a${x}b", "aoneb" },
	{ "${x} unset", "a${unset}b", "ab" },
	{ "$ alone", "a$ b$", "a$ b$" },
	{ "$ before a sign", "$.", "$." },
	{ "name ends at a sign", "$x-$x", "one-one" },
	{ "name beyond ASCII", "$korean", "한국어" },
	{ "name ends at a symbol", "$x\xe2\x80\x93", "one\xe2\x80\x93" },
	{ "digits", "$12a$1", "a" },
	{ "special", "$@$*$#$?$-$$$!$0.", "." },
	{ "special in braces", "${@}${*:-s}", "s" },
	{ "x:-w set", "${x:-w}", "one" },
	{ "x:-w empty", "${empty:-w}", "w" },
	{ "x:-w unset", "${unset:-w}", "w" },
	{ "x-w empty", "${empty-w}", "" },
	{ "x-w unset", "${unset-w}", "w" },
	{ "x:+w set", "${x:+w}", "w" },
	{ "x:+w empty", "${empty:+w}", "" },
	{ "x+w empty", "${empty+w}", "w" },
	{ "x+w unset", "${unset+w}", "" },
	{ "x:?w set", "${x:?w}", "one" },
	{ "x?w empty", "${empty?w}", "" },
	{ "nested", "${unset:-${also:-$x}}", "one" },
	{ "nested in quotes", "${unset:-\"a ${x} b\"}", "a one b" },
	{ "brace in a default", "${unset:-\\}}", "}" },
	{ "brace opened in a default", "${unset:-a {b}", "a {b" },
	{ "x#p", "${file#*/}", "tmp/tmp/a.tar.gz" },
	{ "x##p", "${file##*/}", "a.tar.gz" },
	{ "x%p", "${file%.*}", "/tmp/tmp/a.tar" },
	{ "x%%p", "${file%%.*}", "/tmp/tmp/a" },
	{ "x#p no match", "${file#x*}", "/tmp/tmp/a.tar.gz" },
	{ "x#p unset", "${unset#x}", "" },
	{ "x#p empty pattern", "${xy#}${xy##}${xy%}", "xxyyxxyyxxyy" },
	{ "x#*", "${xy#*}", "xxyy" },
	{ "x##*", "${xy##*}", "" },
	{ "x%*", "${xy%*}${xy%%*}", "xxyy" },
	{ "x# two stars", "${xy#*x*y}", "y" },
	{ "x#? characters", "${korean#?}", "국어" },
	{ "x%? characters", "${korean%?}", "한국" },
	{ "x#\\*", "${regex#()[]{\\}^$.\\*\\?|\\\\}", "x" },
	{ "x%%\\**\\*", "${stars%%\\**\\*}", "a" },
	{ "x#$p", "${xy#$nested}", "xyy" },
	{ "x#p a line end", "${nl#*b}", "" },
	{ "x/p/r", "${file/tmp/var}", "/var/tmp/a.tar.gz" },
	{ "x//p/r", "${file//tmp/var}", "/var/var/a.tar.gz" },
	{ "x/p/ removes", "${file//\\/tmp/}", "/a.tar.gz" },
	{ "x/p/r longest", "${xy/x*y/-}", "-" },
	{ "x//\\//r", "${file//\\//:}", ":tmp:tmp:a.tar.gz" },
	{ "x/p/r keeps escapes of r", "${x/o/\\/}", "\\/ne" },
	{ "x/$p/r", "${dirs/$pat/.} ${dirs//$pat/.}", "/foo.*/*.txt /foo..*.txt" },
	{ "x/p/r wildcard ?", "${xy//?y/-}", "x-y" },
	{ "x/p/r empty pattern", "${xy/$empty/-}", "-xxyy" },
	{ "x//p/r empty pattern", "${x//$empty/-}", "-o-n-e-" },
	{ "x///", "${xy///}${unset///}", "xxyy" },
	{ "'…'", "'a$x\\b\"'", "a$x\\b\"" },
	{ "\"…\"", "\"a$x'b'\"", "aone'b'" },
	{ "\"…\" escapes", "\"\\\"\\$x\\\\\\t\"", "\"$x\\\\t" },
	{ "quotes join", "a'b'\"c\"d", "abcd" },
	{ "blanks stay", "  a  b ", "  a  b " },
	{ "escape", "\\$x\\a\\'\\\\", "$xa'\\" },
	{ "escape at the end", "a\\", "a" },
	{ "escaped brace", "\\${}aaa", "${}aaa" },
	{ "values are not read again", "$quoted$regex", "'q'()[]{}^$.*?|\\x" },
	{ "<<", "a<<b << c", "a<<b << c" },
};

static const struct row bad[] = {
	{ "${}", "${}", "in '${}': bad substitution" },
	{ "${:x}", "${:x}", "bad substitution" },
	{ "${{x}", "${{x}", "bad substitution" },
	{ "${ without end", "a${", "missing '}'" },
	{ "${x without end", "${x", "missing '}'" },
	{ "${x: without end", "${x:", "missing '}'" },
	{ "${x:-w without end", "${x:-w ${x}", "missing '}'" },
	{ "${x/p without end", "${x/p}", "missing '/'" },
	{ "${x/p/r without end", "${x/p/r", "missing '}'" },
	{ "${.}", "${.}", "unsupported modifier '.'" },
	{ "${x=w}", "${x=w}", "unsupported modifier '='" },
	{ "${x:=w}", "${x:=w}", "unsupported modifier ':='" },
	{ "${x:w}", "${x:w}", "unsupported modifier ':w'" },
	{ "${x:#p}", "${x:#p}", "unsupported modifier ':#'" },
	{ "${x:%p}", "${x:%%p}", "unsupported modifier ':%'" },
	{ "${x:/p}", "${x:/p/r}", "unsupported modifier ':/'" },
	{ "x?w", "${unset?w $x}", "unset: w one" },
	{ "x:?w", "${empty:?w}", "empty: w" },
	{ "x?", "${unset?}", "unset: is not allowed to be unset" },
	{ "x:?", "${empty:?}", "empty: is not allowed to be empty" },
	{ "x:? unset", "${unset:?}", "unset: is not allowed to be unset" },
	{ "x#\\a", "${x#\\a}", "pattern '\\a': '\\' only goes before" },
	{ "x/\\ at the end", "${x/\\\\\\a/r}", "only goes before" },
	{ "'…", "a'b", "a single quote without its end" },
	{ "\"…", "a\"b'", "a double quote without its end" },
	{ "\"…\\\"", "\"b\\\"", "a double quote without its end" },
	{ "unused default is read", "${x:-${}}", "bad substitution" },
};

static int set_up(void **state)
{
	for (size_t i = 0; environment[i]; i++)
		strlist_add(&env, environment[i]);
	return 0;
}

static int tear_down(void **state)
{
	strlist_release(&env);
	return 0;
}

static void expands_each_form(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_free char *got = NULL;
		struct err err = ERR_INIT;

		if (expand_word(good[i].word, &scope, '\\', EXPAND_WORD, &got, &err) < 0)
			fail_msg("%s: %s", good[i].rule, err.text);
		if (strcmp(got, good[i].want) != 0)
			fail_msg("%s: '%s' gave '%s', not '%s'", good[i].rule, good[i].word, got,
				 good[i].want);
	}
}

static void refuses_what_is_no_form(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_free char *got = NULL;
		struct err err = ERR_INIT;

		if (expand_word(bad[i].word, &scope, '\\', EXPAND_WORD, &got, &err) == 0)
			fail_msg("%s: '%s' gave '%s'", bad[i].rule, bad[i].word, got);
		assert_int_equal(err.kind, ERR_INPUT);
		if (!strstr(err.text, bad[i].want))
			fail_msg("%s: the error is '%s'", bad[i].rule, err.text);
	}
}

static void expect_word(const char *word, char escape, enum expand_mode mode, const char *want)
{
	auto_free char *got = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(expand_word(word, &scope, escape, mode, &got, &err), 0);
	assert_string_equal(got, want);
}

static void escapes_with_the_files_character(void **state)
{
	expect_word("C:\\$x`$x\"`\"\\\"", '`', EXPAND_WORD, "C:\\one$x\"\\");
	expect_word("${x#`*}", '`', EXPAND_WORD, "one");
}

static void leaves_quotes_in_heredocs(void **state)
{
	expect_word("it's \"$x\" '$x'\n\\$x \\n\n", '\\', EXPAND_HEREDOC,
		    "it's \"one\" 'one'\n$x n\n");
}

static void keeps_what_is_asked(void **state)
{
	expect_word("'a'\"b\"\\c", '\\', EXPAND_RAW_QUOTES, "'a'\"b\"c");
	expect_word("a\\b", '\\', EXPAND_RAW_ESCAPES, "a\\b");
	expect_word("$unset ${unset:-w} $x", '\\', EXPAND_SKIP_UNSET, "$unset ${unset:-w} one");
}

static void expect_words(const char *word, const char *want)
{
	auto_strlist struct strlist got = STRLIST_INIT;
	auto_strbuf struct strbuf joined = STRBUF_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(expand_words(word, &scope, '\\', EXPAND_WORD, &got, &err), 0);
	for (size_t i = 0; i < got.count; i++)
		strbuf_printf(&joined, "[%s]", got.items[i]);
	assert_string_equal(joined.data, want);
}

static void splits_after_expansion(void **state)
{
	expect_words("", "");
	expect_words("  a  b ", "[a][b]");
	expect_words("$two", "[a][b]");
	expect_words("x$two.", "[xa][b.]");
	expect_words("\"$two\" 'c d' e\\ f", "[a b][c d][e f]");
	expect_words("$unset '' $empty", "");
	expect_words("80${unset:-80} 9", "[8080][9]");
	expect_words("a\xc2\xa0"
		     "b",
		     "[a][b]");
	expect_words("<< a b", "[<< a][b]");
}

static const char *look_up(const char *name, void *data)
{
	return strcmp(name, data) == 0 ? "from the callback" : NULL;
}

static void asks_the_callback_first(void **state)
{
	char name[] = "x";
	struct expand_scope both = { .lookup = look_up, .data = name, .env = &env };
	auto_free char *got = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(expand_word("$x $xy", &both, '\\', EXPAND_WORD, &got, &err), 0);
	assert_string_equal(got, "from the callback xxyy");
}

static void notes_the_names(void **state)
{
	auto_strlist struct strlist used = STRLIST_INIT;
	auto_strlist struct strlist unset = STRLIST_INIT;
	struct expand_scope noting = { .env = &env, .used = &used, .unset = &unset };
	auto_free char *got = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(expand_word("$x${x}${unset:-$xy$gone}${empty+a}", &noting, '\\',
				     EXPAND_WORD, &got, &err),
			 0);
	assert_int_equal(used.count, 3);
	assert_true(strlist_has(&used, "x") && strlist_has(&used, "xy") &&
		    strlist_has(&used, "empty"));
	assert_int_equal(unset.count, 2);
	assert_true(strlist_has(&unset, "unset") && strlist_has(&unset, "gone"));
}

static void expands_pairs(void **state)
{
	auto_free char *key = NULL;
	auto_free char *value = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(expand_pair("k_$x", "\"$two\"", &scope, '\\', &key, &value, &err), 0);
	assert_string_equal(key, "k_one");
	assert_string_equal(value, "a b");
	free(ptr_steal(&key));
	free(ptr_steal(&value));

	assert_int_equal(expand_pair("k", NULL, &scope, '\\', &key, &value, &err), 0);
	assert_string_equal(key, "k");
	assert_null(value);

	assert_int_equal(expand_pair("$unset", "v", &scope, '\\', &key, &value, &err), -1);
	assert_string_equal(err.text, "the name '$unset' comes out empty");
}

static void bounds_depth_and_size(void **state)
{
	auto_strbuf struct strbuf deep = STRBUF_INIT;
	auto_strbuf struct strbuf long_env = STRBUF_INIT;
	auto_strbuf struct strbuf many = STRBUF_INIT;
	auto_strlist struct strlist big = STRLIST_INIT;
	struct expand_scope large = { .env = &big };
	auto_free char *got = NULL;
	struct err err = ERR_INIT;

	for (int i = 0; i < 20000; i++)
		strbuf_puts(&deep, "${a:-");
	assert_int_equal(expand_word(deep.data, &scope, '\\', EXPAND_WORD, &got, &err), -1);
	assert_non_null(strstr(err.text, "nested too deeply"));

	strbuf_puts(&long_env, "big=");
	for (int i = 0; i < 1 << 16; i++)
		strbuf_puts(&long_env, "0123456789abcdef");
	strlist_add(&big, long_env.data);
	for (int i = 0; i < 40; i++)
		strbuf_puts(&many, "$big");
	assert_int_equal(expand_word(many.data, &large, '\\', EXPAND_WORD, &got, &err), -1);
	assert_non_null(strstr(err.text, "the value is longer than 32 MiB"));
	assert_int_equal(expand_word("${big//?/$big}", &large, '\\', EXPAND_WORD, &got, &err), -1);
	assert_non_null(strstr(err.text, "a replacement gives more than"));
	/* many wildcards and no match: nothing is tried twice */
	assert_int_equal(expand_word("${big//0*1*2*3*4*5*6*7*8*9*a*b*c*d*e*g/-}", &large, '\\',
				     EXPAND_WORD, &got, &err),
			 0);
	assert_int_equal(strlen(got), 1 << 20);
}

static void words_are_counted(void **state)
{
	static const char word[] = "${a//?/ $a}";
	auto_strlist struct strlist words = STRLIST_INIT;
	auto_strbuf struct strbuf pair = STRBUF_INIT;
	auto_strlist struct strlist list = STRLIST_INIT;
	struct expand_scope blanks = { .env = &list };
	struct err err = ERR_INIT;

	strbuf_puts(&pair, "a=");
	for (size_t i = 0; i < 400; i++)
		strbuf_puts(&pair, "x ");
	strlist_add(&list, pair.data);
	assert_int_equal(expand_words(word, &blanks, '\\', EXPAND_WORD, &words, &err), -1);
	assert_non_null(strstr(err.text, "more than 65536 words come out"));
	assert_int_equal(words.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands_each_form),
		cmocka_unit_test(refuses_what_is_no_form),
		cmocka_unit_test(escapes_with_the_files_character),
		cmocka_unit_test(leaves_quotes_in_heredocs),
		cmocka_unit_test(keeps_what_is_asked),
		cmocka_unit_test(splits_after_expansion),
		cmocka_unit_test(asks_the_callback_first),
		cmocka_unit_test(notes_the_names),
		cmocka_unit_test(expands_pairs),
		cmocka_unit_test(bounds_depth_and_size),
		cmocka_unit_test(words_are_counted),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
