/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgstore inspect and imgstore history: what an image or container says of itself, with the
 * member names of docker's commands of that name.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "layers/pairs.h"
#include "layers/ref.h"
#include "storage/cmd-internal.h"
#include "storage/image-internal.h"
#include "storage/image.h"

#define CREATED_BY_MAX 45

/* ---- inspect --------------------------------------------------------------- */

static int names_json(struct store *store, const struct image *image, struct json *json,
		      struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	struct json *tags = json_array();
	struct json *digests = json_array();

	json_set(json, "RepoTags", tags);
	json_set(json, "RepoDigests", digests);
	if (image_names(store, image->has_index ? &image->index_digest : &image->id, &names, err) <
	    0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
		auto_strbuf struct strbuf text = STRBUF_INIT;

		if (image_ref_parse(names.items[i], &ref, err) < 0)
			return -1;
		if (ref.tag) {
			image_ref_format_familiar(&ref, &text);
			json_append(tags, json_new_string(text.data));
			strbuf_truncate(&text, 0);
		}
		/* what it was pulled as, or would be pushed as */
		if (!ref.has_digest && !image->has_manifest)
			continue;
		if (!ref.has_digest)
			ref.digest =
				image->has_index ? image->index_digest : image->manifest_digest;
		free(ptr_steal(&ref.tag));
		ref.has_digest = true;
		image_ref_format_familiar(&ref, &text);
		json_append(digests, json_new_string(text.data));
	}
	return 0;
}

static struct json *rootfs_json(const struct image *image)
{
	struct json *json = json_object();
	struct json *layers = json_array();
	char name[DIGEST_NAME_MAX];

	for (size_t i = 0; i < image->config.diff_id_count; i++)
		json_append(layers, json_new_string(digest_name(&image->config.diff_ids[i], name)));
	json_set_string(json, "Type", "layers");
	json_set(json, "Layers", layers);
	return json;
}

/* The member "config" as an image document holds it: one form for all readers. */
static struct json *run_config_json(const struct image *image, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_json struct json *document = NULL;
	const struct json *config;

	image_config_format(&image->config, &text);
	document = json_parse(text.data, text.len, "image config", err);
	if (!document)
		return NULL;
	config = json_get(document, "config");
	return config ? json_ref(config) : json_object();
}

static uint64_t image_bytes(const struct image *image)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < image->config.diff_id_count; i++)
		bytes += image->layers[i].content_bytes;
	return bytes;
}

static const char *last_comment(const struct image_config *config)
{
	const char *comment =
		config->history_count ? config->history[config->history_count - 1].comment : NULL;

	return comment ? comment : "";
}

static int annotations_json(struct store *store, const struct image *image, struct json *json,
			    struct err *err)
{
	auto_strlist struct strlist annotations = STRLIST_INIT;

	if (image_annotations(store, image, &annotations, err) < 0)
		return -1;
	pairs_set(json, "Annotations", &annotations);
	return 0;
}

static struct json *image_json(struct store *store, const struct image *image, struct err *err)
{
	auto_json struct json *json = json_object();
	const struct image_config *config = &image->config;
	auto_json struct json *run_config = run_config_json(image, err);
	char name[DIGEST_NAME_MAX];

	if (!run_config)
		return NULL;
	json_set_string(json, "Id", digest_name(&image->id, name));
	if (names_json(store, image, json, err) < 0)
		return NULL;
	if (image->has_manifest)
		json_set_string(json, "Digest", digest_name(&image->manifest_digest, name));
	if (image->has_index)
		json_set_string(json, "Index", digest_name(&image->index_digest, name));
	if (annotations_json(store, image, json, err) < 0)
		return NULL;
	json_set_string(json, "Comment", last_comment(config));
	json_set_string(json, "Created", config->created);
	json_set_string(json, "Author", config->author ? config->author : "");
	json_set(json, "Config", ptr_steal(&run_config));
	json_set_string(json, "Architecture", config->platform.architecture);
	json_set_string(json, "Variant", config->platform.variant);
	json_set_string(json, "Os", config->platform.os);
	json_set_string(json, "OsVersion", config->platform.os_version);
	json_set_int(json, "Size", (int64_t)image_bytes(image));
	json_set(json, "RootFS", rootfs_json(image));
	return ptr_steal(&json);
}

/* An image; a container when no image is called so. */
static struct json *named_json(struct store *store, const char *text, const char *platform,
			       struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	struct err no_container = ERR_INIT;
	struct err no_image = ERR_INIT;
	struct json *json;
	bool found = false;

	/* a container's name may be none for an image ("Web") */
	if (image_resolve(store, text, &found, &match, &no_image) == 0 && found)
		return image_get_for(store, text, platform, &image, err) < 0
			       ? NULL
			       : image_json(store, &image, err);
	json = platform ? NULL : command_container_json(store, text, &no_container);
	/* what is nothing is said to be no image */
	if (!json)
		image_get_for(store, text, platform, &image, err);
	return json;
}

static int inspect(const char *root, const struct strlist *names, const char *platform,
		   struct err *err)
{
	auto_store struct store *store = NULL;
	auto_json struct json *array = json_array();

	if (command_open_reading(root, NULL, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < names->count; i++) {
		struct json *json = named_json(store, names->items[i], platform, err);

		if (!json)
			return -1;
		json_append(array, json);
	}
	command_print_json(json_ref(array));
	return 0;
}

int cmd_inspect(int argc, char **argv)
{
	const char *root = NULL;
	const char *platform = NULL;
	const struct cmdline_option options[] = { OPTION_PLATFORM(&platform), OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore inspect",
					 .synopsis = "[OPTIONS] IMAGE|CONTAINER...",
					 .summary = "Print all that is known of images or "
						    "containers, as a JSON array.",
					 .options = options,
					 .min_args = 1,
					 .max_args = SIZE_MAX };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		inspect(root, &args, platform, &err);
	return command_end(&err);
}

/* ---- history --------------------------------------------------------------- */

/*
 * sizes[i]: what history entry i added. Entries and layers are counted from the
 * bottom; a history that speaks of more layers than there are adds nothing.
 */
static uint64_t *entry_sizes(const struct image *image)
{
	const struct image_config *config = &image->config;
	uint64_t *sizes = mem_array(config->history_count, sizeof(*sizes));
	size_t layer = 0;

	for (size_t i = 0; i < config->history_count; i++)
		if (!config->history[i].empty_layer && layer < config->diff_id_count)
			sizes[i] = image->layers[layer++].content_bytes;
	return sizes;
}

static struct json *history_json(const struct image *image)
{
	const struct image_config *config = &image->config;
	auto_free uint64_t *sizes = entry_sizes(image);
	struct json *array = json_array();
	char name[DIGEST_NAME_MAX];

	for (size_t i = config->history_count; i > 0; i--) {
		const struct history_entry *entry = &config->history[i - 1];
		struct json *json = json_object();

		json_set_string(json, "Id",
				i == config->history_count ? digest_name(&image->id, name)
							   : "<missing>");
		json_set_string(json, "Created", entry->created);
		json_set_string(json, "CreatedBy", entry->created_by ? entry->created_by : "");
		json_set_string(json, "Author", entry->author);
		json_set_string(json, "Comment", entry->comment ? entry->comment : "");
		json_set_bool(json, "EmptyLayer", entry->empty_layer);
		json_set_int(json, "Size", (int64_t)sizes[i - 1]);
		json_append(array, json);
	}
	return array;
}

/* At most @max bytes, cut between characters, with "…". */
static char *shorten(const char *text, size_t max)
{
	size_t len = max - 1;

	if (strlen(text) <= max)
		return str_dup(text);
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return str_format("%.*s…", (int)len, text);
}

/* How people want it. */
struct history_options {
	const char *root;
	const char *platform;
	const char *format;
	bool no_trunc;
	bool is_human; /* ages, and sizes in units */
	bool is_quiet; /* IDs alone */
};

/* Only the whole image has an ID. @buf holds DIGEST_NAME_MAX. */
static const char *entry_id(const struct image *image, size_t index,
			    const struct history_options *options, char *buf)
{
	if (index + 1 < image->config.history_count)
		return "<missing>";
	return options->no_trunc ? digest_name(&image->id, buf) : short_id(&image->id, buf);
}

static void print_ids(const struct image *image, const struct history_options *options)
{
	char name[DIGEST_NAME_MAX];

	for (size_t i = image->config.history_count; i > 0; i--)
		printf("%s\n", entry_id(image, i - 1, options, name));
}

static void print_history(const struct image *image, const struct history_options *options)
{
	const struct image_config *config = &image->config;
	auto_free uint64_t *sizes = entry_sizes(image);
	auto_table struct table table = { .columns = 5 };
	char name[DIGEST_NAME_MAX];
	char buf[40];

	table_add(&table, "IMAGE");
	table_add(&table, "CREATED");
	table_add(&table, "CREATED BY");
	table_add(&table, "SIZE");
	table_add(&table, "COMMENT");
	for (size_t i = config->history_count; i > 0; i--) {
		const struct history_entry *entry = &config->history[i - 1];
		const char *by = entry->created_by ? entry->created_by : "";
		auto_free char *cut = options->no_trunc ? str_dup(by) : shorten(by, CREATED_BY_MAX);
		auto_free char *bytes = str_format("%" PRIu64, sizes[i - 1]);

		table_add(&table, entry_id(image, i - 1, options, name));
		table_add(&table,
			  options->is_human ? age_text(entry->created, buf) : entry->created);
		table_add(&table, cut);
		table_add(&table, options->is_human ? size_text(sizes[i - 1], buf) : bytes);
		table_add(&table, entry->comment);
	}
	table_print(&table);
}

static int history(const char *name, const struct history_options *options, struct err *err)
{
	auto_store struct store *store = NULL;
	auto_image struct image image = IMAGE_INIT;

	if (command_open_reading(options->root, NULL, &store, err) < 0 ||
	    image_get_for(store, name, options->platform, &image, err) < 0)
		return -1;
	if (options->is_quiet)
		print_ids(&image, options);
	else if (command_wants_json(options->format))
		command_print_json(history_json(&image));
	else
		print_history(&image, options);
	return 0;
}

int cmd_history(int argc, char **argv)
{
	struct history_options how = { .is_human = true };
	const struct cmdline_option options[] = {
		{ 'H', "human", OPTION_FLAG, &how.is_human, NULL,
		  "ages, and sizes in units (default: true); with false, times and bytes", NULL },
		{ 0, "no-trunc", OPTION_FLAG, &how.no_trunc, NULL, "whole instructions and IDs",
		  NULL },
		{ 'q', "quiet", OPTION_FLAG, &how.is_quiet, NULL, "the IDs alone", NULL },
		OPTION_PLATFORM(&how.platform),
		OPTION_FORMAT(&how.format),
		OPTION_ROOT(&how.root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore history",
					 .synopsis = "[OPTIONS] IMAGE",
					 .summary = "Show how an image came about, the last step "
						    "first.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 1 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		history(args.items[0], &how, &err);
	return command_end(&err);
}
