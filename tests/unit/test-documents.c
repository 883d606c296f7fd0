/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests, indexes and configs from tests/fixtures/documents. Of a file
 * good-KIND-….json the digest of what we write for it stands in ….digest; of a
 * bad-KIND-….json a part of the error in ….error.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/config.h"
#include "layers/manifest.h"

static char *fixture_directory(void)
{
	const char *source = getenv("top_srcdir");

	return str_format("%s/tests/fixtures/documents", source ? source : ".");
}

static void load(const char *name, const char *extension, struct strbuf *out)
{
	auto_free char *directory = fixture_directory();
	auto_free char *path = str_format("%s/%s%s", directory, name, extension);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err err = ERR_INIT;

	if (fd < 0)
		fail_msg("%s: cannot be opened", path);
	if (fd_read_all(fd, 8 << 20, out, path, &err) < 0)
		fail_msg("%s", err.text);
}

/* Parse by the kind in the name and write it again. */
static int convert(const char *name, const struct strbuf *data, struct strbuf *out, struct err *err)
{
	auto_free char *what = str_format("%s.json", name);
	const char *kind = strchr(name, '-') + 1;

	if (strncmp(kind, "config-", 7) == 0) {
		auto_image_config struct image_config config = { .created = NULL };
		auto_image_config struct image_config copy = { .created = NULL };

		if (image_config_parse(data->data, data->len, what, &config, err) < 0)
			return -1;
		image_config_copy(&copy, &config);
		image_config_format(&copy, out);
		return 0;
	}
	if (strncmp(kind, "manifest-", 9) == 0) {
		auto_manifest struct manifest manifest = { .layers = NULL };

		if (manifest_parse(data->data, data->len, NULL, what, &manifest, err) < 0)
			return -1;
		manifest_format(&manifest, out);
		return 0;
	}
	if (strncmp(kind, "index-", 6) == 0) {
		auto_index struct index index = { .manifests = NULL };

		if (index_parse(data->data, data->len, NULL, what, &index, err) < 0)
			return -1;
		index_format(&index, out);
		return 0;
	}
	fail_msg("fixture %s has no known kind", name);
	return -1;
}

static void check_good(const char *name)
{
	auto_strbuf struct strbuf data = STRBUF_INIT;
	auto_strbuf struct strbuf want = STRBUF_INIT;
	auto_strbuf struct strbuf once = STRBUF_INIT;
	auto_strbuf struct strbuf twice = STRBUF_INIT;
	struct digest digest;
	char text[DIGEST_NAME_MAX];
	struct err err = ERR_INIT;

	load(name, ".json", &data);
	if (convert(name, &data, &once, &err) < 0)
		fail_msg("%s", err.text);
	if (convert(name, &once, &twice, &err) < 0)
		fail_msg("%s again: %s", name, err.text);
	assert_string_equal(twice.data, once.data);
	load(name, ".digest", &want);
	digest_of(once.data, once.len, &digest);
	digest_name(&digest, text);
	if (strncmp(want.data, text, strlen(text)) != 0)
		fail_msg("%s: %s: %s", name, text, once.data);
}

static void check_bad(const char *name)
{
	auto_strbuf struct strbuf data = STRBUF_INIT;
	auto_strbuf struct strbuf want = STRBUF_INIT;
	auto_strbuf struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;

	load(name, ".json", &data);
	load(name, ".error", &want);
	assert_true(want.len > 1);
	strbuf_truncate(&want, want.len - 1);
	if (convert(name, &data, &out, &err) == 0)
		fail_msg("%s was taken", name);
	assert_int_equal(err.kind, ERR_INPUT);
	if (!strstr(err.text, want.data))
		fail_msg("%s: '%s' is not in: %s", name, want.data, err.text);
}

static size_t for_each(const char *prefix, void (*check)(const char *name))
{
	auto_free char *path = fixture_directory();
	DIR *directory = opendir(path);
	size_t count = 0;

	if (!directory)
		fail_msg("%s: cannot be opened", path);
	for (struct dirent *entry; (entry = readdir(directory));) {
		size_t len = strlen(entry->d_name);
		auto_free char *name = NULL;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || len < 5 ||
		    strcmp(entry->d_name + len - 5, ".json") != 0)
			continue;
		name = str_ndup(entry->d_name, len - 5);
		check(name);
		count++;
	}
	closedir(directory);
	return count;
}

static void good_documents_give_known_digests(void **state)
{
	assert_true(for_each("good-", check_good) >= 13);
}

static void bad_documents_are_refused_with_their_error(void **state)
{
	assert_true(for_each("bad-", check_bad) >= 47);
}

/* ---- what the fixtures cannot say ---- */

#define ZERO_DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define MANIFEST_TEXT(config_type, layer_type)                                                   \
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" config_type                          \
	"\",\"digest\":\"" ZERO_DIGEST "\",\"size\":1},\"layers\":[{\"mediaType\":\"" layer_type \
	"\",\"digest\":\"" ZERO_DIGEST "\",\"size\":1}]}"

static void the_announced_media_type_must_be_the_documents(void **state)
{
	static const char data[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}";
	static const struct {
		const char *announced;
		const char *error; /* NULL: taken */
	} rows[] = {
		{ NULL, NULL },
		{ MEDIA_OCI_INDEX, NULL },
		{ MEDIA_OCI_INDEX "; charset=utf-8", NULL },
		{ "application/json", NULL },
		{ "text/plain; charset=utf-8", NULL },
		{ MEDIA_OCI_MANIFEST, "but it was announced as" },
		{ MEDIA_DOCKER_LIST, "but it was announced as" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum media_kind kind = MEDIA_UNKNOWN;
		struct err err = ERR_INIT;
		int result =
			manifest_detect(data, strlen(data), rows[i].announced, "it", &kind, &err);

		assert_int_equal(result, rows[i].error ? -1 : 0);
		if (rows[i].error)
			assert_non_null(strstr(err.text, rows[i].error));
		else
			assert_int_equal(kind, MEDIA_INDEX);
	}
}

static void a_document_beyond_the_limit_is_refused(void **state)
{
	size_t len = MANIFEST_MAX_BYTES + 1;
	auto_free char *data = mem_alloc(len);
	struct manifest manifest;
	struct image_config config;
	struct err err = ERR_INIT;

	memset(data, ' ', len);
	assert_int_equal(manifest_parse(data, len, NULL, "it", &manifest, &err), -1);
	assert_string_equal(err.text, "it has more than 4194304 bytes");
	err_clear(&err);
	assert_int_equal(image_config_parse(data, len, "it", &config, &err), -1);
	assert_string_equal(err.text, "it has more than 4194304 bytes");
}

static void a_manifest_has_4096_layers_at_most(void **state)
{
	auto_manifest struct manifest many = { .layers = NULL };
	auto_manifest struct manifest read = { .layers = NULL };
	auto_descriptor struct descriptor layer = { .media_type = NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	static const struct digest digest;
	struct err err = ERR_INIT;

	descriptor_set(&many.config, MEDIA_OCI_CONFIG, &digest, 1);
	descriptor_set(&layer, MEDIA_OCI_LAYER, &digest, 1);
	for (int i = 0; i < MANIFEST_MAX_LAYERS; i++)
		manifest_add_layer(&many, &layer);
	manifest_format(&many, &text);
	assert_int_equal(manifest_parse(text.data, text.len, NULL, "it", &read, &err), 0);
	assert_int_equal(read.layer_count, MANIFEST_MAX_LAYERS);

	manifest_add_layer(&many, &layer);
	strbuf_truncate(&text, 0);
	manifest_format(&many, &text);
	manifest_release(&read);
	assert_int_equal(manifest_parse(text.data, text.len, NULL, "it", &read, &err), -1);
	assert_string_equal(err.text, "it has more than 4096 entries");
}

static void an_artifact_is_no_image(void **state)
{
	static const struct {
		const char *data;
		const char *error; /* NULL: an image */
	} rows[] = {
		{ MANIFEST_TEXT(MEDIA_OCI_CONFIG, MEDIA_OCI_LAYER), NULL },
		{ MANIFEST_TEXT(MEDIA_DOCKER_CONFIG, MEDIA_DOCKER_LAYER_GZIP), NULL },
		{ MANIFEST_TEXT("application/vnd.cncf.helm.config.v1+json", MEDIA_OCI_LAYER),
		  "its config has the media type 'application/vnd.cncf.helm.config.v1+json'" },
		{ MANIFEST_TEXT(MEDIA_OCI_CONFIG, "application/vnd.in-toto+json"),
		  "layer 1 has the media type 'application/vnd.in-toto+json'" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_manifest struct manifest manifest = { .layers = NULL };
		struct err err = ERR_INIT;

		assert_int_equal(manifest_parse(rows[i].data, strlen(rows[i].data), NULL, "it",
						&manifest, &err),
				 0);
		assert_int_equal(manifest_check_image(&manifest, "it", &err),
				 rows[i].error ? -1 : 0);
		if (rows[i].error)
			assert_non_null(strstr(err.text, rows[i].error));
	}
}

/* An index with one entry for each platform word; "-" has none, "!" is an attestation. */
static void make_index(const char *const *words, struct index *out)
{
	struct err err = ERR_INIT;

	for (; *words; words++) {
		auto_descriptor struct descriptor entry = { .media_type = NULL };
		static const struct digest digest;

		descriptor_set(&entry, MEDIA_OCI_MANIFEST, &digest, 1);
		if (**words == '!')
			strlist_add(&entry.annotations,
				    "vnd.docker.reference.type=attestation-manifest");
		if (**words != '!' && **words != '-') {
			entry.has_platform = true;
			assert_int_equal(platform_parse(*words, &entry.platform, &err), 0);
		}
		index_add(out, &entry);
	}
}

static void an_index_gives_the_entry_that_serves_best(void **state)
{
	static const struct {
		const char *want;
		const char *const words[6];
		int position;
		const char *error;
	} rows[] = {
		{ "linux/amd64", { "linux/arm64", "linux/amd64", "linux/amd64" }, 1, NULL },
		{ "linux/arm/v6", { "linux/arm/v7", "linux/arm/v5", "linux/arm/v6" }, 2, NULL },
		{ "linux/amd64", { "!", "-", "linux/arm64" }, 1, NULL },
		{ "linux/amd64", { "-", "linux/amd64" }, 1, NULL },
		{ "linux/amd64",
		  { "!", "unknown/unknown", "linux/arm64", "windows/amd64" },
		  -1,
		  "it has no image for linux/amd64; there are: linux/arm64, windows/amd64" },
		{ "linux/amd64", { "!", "unknown/unknown" }, -1, "it holds no image" },
		{ "unknown/unknown", { "unknown/unknown" }, -1, "it holds no image" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_index struct index index = { .manifests = NULL };
		auto_platform struct platform want = { .os = NULL };
		struct err err = ERR_INIT;
		size_t position = 99;
		int result;

		make_index(rows[i].words, &index);
		assert_int_equal(platform_parse(rows[i].want, &want, &err), 0);
		result = index_choose(&index, &want, "it", &position, &err);
		assert_int_equal(result, rows[i].error ? -1 : 0);
		if (rows[i].error)
			assert_string_equal(err.text, rows[i].error);
		else
			assert_int_equal(position, rows[i].position);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_documents_give_known_digests),
		cmocka_unit_test(bad_documents_are_refused_with_their_error),
		cmocka_unit_test(the_announced_media_type_must_be_the_documents),
		cmocka_unit_test(a_document_beyond_the_limit_is_refused),
		cmocka_unit_test(a_manifest_has_4096_layers_at_most),
		cmocka_unit_test(an_artifact_is_no_image),
		cmocka_unit_test(an_index_gives_the_entry_that_serves_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
