/* SPDX-License-Identifier: Apache-2.0 */
/* What a store knows of images, indexes and where blobs were seen, and that older stores get it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/blob.h"
#include "storage/gc.h"
#include "storage/image-index.h"
#include "storage/origin.h"
#include "tests/unit/store-scratch.h"

/* An image without layers for @architecture; its ID. */
static struct digest make_image(struct store *store, const char *architecture)
{
	auto_free char *config = str_format(
		"{\"architecture\":\"%s\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":[]}}",
		architecture);
	struct err err = ERR_INIT;
	struct digest id;

	assert_ok(image_put(store, config, strlen(config), NULL, 0, &id, &err));
	return id;
}

/* An index of an image for each of two platforms; its ID. */
static struct digest make_index(struct store *store)
{
	auto_platform struct platform amd64 = { .os = NULL };
	auto_platform struct platform arm64 = { .os = NULL };
	struct image_index_part parts[] = { { .platform = &amd64 }, { .platform = &arm64 } };
	const struct image_index_request request = { .parts = parts, .count = 2 };
	struct err err = ERR_INIT;
	struct digest id;

	assert_ok(platform_parse("linux/amd64", &amd64, &err));
	assert_ok(platform_parse("linux/arm64", &arm64, &err));
	parts[0].image_id = make_image(store, "amd64");
	parts[1].image_id = make_image(store, "arm64");
	assert_ok(image_index_make(store, &request, &id, &err));
	return id;
}

/* What @name means for @platform, or "" when it means nothing. */
static void expect_image(const char *name, const char *platform, const char *architecture)
{
	struct store *store = open_store();
	auto_platform struct platform wanted = { .os = NULL };
	auto_image struct image image = IMAGE_INIT;
	struct err err = ERR_INIT;
	bool found = false;

	assert_ok(platform_parse(platform, &wanted, &err));
	assert_ok(image_find(store, name, &wanted, &found, &image, &err));
	assert_string_equal(found ? image.config.platform.architecture : "", architecture);
	store_close(store);
}

static void test_open_upgrades_a_store_without_indexes(void **state)
{
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest id = make_image(store, "s390x");

	assert_ok(image_tag(store, &id, "old", &err));
	store_close(store);
	sql("DROP TABLE indexes");
	sql("DROP TABLE index_images");
	sql("DROP TABLE index_blobs");
	sql("DROP TABLE origins");
	sql("ALTER TABLE layers DROP COLUMN place");
	sql("ALTER TABLE images DROP COLUMN annotations");
	sql("ALTER TABLE mounts DROP COLUMN container");
	sql("PRAGMA user_version=1");
	expect_image("old", "linux/s390x", "s390x");
	store = open_store();
	id = make_index(store);
	assert_ok(image_tag(store, &id, "new", &err));
	store_close(store);
	expect_image("new", "linux/arm64", "arm64");
	expect_image("old", "linux/arm64", "s390x");
}

static void test_a_name_moves_between_image_and_index(void **state)
{
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest index = make_index(store);
	struct digest image = make_image(store, "s390x");

	assert_ok(image_tag(store, &image, "it", &err));
	expect_image("it", "linux/arm64", "s390x");
	assert_ok(image_tag(store, &index, "it", &err));
	expect_image("it", "linux/amd64", "amd64");
	assert_ok(image_tag(store, &image, "it", &err));
	expect_image("it", "linux/amd64", "s390x");
	store_close(store);
}

/* After a power cut an index that was not synced is gone; one that lacks a blob is none. */
static void test_an_index_is_whole_or_gone(void **state)
{
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest id = make_index(store);

	assert_ok(image_tag(store, &id, "named", &err));
	store_close(store);
	sql("UPDATE meta SET boot='another'");
	expect_image("named", "linux/arm64", "arm64");
	sql("DELETE FROM blobs WHERE digest IN (SELECT manifest FROM index_images)");
	sql("UPDATE meta SET boot='another'");
	expect_image("named", "linux/arm64", "");
}

static void test_an_index_needs_all_its_parts(void **state)
{
	const char *text = "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
			   "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:"
			   "0123456789012345678901234567890123456789012345678901234567890123\","
			   "\"size\":3}]}";
	const char *empty = "{\"schemaVersion\":2,\"manifests\":[]}";
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest id;

	assert_int_equal(image_index_put(store, text, strlen(text), &id, &err), -1);
	assert_error(&err, ERR_INPUT, "0123 of an index is not in the store");
	err_clear(&err);
	assert_int_equal(image_index_put(store, empty, strlen(empty), &id, &err), -1);
	assert_error(&err, ERR_INPUT, "it holds no image");
	store_close(store);
}

/* ---- where blobs were seen --------------------------------------------------- */

/* The places of @blob that begin with @prefix, in a line. */
static void expect_places(struct store *store, const struct digest *blob, const char *prefix,
			  const char *wanted)
{
	auto_strlist struct strlist places = STRLIST_INIT;
	auto_strbuf struct strbuf line = STRBUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(origin_list(store, blob, prefix, &places, &err));
	for (size_t i = 0; i < places.count; i++)
		strbuf_printf(&line, "%s%s", i ? " " : "", places.items[i]);
	assert_string_equal(line.len ? line.data : "", wanted);
}

static void test_a_blob_has_places(void **state)
{
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest blobs[2];

	assert_ok(blob_put(store, "one", 3, &blobs[0], &err));
	assert_ok(blob_put(store, "two", 3, &blobs[1], &err));
	assert_ok(origin_record(store, "docker://h:1/a", blobs, 2, &err));
	assert_ok(origin_record(store, "docker://h:12/b", blobs, 1, &err));
	assert_ok(origin_record(store, "oci:/d", blobs, 1, &err));
	expect_places(store, &blobs[0], "", "oci:/d docker://h:12/b docker://h:1/a");
	expect_places(store, &blobs[0], "docker://h:1/", "docker://h:1/a");
	expect_places(store, &blobs[1], "", "docker://h:1/a");
	/* seen again is seen last */
	assert_ok(origin_record(store, "docker://h:1/a", blobs, 1, &err));
	expect_places(store, &blobs[0], "", "docker://h:1/a oci:/d docker://h:12/b");
	assert_ok(origin_forget(store, &blobs[0], "oci:/d", &err));
	expect_places(store, &blobs[0], "", "docker://h:1/a docker://h:12/b");
	store_close(store);
}

static void test_places_go_with_the_blob(void **state)
{
	auto_prune_result struct prune_result result = PRUNE_RESULT_INIT;
	struct prune_options options = { .all = false };
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest id = make_image(store, "s390x");
	struct digest blob;

	assert_ok(image_tag(store, &id, "kept", &err));
	assert_ok(blob_put(store, "not needed", 10, &blob, &err));
	assert_ok(origin_record(store, "oci:/d", &blob, 1, &err));
	assert_ok(origin_record(store, "oci:/d", &id, 1, &err));
	store_close(store);
	store = open_store();
	assert_ok(store_prune(store, &options, &result, &err));
	expect_places(store, &blob, "", "");
	expect_places(store, &id, "", "oci:/d");
	store_close(store);
}

static void test_open_upgrades_a_store_without_places(void **state)
{
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest id = make_image(store, "s390x");

	assert_ok(image_tag(store, &id, "old", &err));
	store_close(store);
	sql("DROP TABLE origins");
	sql("ALTER TABLE layers DROP COLUMN place");
	sql("ALTER TABLE images DROP COLUMN annotations");
	sql("ALTER TABLE mounts DROP COLUMN container");
	sql("PRAGMA user_version=2");
	expect_image("old", "linux/s390x", "s390x");
	store = open_store();
	assert_ok(origin_record(store, "oci:/d", &id, 1, &err));
	expect_places(store, &id, "oci:", "oci:/d");
	store_close(store);
}

/* What the manifest of the image @id is to carry, one after the other. */
static void expect_annotations(struct store *store, const char *name, const char *want)
{
	auto_image struct image image = IMAGE_INIT;
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	auto_strlist struct strlist told = STRLIST_INIT;
	struct err err = ERR_INIT;

	assert_ok(image_get(store, name, NULL, &image, &err));
	assert_ok(image_manifest(store, &image, NULL, &bytes, &manifest, &err));
	for (size_t i = 0; i < manifest.annotations.count; i++)
		strbuf_printf(&got, "%s;", manifest.annotations.items[i]);
	assert_string_equal(got.data ? got.data : "", want);
	assert_ok(image_annotations(store, &image, &told, &err));
	strbuf_truncate(&got, 0);
	for (size_t i = 0; i < told.count; i++)
		strbuf_printf(&got, "%s;", told.items[i]);
	assert_string_equal(got.data ? got.data : "", want);
}

static void annotate(struct store *store, const struct digest *id, const char *one, const char *two)
{
	auto_strlist struct strlist annotations = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (one)
		strlist_add(&annotations, one);
	if (two)
		strlist_add(&annotations, two);
	assert_ok(image_annotate(store, id, &annotations, &err));
}

static void test_open_upgrades_a_store_without_annotations(void **state)
{
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest id = make_image(store, "s390x");

	assert_ok(image_tag(store, &id, "old", &err));
	store_close(store);
	sql("ALTER TABLE images DROP COLUMN annotations");
	sql("ALTER TABLE mounts DROP COLUMN container");
	sql("PRAGMA user_version=4");
	store = open_store();
	expect_annotations(store, "old", "");
	annotate(store, &id, "a=1", "b=2");
	store_close(store);
	store = open_store();
	expect_annotations(store, "old", "a=1;b=2;");
	store_close(store);
}

static void test_annotations_are_replaced_and_go_with_the_image(void **state)
{
	auto_image_removal struct image_removal removal = IMAGE_REMOVAL_INIT;
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest id = make_image(store, "s390x");

	assert_ok(image_tag(store, &id, "it", &err));
	annotate(store, &id, "a=1", "b=x\"\\=\xc3\xa4");
	expect_annotations(store, "it", "a=1;b=x\"\\=\xc3\xa4;");
	make_image(store, "s390x");
	expect_annotations(store, "it", "a=1;b=x\"\\=\xc3\xa4;");
	annotate(store, &id, "c=", NULL);
	expect_annotations(store, "it", "c=;");
	annotate(store, &id, NULL, NULL);
	expect_annotations(store, "it", "");
	annotate(store, &id, "c=", NULL);
	store_close(store);
	/* a new process: nothing of ours holds the image */
	store = open_store();
	assert_ok(image_remove(store, "it", false, &removal, &err));
	assert_true(removal.image_removed);
	id = make_image(store, "s390x");
	assert_ok(image_tag(store, &id, "it", &err));
	expect_annotations(store, "it", "");
	store_close(store);
}

/* The manifest that an image came with speaks until a build does, and when it comes again. */
static void test_annotations_and_a_manifest_that_was_there(void **state)
{
	struct store *store = open_store();
	auto_strbuf struct strbuf config = STRBUF_INIT;
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct digest id = make_image(store, "s390x");
	char name[DIGEST_NAME_MAX];

	assert_ok(blob_load(store, &id, CONFIG_MAX_BYTES, &config, &err));
	strbuf_printf(&bytes,
		      "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
		      "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[],"
		      "\"annotations\":{\"k\":\"v\"}}",
		      digest_name(&id, name), config.len);
	assert_ok(image_put(store, config.data, config.len, bytes.data, bytes.len, &id, &err));
	assert_ok(image_tag(store, &id, "it", &err));
	expect_annotations(store, "it", "k=v;");
	annotate(store, &id, NULL, NULL);
	expect_annotations(store, "it", "");
	annotate(store, &id, "k=w", NULL);
	expect_annotations(store, "it", "k=w;");
	assert_ok(image_put(store, config.data, config.len, bytes.data, bytes.len, &id, &err));
	expect_annotations(store, "it", "k=v;");
	annotate(store, &id, "k=w", NULL);
	strbuf_add(&bytes, "\n", 1);
	assert_ok(image_put(store, config.data, config.len, bytes.data, bytes.len, &id, &err));
	expect_annotations(store, "it", "k=v;");
	store_close(store);
}

/* What is damaged is said, and is not sent without. */
static void test_annotations_that_are_damaged(void **state)
{
	auto_image struct image image = IMAGE_INIT;
	struct store *store = open_store();
	struct err err = ERR_INIT;
	struct digest id = make_image(store, "s390x");

	assert_ok(image_tag(store, &id, "it", &err));
	annotate(store, &id, "a=1", NULL);
	store_close(store);
	sql("UPDATE images SET annotations='{\"manifest\":[]}'");
	store = open_store();
	assert_int_equal(image_get(store, "it", NULL, &image, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "the annotations of an image"));
	store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_open_upgrades_a_store_without_indexes),
		TEST(test_open_upgrades_a_store_without_places),
		TEST(test_open_upgrades_a_store_without_annotations),
		TEST(test_annotations_are_replaced_and_go_with_the_image),
		TEST(test_annotations_and_a_manifest_that_was_there),
		TEST(test_annotations_that_are_damaged),
		TEST(test_a_name_moves_between_image_and_index),
		TEST(test_an_index_is_whole_or_gone),
		TEST(test_an_index_needs_all_its_parts),
		TEST(test_a_blob_has_places),
		TEST(test_places_go_with_the_blob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
