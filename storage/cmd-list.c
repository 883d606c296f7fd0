/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore ls and imgstore ps: what there is. */
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "layers/ref.h"
#include "storage/cmd-internal.h"
#include "storage/container.h"
#include "storage/image.h"

/* ---- ls -------------------------------------------------------------------- */

struct ls_options {
	const char *root;
	const char *format;
	bool all;
	bool quiet;
};

static struct json *images_json(const struct image_list *list, bool all)
{
	struct json *array = json_array();
	char id[DIGEST_NAME_MAX];

	for (size_t i = 0; i < list->count; i++) {
		const struct image_summary *item = &list->items[i];
		struct json *json;

		if (item->names.count == 0 && !all)
			continue;
		json = json_object();
		json_set_string(json, "Id", digest_name(&item->id, id));
		json_set_strlist(json, "Names", &item->names);
		json_set_string(json, "Created", item->created);
		json_set_int(json, "Size", (int64_t)item->size_bytes);
		json_set_int(json, "Layers", (int64_t)item->layer_count);
		if (item->is_index)
			json_set_strlist(json, "Platforms", &item->platforms);
		json_append(array, json);
	}
	return array;
}

static void add_image_row(struct table *table, const struct image_summary *item, const char *name)
{
	/* a tag has no slash: what follows a colon before one is a port */
	const char *colon = name ? strrchr(name, ':') : NULL;
	auto_free char *repository = NULL;
	char buf[40];

	if (colon && strchr(colon, '/'))
		colon = NULL;
	if (name && strchr(name, '@'))
		colon = NULL;
	repository = colon ? str_ndup(name, (size_t)(colon - name)) : str_dup(name);
	table_add(table, repository ? repository : "<none>");
	table_add(table, colon ? colon + 1 : "<none>");
	table_add(table, short_id(&item->id, buf));
	table_add(table, age_text(item->created, buf));
	table_add(table, size_text(item->size_bytes, buf));
}

static void print_images(const struct image_list *list, bool all)
{
	auto_table struct table table = { .columns = 5 };

	table_add(&table, "REPOSITORY");
	table_add(&table, "TAG");
	table_add(&table, "IMAGE ID");
	table_add(&table, "CREATED");
	table_add(&table, "SIZE");
	for (size_t i = 0; i < list->count; i++) {
		const struct image_summary *item = &list->items[i];

		for (size_t j = 0; j < item->names.count; j++)
			add_image_row(&table, item, item->names.items[j]);
		if (item->names.count == 0 && all)
			add_image_row(&table, item, NULL);
	}
	table_print(&table);
}

static void print_image_ids(const struct image_list *list, bool all)
{
	char id[13];

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].names.count > 0 || all)
			printf("%s\n", short_id(&list->items[i].id, id));
}

static int ls(const struct ls_options *options, struct err *err)
{
	auto_image_list struct image_list list = IMAGE_LIST_INIT;
	auto_store struct store *store = NULL;

	if (options->quiet && options->format)
		return err_set(err, ERR_USAGE, "--quiet and --format exclude each other");
	if (command_open(options->root, NULL, &store, err) < 0 || image_list(store, &list, err) < 0)
		return -1;
	if (options->quiet)
		print_image_ids(&list, options->all);
	else if (command_wants_json(options->format))
		command_print_json(images_json(&list, options->all));
	else
		print_images(&list, options->all);
	return 0;
}

int cmd_ls(int argc, char **argv)
{
	struct ls_options values = { .root = NULL };
	const struct cmdline_option options[] = {
		{ 'a', "all", OPTION_FLAG, &values.all, NULL, "also images without a name", NULL },
		{ 'q', "quiet", OPTION_FLAG, &values.quiet, NULL, "IDs only", NULL },
		OPTION_FORMAT(&values.format),
		OPTION_ROOT(&values.root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore ls",
					 .synopsis = "[OPTIONS]",
					 .summary = "List images, the newest first.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		ls(&values, &err);
	return command_end(&err);
}

/* ---- ps -------------------------------------------------------------------- */

static struct json *containers_json(const struct container_list *list)
{
	struct json *array = json_array();
	char id[DIGEST_NAME_MAX];

	for (size_t i = 0; i < list->count; i++) {
		const struct container_summary *item = &list->items[i];
		struct json *json = json_object();

		json_set_string(json, "Id", item->id);
		json_set_string(json, "Name", item->name);
		json_set_string(json, "Image", digest_name(&item->image_id, id));
		json_set_string(json, "Created", item->created);
		json_set_bool(json, "Running", item->running);
		json_append(array, json);
	}
	return array;
}

static void print_containers(const struct container_list *list)
{
	auto_table struct table table = { .columns = 5 };
	char buf[40];

	table_add(&table, "CONTAINER ID");
	table_add(&table, "IMAGE");
	table_add(&table, "CREATED");
	table_add(&table, "STATUS");
	table_add(&table, "NAME");
	for (size_t i = 0; i < list->count; i++) {
		const struct container_summary *item = &list->items[i];

		snprintf(buf, sizeof(buf), "%.12s", item->id);
		table_add(&table, buf);
		table_add(&table, short_id(&item->image_id, buf));
		table_add(&table, age_text(item->created, buf));
		table_add(&table, item->running ? "running" : "stopped");
		table_add(&table, item->name);
	}
	table_print(&table);
}

static int ps(const char *root, const char *format, struct err *err)
{
	auto_container_list struct container_list list = CONTAINER_LIST_INIT;
	auto_store struct store *store = NULL;

	if (command_open(root, NULL, &store, err) < 0 || container_list(store, &list, err) < 0)
		return -1;
	if (command_wants_json(format))
		command_print_json(containers_json(&list));
	else
		print_containers(&list);
	return 0;
}

int cmd_ps(int argc, char **argv)
{
	const char *root = NULL;
	const char *format = NULL;
	const struct cmdline_option options[] = { OPTION_FORMAT(&format), OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore ps",
					 .synopsis = "[OPTIONS]",
					 .summary = "List containers, running and stopped, the "
						    "newest first.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		ps(root, format, &err);
	return command_end(&err);
}
