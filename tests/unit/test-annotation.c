/* SPDX-License-Identifier: Apache-2.0 */
/* What --annotation takes, for what it is, and what it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/annotation.h"
#include "common/mem.h"
#include "common/strbuf.h"

/* For linux/amd64 and, when there are to be @count 2, linux/arm64. */
static void for_platforms(size_t count, struct platforms *out)
{
	auto_strlist struct strlist texts = STRLIST_INIT;
	struct err err = ERR_INIT;

	strlist_add(&texts, count > 1 ? "linux/amd64,linux/arm64" : "linux/amd64");
	assert_int_equal(platforms_parse(&texts, out, &err), 0);
}

static void expect(const struct annotations *annotations, enum annotation_place place,
		   const struct platform *platform, const char *want)
{
	auto_strlist struct strlist got = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	annotations_pick(annotations, place, platform, &got);
	for (size_t i = 0; i < got.count; i++)
		strbuf_printf(&text, "%s;", got.items[i]);
	assert_string_equal(text.data ? text.data : "", want);
}

static void test_places_and_platforms(void **state)
{
	static const char *const given[] = {
		"b=2",
		"a=1:x=y",
		"b=3",
		"manifest:c:d=",
		"manifest[linux/arm64]:a=arm",
		"index,manifest-descriptor[linux/amd64]:both=1",
		"index:a=i",
	};
	auto_platforms struct platforms platforms = PLATFORMS_INIT;
	auto_annotations struct annotations annotations = ANNOTATIONS_INIT;
	auto_strlist struct strlist texts = STRLIST_INIT;
	struct err err = ERR_INIT;

	(void)state;
	for_platforms(2, &platforms);
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		strlist_add(&texts, given[i]);
	assert_int_equal(annotations_parse(&texts, &platforms, &annotations, &err), 0);
	expect(&annotations, ANNOTATION_MANIFEST, &platforms.targets[0], "a=1:x=y;b=3;c:d=;");
	expect(&annotations, ANNOTATION_MANIFEST, &platforms.targets[1], "a=arm;b=3;c:d=;");
	expect(&annotations, ANNOTATION_DESCRIPTOR, &platforms.targets[0], "both=1;");
	expect(&annotations, ANNOTATION_DESCRIPTOR, &platforms.targets[1], "");
	expect(&annotations, ANNOTATION_INDEX, NULL, "a=i;both=1;");
}

static void test_what_is_none(void **state)
{
	static const struct {
		size_t platforms;
		const char *text;
		const char *want;
	} cases[] = {
		{ 1, "", "is not KEY=VALUE" },
		{ 1, "x", "is not KEY=VALUE" },
		{ 1, "=v", "has no key" },
		{ 1, "manifest:=v", "has no key" },
		{ 1, ":k=v", "not ''" },
		{ 1, "layer:k=v", "not 'layer'" },
		{ 1, "index-descriptor:k=v", "not 'index-descriptor'" },
		{ 1, "manifest,:k=v", "not ''" },
		{ 1, "manifest[linux/amd64:k=v", "has no ']'" },
		{ 1, "manifest[]:k=v", "is not a platform" },
		{ 1, "manifest[linux/amd64]]:k=v", "is not a platform" },
		{ 1, "manifest[linux/arm64]:k=v", "nothing is built for 'linux/arm64'" },
		{ 1, "index:k=v", "name several with --platform" },
		{ 1, "manifest-descriptor:k=v", "name several with --platform" },
		{ 2, "index[linux/amd64]:k=v", "not of one platform" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_platforms struct platforms platforms = PLATFORMS_INIT;
		auto_annotations struct annotations annotations = ANNOTATIONS_INIT;
		auto_strlist struct strlist texts = STRLIST_INIT;
		struct err err = ERR_INIT;

		for_platforms(cases[i].platforms, &platforms);
		strlist_add(&texts, cases[i].text);
		assert_int_equal(annotations_parse(&texts, &platforms, &annotations, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_non_null(strstr(err.text, "--annotation '"));
		assert_non_null(strstr(err.text, cases[i].want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_and_platforms),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
