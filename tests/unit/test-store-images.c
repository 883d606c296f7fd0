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
	sql("PRAGMA user_version=2");
	expect_image("old", "linux/s390x", "s390x");
	store = open_store();
	assert_ok(origin_record(store, "oci:/d", &id, 1, &err));
	expect_places(store, &id, "oci:", "oci:/d");
	store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_open_upgrades_a_store_without_indexes),
		TEST(test_open_upgrades_a_store_without_places),
		TEST(test_a_name_moves_between_image_and_index),
		TEST(test_an_index_is_whole_or_gone),
		TEST(test_an_index_needs_all_its_parts),
		TEST(test_a_blob_has_places),
		TEST(test_places_go_with_the_blob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
