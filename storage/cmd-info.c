/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore info: about the store and this host. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "common/isolation.h"
#include "common/mem.h"
#include "storage/cmd-internal.h"
#include "storage/mount.h"

static const char *mode_text(enum userns_mode mode)
{
	switch (mode) {
	case USERNS_HOST:
		return "root";
	case USERNS_SUBIDS:
		return "user namespace with subordinate ids";
	case USERNS_SINGLE:
		return "user namespace with one id";
	case USERNS_INSIDE:
		return "inside of a user namespace";
	case USERNS_NONE:
		return "no namespaces, chroot";
	}
	return "";
}

/* The one in use; of each, what it is, or why it cannot be. */
static void add_drivers(struct store *store, struct json *json)
{
	struct mount_ability drivers[MOUNT_DRIVER_COUNT];
	const char *used = "none";

	mount_probe(store, drivers);
	for (size_t i = 0; i < MOUNT_DRIVER_COUNT; i++)
		if (drivers[i].is_used)
			used = drivers[i].driver;
	json_set_string(json, "Driver", used);
	for (size_t i = 0; i < MOUNT_DRIVER_COUNT; i++) {
		auto_free char *key = str_format("Driver-%s", drivers[i].driver);
		auto_free char *text = str_format(
			"%s%s",
			drivers[i].is_possible ? "" : "cannot be used: ", drivers[i].reason);

		json_set_string(json, key, text);
	}
}

static struct json *added_json(const struct store *store)
{
	struct json *array = json_array();

	for (size_t i = 0; i < store_added_count(store); i++)
		json_append(array, json_new_string(store_added_path(store, i)));
	return array;
}

static struct json *info_json(struct store *store, const struct userns *userns,
			      const struct store_counts *counts)
{
	struct json *json = json_object();

	json_set_string(json, "Version", PACKAGE_VERSION);
	json_set_string(json, "Root", store_root_path(store));
	add_drivers(store, json);
	json_set_string(json, "Privilege", mode_text(userns->mode));
	json_set_string(json, "Isolation", isolation_name(isolation_current()));
	if (userns->why[0])
		json_set_string(json, "PrivilegeReason", userns->why);
	json_set(json, "AddStores", added_json(store));
	json_set_int(json, "StoreVersion", counts->version);
	json_set_int(json, "Images", (int64_t)counts->images);
	json_set_int(json, "Names", (int64_t)counts->names);
	json_set_int(json, "Layers", (int64_t)counts->layers);
	json_set_int(json, "LayerBytes", (int64_t)counts->layer_bytes);
	json_set_int(json, "Blobs", (int64_t)counts->blobs);
	json_set_int(json, "BlobBytes", (int64_t)counts->blob_bytes);
	json_set_int(json, "Containers", (int64_t)counts->containers);
	json_set_int(json, "CacheEntries", (int64_t)counts->cache_entries);
	return json;
}

/* A line each. */
static void print_list(const char *key, const struct json *array)
{
	for (size_t i = 0; i < json_count(array); i++)
		printf("%s: %s\n", key, json_string(json_at(array, i)));
}

/* The same values, a line each. */
static void print_lines(const struct json *json)
{
	for (size_t i = 0; i < json_count(json); i++) {
		const struct json *value = json_value_at(json, i);
		const char *text = json_string(value);

		if (json_is_array(value))
			print_list(json_key_at(json, i), value);
		else if (text)
			printf("%s: %s\n", json_key_at(json, i), text);
		else
			printf("%s: %" PRId64 "\n", json_key_at(json, i), json_int(value, 0));
	}
}

static int info(const char *root, const char *format, struct err *err)
{
	auto_store struct store *store = NULL;
	auto_json struct json *json = NULL;
	struct store_counts counts;
	struct userns userns;

	if (command_open_reading(root, &userns, &store, err) < 0 ||
	    store_count(store, &counts, err) < 0)
		return -1;
	json = info_json(store, &userns, &counts);
	if (command_wants_json(format))
		command_print_json(json_ref(json));
	else
		print_lines(json);
	return 0;
}

int cmd_info(int argc, char **argv)
{
	const char *root = NULL;
	const char *format = NULL;
	const struct cmdline_option options[] = { OPTION_FORMAT(&format), OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore info",
					 .synopsis = "[OPTIONS]",
					 .summary = "Where the store is, how layers are mounted "
						    "here and why, and what there is.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		info(root, format, &err);
	return command_end(&err);
}
