/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf: what of TOML is read, and what it means for the name of an image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "registry/registries-conf.h"

static int parse(const char *text, struct registries_conf *conf, struct err *err)
{
	return registries_conf_parse(text, strlen(text), "conf", conf, err);
}

/* "HOST/REPO HOST/REPO!": '!' for insecure, '~' for a mirror. */
static char *locate(const char *text, const char *name, bool is_pull)
{
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	auto_registry_locations struct registry_locations found = { .items = NULL };
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (parse(text, &conf, &err) < 0)
		fail_msg("%s", err.text);
	if (image_ref_parse(name, &ref, &err) < 0)
		fail_msg("%s", err.text);
	if (registries_conf_locate(&conf, &ref, is_pull, &found, &err) < 0)
		return str_dup(err.text);
	for (size_t i = 0; i < found.count; i++)
		strbuf_printf(&out, "%s%s/%s%s%s", i ? " " : "", found.items[i].host,
			      found.items[i].repository, found.items[i].is_mirror ? "~" : "",
			      found.items[i].is_insecure ? "!" : "");
	return strbuf_steal(&out);
}

#define DIGEST "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const char rules[] =
	"# a comment\n"
	"unqualified-search-registries = [ 'docker.io' , ]\n"
	"short-name-mode = \"permissive\"\n"
	"[[registry]]\n"
	"location = \"a.io\"\n"
	"insecure = true # why\n"
	"[[registry.mirror]]\r\n"
	"location = \"m1.io:5000/x\"\n"
	"[[registry.mirror]]\n"
	"location = 'm2.io'\n"
	"insecure = true\n"
	"pull-from-mirror = \"digest-only\"\n"
	"[[registry]]\n"
	"prefix = \"a.io/team\"\n"
	"location = \"b.io/other/team/\"\n"
	"[[ registry ]]\n"
	"prefix = \"*.corp.io\"\n"
	"insecure = true\n"
	"[[registry]]\n"
	"prefix = \"evil.corp.io\"\n"
	"blocked = true\n"
	"[[registry]]\n"
	"prefix = \"docker.io\"\n"
	"mirror-by-digest-only = true\n"
	"[[registry.mirror]]\n"
	"location = \"mirror.io/hub\"\n";

static void the_longest_prefix_decides(void **state)
{
	static const char *const cases[][2] = {
		{ "a.io/x:1", "m1.io:5000/x/x~ a.io/x!" },
		{ "a.io/x" DIGEST, "m1.io:5000/x/x~ m2.io/x~! a.io/x!" },
		{ "a.io/team/app", "b.io/other/team/app" },
		{ "a.io/teams/app", "m1.io:5000/x/teams/app~ a.io/teams/app!" },
		{ "r.corp.io/x", "r.corp.io/x!" },
		{ "deep.r.corp.io/x", "deep.r.corp.io/x!" },
		{ "corp.io/x", "corp.io/x" },
		{ "evil.corp.io/x", "registries.conf blocks 'evil.corp.io'" },
		{ "debian", "docker.io/library/debian" },
		{ "debian" DIGEST, "mirror.io/hub/library/debian~ docker.io/library/debian" },
		{ "c.io/x", "c.io/x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *got = locate(rules, cases[i][0], true);

		assert_string_equal(got, cases[i][1]);
	}
}

static void a_push_goes_to_no_mirror(void **state)
{
	auto_free char *got = locate(rules, "a.io/x" DIGEST, false);

	assert_string_equal(got, "a.io/x!");
}

static void later_files_replace_what_they_name(void **state)
{
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(parse(rules, &conf, &err), 0);
	assert_int_equal(conf.rule_count, 5);
	assert_int_equal(parse("unqualified-search-registries = []\n[[registry]]\n"
			       "location = \"a.io\"\nblocked = true\n",
			       &conf, &err),
			 0);
	assert_int_equal(conf.rule_count, 5);
	assert_true(conf.rules[0].is_blocked);
	assert_int_equal(conf.rules[0].mirror_count, 0);
	assert_int_equal(conf.search.count, 0);
}

static char *short_name(const char *text, const char *name)
{
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	struct err err = ERR_INIT;
	char *out = NULL;

	assert_int_equal(parse(text, &conf, &err), 0);
	if (registries_conf_short_name(&conf, name, &out, &err) < 0)
		return str_dup(err.text);
	return out ? out : str_dup("-");
}

static void short_names_mean_what_is_said_of_them(void **state)
{
	static const char aliases[] = "unqualified-search-registries = [\"q.io\"]\n[aliases]\n"
				      "\"fedora\" = \"r.fedora.org/fedora\"\nub.i/x = \"no\"\n";
	static const char good[] = "unqualified-search-registries = [\"q.io\"]\n[aliases]\n"
				   "\"fedora\" = \"r.fedora.org/fedora\"\n"
				   "\"ubi/x\" = \"r.io/ubi/x\"\n\"gone\" = \"\"\n";
	static const char *const cases[][2] = {
		{ "fedora", "r.fedora.org/fedora" },
		{ "fedora:40", "r.fedora.org/fedora:40" },
		{ "fedora:40" DIGEST, "r.fedora.org/fedora:40" DIGEST },
		{ "ubi/x:1", "r.io/ubi/x:1" },
		{ "gone", "q.io/gone" },
		{ "b/c:1", "q.io/b/c:1" },
		{ "localhost/fedora", "-" },
		{ "h:5000/fedora", "-" },
		{ "docker.io/library/fedora", "-" },
	};
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	auto_free char *two = short_name("unqualified-search-registries = [\"a.io\",\n 'b.io']", "x");
	auto_free char *hub = short_name("unqualified-search-registries = ['docker.io']", "x:1");
	auto_free char *none = short_name("", "x");
	struct err err = ERR_INIT;

	assert_int_equal(parse(aliases, &conf, &err), -1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *got = short_name(good, cases[i][0]);

		assert_string_equal(got, cases[i][1]);
	}
	assert_string_equal(two, "'x' is a short name of several registries; write one: a.io/x, b.io/x");
	assert_string_equal(hub, "docker.io/library/x:1");
	assert_string_equal(none, "-");
}

static void strings_have_escapes(void **state)
{
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	struct err err = ERR_INIT;

	if (parse("[aliases]\n\"\\u0061\\U00000062\" = \"r.io/\\u0078\"\n'c\\' = 'r.io/y'\n", &conf,
		  &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(conf.aliases.items[0], "ab=r.io/x");
	assert_string_equal(conf.aliases.items[1], "c\\=r.io/y");
}

static void what_is_not_read_is_said_with_its_line(void **state)
{
	static const char *const cases[][2] = {
		{ "\n\nx", "conf:3: 'x' needs '=' behind it" },
		{ "x = 1.5", "conf:1: x: a string, a list" },
		{ "x = 1979-05-27", "conf:1: x: a string, a list" },
		{ "x = {a = 1}", "conf:1: x: inline tables" },
		{ "x.y = 1", "conf:1: keys with dots" },
		{ "x = \"\"\"a\"\"\"", "conf:1: x: strings over several lines" },
		{ "x = [1, 2]", "conf:1: x: only lists of strings" },
		{ "x = ['a' 'b']", "conf:1: x: a list needs ','" },
		{ "x = ['a', ", "conf:1: x: only lists of strings" },
		{ "x = \"a", "conf:1: x: a string has no end" },
		{ "x = \"\\q\"", "conf:1: x: an unknown escape" },
		{ "x = \"\\ud800\"", "conf:1: x: an escape that is no character" },
		{ "x = 1 y", "conf:1: the line goes on" },
		{ "x = 1\nx = 2", "conf:2: 'x' is there twice" },
		{ "[a]\n[a]", "conf:2: [a] is there twice" },
		{ "[a", "conf:1: a table's name needs ']'" },
		{ "= 1", "conf:1: a key or a [table]" },
		{ "[registry]", "conf:1: write [[registry]]" },
		{ "[[registry.mirror]]", "conf:1: there is no [[registry]]" },
		{ "[registries.search]", "conf:1: [registries.search] is the form of version 1" },
		{ "[[registry]]", "conf: a [[registry]] has neither prefix nor location" },
		{ "[[registry]]\nlocation = 'http://x'", "conf:2: 'location' is written HOST" },
		{ "[[registry]]\nlocation = ''", "conf:2: 'location' is empty" },
		{ "[[registry]]\ninsecure = 'yes'", "conf:2: 'insecure' is a string, not true or false" },
		{ "[[registry]]\nprefix = 'a.*.io'", "conf: the prefix 'a.*.io' is not of the form" },
		{ "[[registry]]\nprefix = 'a'\n[[registry.mirror]]", "conf: a mirror of 'a' has no location" },
		{ "[[registry]]\nprefix = 'a'\n[[registry.mirror]]\nlocation = 'b'\npull-from-mirror = 'x'",
		  "conf:5: 'pull-from-mirror' is all, digest-only or tag-only" },
		{ "[aliases]\na = 'b.io/c:1'", "conf:2: an alias is for a name without tag" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(parse(cases[i][0], &conf, &err), -1);
		assert_int_equal(err.kind, ERR_INPUT);
		if (strncmp(err.text, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s: %s", cases[i][0], err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_decides),
		cmocka_unit_test(a_push_goes_to_no_mirror),
		cmocka_unit_test(later_files_replace_what_they_name),
		cmocka_unit_test(short_names_mean_what_is_said_of_them),
		cmocka_unit_test(strings_have_escapes),
		cmocka_unit_test(what_is_not_read_is_said_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
