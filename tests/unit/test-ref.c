/* SPDX-License-Identifier: Apache-2.0 */
/* Image names: what they mean, how they are written, which are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/mem.h"
#include "layers/ref.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const struct {
	const char *text;
	const char *full;
	const char *familiar;
} good[] = {
	{ "debian", "docker.io/library/debian:latest", "debian:latest" },
	{ "debian:12", "docker.io/library/debian:12", "debian:12" },
	{ "library/debian", "docker.io/library/debian:latest", "debian:latest" },
	{ "docker.io/debian", "docker.io/library/debian:latest", "debian:latest" },
	{ "index.docker.io/me/x", "docker.io/me/x:latest", "me/x:latest" },
	{ "me/x", "docker.io/me/x:latest", "me/x:latest" },
	{ "localhost/bb", "localhost/bb:latest", "localhost/bb:latest" },
	{ "localhost:5000", "docker.io/library/localhost:5000", "localhost:5000" },
	{ "localhost:5000/bb", "localhost:5000/bb:latest", "localhost:5000/bb:latest" },
	{ "127.0.0.1:5005/a/b/c:t", "127.0.0.1:5005/a/b/c:t", "127.0.0.1:5005/a/b/c:t" },
	{ "[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest" },
	{ "ghcr.io/a.b/c_d/e__f/g--h:V1.0_x-y", "ghcr.io/a.b/c_d/e__f/g--h:V1.0_x-y",
	  "ghcr.io/a.b/c_d/e__f/g--h:V1.0_x-y" },
	{ "Host/x", "Host/x:latest", "Host/x:latest" },
	{ "x@sha256:" HEX, "docker.io/library/x@sha256:" HEX, "x@sha256:" HEX },
	{ "x:t@sha256:" HEX, "docker.io/library/x:t@sha256:" HEX, "x:t@sha256:" HEX },
	{ "docker.io/ghcr.io/x", "docker.io/ghcr.io/x:latest", "docker.io/ghcr.io/x:latest" },
	{ "docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest" },
};

static const struct {
	const char *text;
	const char *error;
} bad[] = {
	{ "", "the image name is empty" },
	{ "Debian", "'Debian' is not an image name: it must be lower case" },
	{ "a b", "words of a-z and 0-9" },
	{ "/a", "words of" },
	{ "a/", "words of" },
	{ "a//b", "words of" },
	{ "../x", "'..' is no host" },
	{ "a/../b", "words of" },
	{ "a/./b", "words of" },
	{ "a..b", "words of" },
	{ "a___b", "words of" },
	{ "-a", "words of" },
	{ "a-", "words of" },
	{ "a:", "'' is no tag" },
	{ "a:.t", "'.t' is no tag" },
	{ "a:t:u/x", "'a:t:u' is no host" },
	{ "host.:5/x", "'host.:5' is no host" },
	{ "-h.io/x", "'-h.io' is no host" },
	{ "h.io:/x", "'h.io:' is no host" },
	{ "h.io:123456/x", "is no host" },
	{ "[::1/x", "'[::1' is no host" },
	{ "a@sha256:12", "image name 'a@sha256:12': 'sha256:12' is not a digest" },
	{ "a@sha512:" HEX, "is not a sha256 digest" },
	{ "a@sha256:" HEX "/../x", "is not a digest" },
	{ HEX, "64 hex digits are an image ID" },
};

static char *format(const struct image_ref *ref,
		    void (*fn)(const struct image_ref *ref, struct strbuf *out))
{
	struct strbuf out = STRBUF_INIT;

	fn(ref, &out);
	return strbuf_steal(&out);
}

static void names_mean_what_docker_takes_them_for(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
		auto_free char *full = NULL;
		auto_free char *familiar = NULL;
		struct err err = ERR_INIT;

		if (image_ref_parse(good[i].text, &ref, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		full = format(&ref, image_ref_format);
		familiar = format(&ref, image_ref_format_familiar);
		assert_string_equal(full, good[i].full);
		assert_string_equal(familiar, good[i].familiar);
	}
}

static void both_forms_mean_the_same_again(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *forms[] = { good[i].full, good[i].familiar };

		for (size_t k = 0; k < 2; k++) {
			auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
			auto_free char *again = NULL;
			struct err err = ERR_INIT;

			if (image_ref_parse(forms[k], &ref, &err) < 0)
				fail_msg("%s: %s", forms[k], err.text);
			again = format(&ref, image_ref_format);
			assert_string_equal(again, good[i].full);
		}
	}
}

static void what_is_no_name_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct image_ref ref = IMAGE_REF_INIT;
		struct err err = ERR_INIT;

		if (image_ref_parse(bad[i].text, &ref, &err) == 0)
			fail_msg("'%s' was taken", bad[i].text);
		assert_int_equal(err.kind, ERR_INPUT);
		if (!strstr(err.text, bad[i].error))
			fail_msg("'%s': %s", bad[i].text, err.text);
		assert_null(ref.host);
	}
}

static void name_and_tag_have_their_greatest_length(void **state)
{
	char name[400];
	struct err err = ERR_INIT;
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_image_ref struct image_ref other = IMAGE_REF_INIT;

	memset(name, 'a', sizeof(name));
	memcpy(name, "h.io/", 5);
	name[255] = '\0';
	assert_int_equal(image_ref_parse(name, &ref, &err), 0);
	name[255] = 'a';
	name[256] = '\0';
	assert_int_equal(image_ref_parse(name, &other, &err), -1);
	assert_non_null(strstr(err.text, "longer than 255 bytes"));

	name[128] = '\0';
	assert_true(image_ref_is_tag(name + 5));
	memset(name, 'T', 129);
	name[129] = '\0';
	assert_false(image_ref_is_tag(name));
	assert_true(image_ref_is_tag(name + 1));
	assert_false(image_ref_is_tag("-x"));
	assert_false(image_ref_is_tag("a/b"));
	assert_true(image_ref_is_tag("_1.2-3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_mean_what_docker_takes_them_for),
		cmocka_unit_test(both_forms_mean_the_same_again),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(name_and_tag_have_their_greatest_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
