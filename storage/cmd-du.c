/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore du: what the store takes on its disk, and for whom. */
#include <stdio.h>

#include "common/mem.h"
#include "storage/cmd-internal.h"
#include "storage/image-internal.h"
#include "storage/usage.h"

struct part {
	const char *key;
	const char *text;
	uint64_t bytes;
};

#define PART_COUNT 10

static void list_parts(const struct usage *usage, struct part out[PART_COUNT])
{
	const struct part parts[PART_COUNT] = {
		{ "ImagesOwn", "images, their own", usage->own_bytes },
		{ "ImagesShared", "images, shared", usage->shared_bytes },
		{ "BuildCache", "build cache", usage->cache_bytes },
		{ "Containers", "containers", usage->container_bytes },
		{ "CacheMounts", "cache mounts", usage->cachemount_bytes },
		{ "Fetched", "fetched files and filters", usage->fetched_bytes },
		{ "Database", "database", usage->database_bytes },
		{ "Temporary", "half-made", usage->temporary_bytes },
		{ "Other", "directories and reserve", usage->other_bytes },
		{ "Total", "total", usage->total_bytes },
	};

	for (size_t i = 0; i < PART_COUNT; i++)
		out[i] = parts[i];
}

static struct json *usage_json(const struct usage *usage, const bool *are_shown)
{
	struct json *json = json_object();
	struct json *images = json_array();
	struct part parts[PART_COUNT];
	char id[DIGEST_NAME_MAX];

	for (size_t i = 0; i < usage->count; i++) {
		const struct usage_image *item = &usage->images[i];
		struct json *image;

		if (!are_shown[i])
			continue;
		image = json_object();
		json_set_string(image, "Id", digest_name(&item->id, id));
		json_set_strlist(image, "Names", &item->names);
		json_set_int(image, "Own", (int64_t)item->own_bytes);
		json_set_int(image, "Shared", (int64_t)item->shared_bytes);
		json_set_int(image, "Size", (int64_t)(item->own_bytes + item->shared_bytes));
		json_append(images, image);
	}
	json_set(json, "Images", images);
	list_parts(usage, parts);
	for (size_t i = 0; i < PART_COUNT; i++)
		json_set_int(json, parts[i].key, (int64_t)parts[i].bytes);
	return json;
}

static void print_images(const struct usage *usage, const bool *are_shown)
{
	auto_table struct table table = { .columns = 5 };
	char buf[40];

	table_add(&table, "IMAGE");
	table_add(&table, "IMAGE ID");
	table_add(&table, "OWN");
	table_add(&table, "SHARED");
	table_add(&table, "SIZE");
	for (size_t i = 0; i < usage->count; i++) {
		const struct usage_image *item = &usage->images[i];

		if (!are_shown[i])
			continue;
		table_add(&table, item->names.count ? item->names.items[0] : "<none>");
		table_add(&table, short_id(&item->id, buf));
		table_add(&table, size_text(item->own_bytes, buf));
		table_add(&table, size_text(item->shared_bytes, buf));
		table_add(&table, size_text(item->own_bytes + item->shared_bytes, buf));
	}
	table_print(&table);
}

static void print_parts(const struct usage *usage)
{
	auto_table struct table table = { .columns = 2 };
	struct part parts[PART_COUNT];
	char buf[16];

	list_parts(usage, parts);
	for (size_t i = 0; i < PART_COUNT; i++) {
		table_add(&table, parts[i].text);
		table_add(&table, size_text(parts[i].bytes, buf));
	}
	printf("\n");
	table_print(&table);
}

/* All, or those that were named. */
static int choose(struct store *store, const struct usage *usage, const struct strlist *names,
		  bool *out, struct err *err)
{
	for (size_t i = 0; i < usage->count; i++)
		out[i] = names->count == 0;
	for (size_t n = 0; n < names->count; n++) {
		auto_image_match struct image_match match = IMAGE_MATCH_INIT;

		if (image_must_resolve(store, names->items[n], &match, err) < 0)
			return -1;
		for (size_t i = 0; i < usage->count; i++)
			out[i] |= digest_equal(&usage->images[i].id, &match.id);
	}
	return 0;
}

static int du(const char *root, const char *format, const struct strlist *names, struct err *err)
{
	auto_usage struct usage usage = USAGE_INIT;
	auto_store struct store *store = NULL;
	auto_free bool *are_shown = NULL;

	if (command_open_reading(root, NULL, &store, err) < 0 || usage_load(store, &usage, err) < 0)
		return -1;
	are_shown = mem_array(usage.count + 1, sizeof(*are_shown));
	if (choose(store, &usage, names, are_shown, err) < 0)
		return -1;
	if (command_wants_json(format)) {
		command_print_json(usage_json(&usage, are_shown));
		return 0;
	}
	print_images(&usage, are_shown);
	if (names->count == 0)
		print_parts(&usage);
	return 0;
}

int cmd_du(int argc, char **argv)
{
	const char *root = NULL;
	const char *format = NULL;
	const struct cmdline_option options[] = { OPTION_FORMAT(&format), OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore du",
					 .synopsis = "[OPTIONS] [IMAGE...]",
					 .summary =
						 "What images take on the disk by themselves and "
						 "together with others, and what all else in the "
						 "store takes.",
					 .options = options,
					 .max_args = SIZE_MAX };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		du(root, format, &args, &err);
	return command_end(&err);
}
