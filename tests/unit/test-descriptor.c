/* SPDX-License-Identifier: Apache-2.0 */
/* Media types, and platforms: reading, writing, which serves which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/mem.h"
#include "layers/descriptor.h"
#include "layers/pairs.h"

static const struct {
	const char *text;
	const char *formatted;
} platforms[] = {
	{ "linux/amd64", "linux/amd64" },
	{ "Linux/X86_64", "linux/amd64" },
	{ "amd64", "linux/amd64" },
	{ "linux/amd64/v1", "linux/amd64" },
	{ "linux/amd64/v3", "linux/amd64/v3" },
	{ "aarch64", "linux/arm64" },
	{ "linux/arm64/v8", "linux/arm64" },
	{ "linux/arm/v7", "linux/arm/v7" },
	{ "linux/arm/7", "linux/arm/v7" },
	{ "linux/armhf", "linux/arm/v7" },
	{ "armel", "linux/arm/v6" },
	{ "i686", "linux/386" },
	{ "windows/amd64", "windows/amd64" },
	{ "linux/newarch", "linux/newarch" },
};

static const struct {
	const char *text;
	const char *error;
} bad_platforms[] = {
	{ "", "'' is not a platform" },
	{ "linux/", "'linux/' is not a platform" },
	{ "linux/a/b/c", "os/architecture/variant at most" },
	{ "linux/a b", "is not a platform" },
	{ "frobnix", "neither an operating system nor an architecture" },
};

static void platforms_are_read_and_written(void **state)
{
	for (size_t i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++) {
		auto_platform struct platform platform = { .os = NULL };
		auto_strbuf struct strbuf out = STRBUF_INIT;
		struct err err = ERR_INIT;

		if (platform_parse(platforms[i].text, &platform, &err) < 0)
			fail_msg("%s", err.text);
		platform_format(&platform, &out);
		assert_string_equal(out.data, platforms[i].formatted);
	}
}

static void what_is_no_platform_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(bad_platforms) / sizeof(bad_platforms[0]); i++) {
		struct platform platform = { .os = NULL };
		struct err err = ERR_INIT;

		if (platform_parse(bad_platforms[i].text, &platform, &err) == 0)
			fail_msg("'%s' was taken", bad_platforms[i].text);
		assert_int_equal(err.kind, ERR_INPUT);
		if (!strstr(err.text, bad_platforms[i].error))
			fail_msg("'%s': %s", bad_platforms[i].text, err.text);
	}
}

static void this_machine_is_linux(void **state)
{
	auto_platform struct platform host = { .os = NULL };
	auto_platform struct platform same = { .os = NULL };
	struct err err = ERR_INIT;

	platform_host(&host);
	assert_string_equal(host.os, "linux");
	assert_int_equal(platform_parse("linux", &same, &err), 0);
	assert_int_equal(platform_match(&same, &host), 100);
}

/* What is asked, then what there is, best first; what does not serve follows after "|". */
static const char *const orders[] = {
	"linux/amd64: linux/amd64 | linux/amd64/v2 linux/arm64 windows/amd64 linux/386",
	"linux/amd64/v3: linux/amd64/v3 linux/amd64/v2 linux/amd64 | linux/amd64/v4",
	"linux/arm/v7: linux/arm/v7 linux/arm/v6 linux/arm/v5 linux/arm | linux/arm/v8 linux/arm64",
	"linux/arm/v6: linux/arm/v6 linux/arm/v5 linux/arm | linux/arm/v7",
	"linux/arm: linux/arm linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5 | linux/arm64",
	"linux/arm64: linux/arm64 | linux/arm64/v9 linux/arm/v7",
	"linux/arm64/v9: linux/arm64/v9 linux/arm64 | linux/amd64",
	"linux/riscv64: linux/riscv64 | linux/riscv64/rva23u64",
	"linux/riscv64/rva23u64: linux/riscv64/rva23u64 linux/riscv64 | linux/amd64",
};

static void check_order(const char *line)
{
	auto_free char *copy = str_dup(line);
	auto_platform struct platform want = { .os = NULL };
	struct err err = ERR_INIT;
	char *rest = copy;
	int before = INT32_MAX;
	bool serves = true;

	assert_int_equal(platform_parse(strsep(&rest, ":"), &want, &err), 0);
	for (char *word; (word = strsep(&rest, " "));) {
		auto_platform struct platform have = { .os = NULL };
		int score;

		if (word[0] == '\0')
			continue;
		if (word[0] == '|') {
			serves = false;
			continue;
		}
		assert_int_equal(platform_parse(word, &have, &err), 0);
		score = platform_match(&want, &have);
		if (serves ? score < 0 || score >= before : score != -1)
			fail_msg("%s: score %d of %s", line, score, word);
		before = score;
	}
}

static void the_best_platform_has_the_highest_score(void **state)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		check_order(orders[i]);
}

static void an_image_that_says_arm64_v8_serves_arm64(void **state)
{
	struct platform want = { .os = (char[]){ "linux" }, .architecture = (char[]){ "arm64" } };
	struct platform have = want;

	have.variant = (char[]){ "v8" };
	assert_true(platform_match(&want, &have) >= 0);
	assert_true(platform_match(&have, &want) >= 0);
}

static void media_types_have_their_kind(void **state)
{
	assert_int_equal(media_kind_of(MEDIA_OCI_MANIFEST), MEDIA_MANIFEST);
	assert_int_equal(media_kind_of(MEDIA_DOCKER_LIST), MEDIA_INDEX);
	assert_int_equal(media_kind_of(MEDIA_DOCKER_CONFIG), MEDIA_CONFIG);
	assert_int_equal(media_kind_of(MEDIA_DOCKER_LAYER_ZSTD), MEDIA_LAYER);
	assert_int_equal(media_kind_of("application/vnd.oci.empty.v1+json"), MEDIA_UNKNOWN);
	assert_int_equal(media_kind_of(""), MEDIA_UNKNOWN);
}

static void pairs_are_sorted_by_key(void **state)
{
	auto_strlist struct strlist pairs = STRLIST_INIT;

	strlist_add(&pairs, "b=1");
	strlist_add(&pairs, "a-b=x");
	strlist_add(&pairs, "a=1");
	strlist_add(&pairs, "b=2");
	strlist_add(&pairs, "a=2=3");
	pairs_sort(&pairs);
	assert_int_equal(pairs.count, 3);
	assert_string_equal(pairs.items[0], "a=2=3");
	assert_string_equal(pairs.items[1], "a-b=x");
	assert_string_equal(pairs.items[2], "b=2");
	assert_null(pairs.items[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(platforms_are_read_and_written),
		cmocka_unit_test(what_is_no_platform_is_refused),
		cmocka_unit_test(this_machine_is_linux),
		cmocka_unit_test(the_best_platform_has_the_highest_score),
		cmocka_unit_test(an_image_that_says_arm64_v8_serves_arm64),
		cmocka_unit_test(media_types_have_their_kind),
		cmocka_unit_test(pairs_are_sorted_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
