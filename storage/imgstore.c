/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgstore: look into the store and look after it. Answers for the list of
 * subcommands and what they share, and for the small ones: tag, rm, prune, info.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "layers/ref.h"
#include "storage/cmd-internal.h"
#include "storage/container.h"
#include "storage/gc.h"
#include "storage/image-internal.h"
#include "storage/mount.h"

#define PROGRAM "imgstore"

int command_open(const char *root, struct userns *out_userns, struct store **out, struct err *err)
{
	struct userns userns;

	if (userns_enter(&userns, err) < 0)
		return -1;
	if (out_userns)
		*out_userns = userns;
	return store_open(root, out, err);
}

int command_end(struct err *err)
{
	if (fflush(stdout) != 0 && err->kind == ERR_NONE)
		err_sys(err, "write to stdout");
	if (err->kind != ERR_NONE)
		err_print(err, PROGRAM);
	return err_exit_status(err);
}

bool command_wants_json(const char *format)
{
	return format && strcmp(format, "json") == 0;
}

void command_print_json(struct json *take)
{
	auto_json struct json *value = take;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	json_format_pretty(value, &text);
	printf("%s\n", text.data);
}

/* ---- tag ------------------------------------------------------------------- */

static int tag(const char *root, const char *from, const char *to, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_store struct store *store = NULL;

	if (image_ref_parse(to, &ref, err) < 0)
		return -1;
	if (ref.has_digest)
		return err_set(err, ERR_USAGE, "a digest cannot be given as a name: '%s'", to);
	if (command_open(root, NULL, &store, err) < 0 ||
	    image_must_resolve(store, from, &match, err) < 0)
		return -1;
	return image_tag(store, &match.id, to, err);
}

int cmd_tag(int argc, char **argv)
{
	const char *root = NULL;
	const struct cmdline_option options[] = { OPTION_ROOT(&root), OPTION_END };
	const struct cmdline cmdline = { .program = PROGRAM " tag",
					 .synopsis = "[OPTIONS] IMAGE NAME[:TAG]",
					 .summary = "Give an image another name. A name that "
						    "another image has is moved.",
					 .options = options,
					 .min_args = 2,
					 .max_args = 2 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	bool done = false;

	if (cmdline_parse(&cmdline, argc, argv, &args, &done, &err) == 0 && !done)
		tag(root, args.items[0], args.items[1], &err);
	return command_end(&err);
}

/* ---- rm -------------------------------------------------------------------- */

static int remove_image(struct store *store, const char *text, const struct digest *id, bool force,
			struct err *err)
{
	auto_image_removal struct image_removal removal = IMAGE_REMOVAL_INIT;
	char name[DIGEST_NAME_MAX];

	if (image_remove(store, text, force, &removal, err) < 0)
		return -1;
	for (size_t i = 0; i < removal.untagged.count; i++)
		printf("Untagged: %s\n", removal.untagged.items[i]);
	if (removal.image_removed)
		printf("Deleted: %s\n", digest_name(id, name));
	return 0;
}

/* An image; a container when no image is called so. */
static int remove_one(struct store *store, const char *text, bool force, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	struct err no_image = ERR_INIT;
	bool found = false;

	/* a container's name may be none for an image ("Web") */
	if (image_resolve(store, text, &found, &match, &no_image) < 0 &&
	    no_image.kind != ERR_INPUT && no_image.kind != ERR_USAGE) {
		*err = no_image;
		return -1;
	}
	if (found)
		return remove_image(store, text, &match.id, force, err);
	if (container_remove_named(store, text, err) == 0) {
		printf("Removed: %s\n", text);
		return 0;
	}
	if (strstr(err->text, "there is no container"))
		err_set(err, ERR_INPUT, "there is no image and no container '%s'", text);
	return -1;
}

static void remove_all(const char *root, const struct strlist *names, bool force, struct err *err)
{
	auto_store struct store *store = NULL;

	if (command_open(root, NULL, &store, err) < 0)
		return;
	/* one that cannot be removed does not keep the others; the last error is told at the end */
	for (size_t i = 0; i < names->count; i++) {
		struct err one = ERR_INIT;

		if (remove_one(store, names->items[i], force, &one) == 0)
			continue;
		if (err->kind != ERR_NONE)
			err_print(err, PROGRAM);
		*err = one;
	}
}

int cmd_rm(int argc, char **argv)
{
	const char *root = NULL;
	bool force = false;
	const struct cmdline_option options[] = {
		{ 'f', "force", OPTION_FLAG, &force, NULL,
		  "take all names of an image; those of one that is used, too", NULL },
		OPTION_ROOT(&root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = PROGRAM " rm",
					 .synopsis = "[OPTIONS] NAME...",
					 .summary = "Remove images, or stopped containers. An "
						    "image with further names loses the one "
						    "given.",
					 .options = options,
					 .min_args = 1,
					 .max_args = SIZE_MAX };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	bool done = false;

	if (cmdline_parse(&cmdline, argc, argv, &args, &done, &err) == 0 && !done)
		remove_all(root, &args, force, &err);
	return command_end(&err);
}

/* ---- prune ----------------------------------------------------------------- */

static void print_pruned(const struct prune_result *result, const char *format)
{
	struct json *json;

	if (!command_wants_json(format)) {
		printf("freed %" PRIu64 " bytes (%" PRIu64 " images, %" PRIu64 " layers, %" PRIu64
		       " blobs, %" PRIu64 " cache entries, %" PRIu64 " cache mounts)\n",
		       result->bytes, result->images, result->layers, result->blobs,
		       result->cache_entries, result->cache_mounts);
		return;
	}
	json = json_object();
	json_set_int(json, "Bytes", (int64_t)result->bytes);
	json_set_int(json, "Images", (int64_t)result->images);
	json_set_int(json, "Layers", (int64_t)result->layers);
	json_set_int(json, "Blobs", (int64_t)result->blobs);
	json_set_int(json, "CacheEntries", (int64_t)result->cache_entries);
	json_set_int(json, "CacheMounts", (int64_t)result->cache_mounts);
	command_print_json(json);
}

static int prune(const char *root, const char *format, struct err *err)
{
	auto_store struct store *store = NULL;
	struct prune_result result;

	if (command_open(root, NULL, &store, err) < 0 || store_prune(store, &result, err) < 0)
		return -1;
	print_pruned(&result, format);
	return 0;
}

int cmd_prune(int argc, char **argv)
{
	const char *root = NULL;
	const char *format = NULL;
	const struct cmdline_option options[] = { OPTION_FORMAT(&format), OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = PROGRAM " prune",
					 .synopsis = "[OPTIONS]",
					 .summary = "Forget the build cache and remove all that "
						    "no named image, no container and no "
						    "running command needs.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	bool done = false;

	if (cmdline_parse(&cmdline, argc, argv, &args, &done, &err) == 0 && !done)
		prune(root, format, &err);
	return command_end(&err);
}

/* ---- info ------------------------------------------------------------------ */

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
	}
	return "";
}

static struct json *info_json(struct store *store, const struct userns *userns,
			      const struct store_counts *counts)
{
	struct json *json = json_object();
	struct mount_ability ability;

	mount_probe(store, &ability);
	json_set_string(json, "Version", PACKAGE_VERSION);
	json_set_string(json, "Root", store_root_path(store));
	json_set_string(json, "Driver", ability.overlay ? "overlay" : "none");
	json_set_string(json, "DriverReason", ability.reason);
	json_set_string(json, "Privilege", mode_text(userns->mode));
	if (userns->mode == USERNS_SINGLE)
		json_set_string(json, "PrivilegeReason", userns->why_single);
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

/* The same values, a line each. */
static void print_lines(const struct json *json)
{
	for (size_t i = 0; i < json_count(json); i++) {
		const struct json *value = json_value_at(json, i);
		const char *text = json_string(value);

		if (text)
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

	if (command_open(root, &userns, &store, err) < 0 || store_count(store, &counts, err) < 0)
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
	const struct cmdline cmdline = { .program = PROGRAM " info",
					 .synopsis = "[OPTIONS]",
					 .summary = "Where the store is, how layers are mounted "
						    "here and why, and what there is.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	bool done = false;

	if (cmdline_parse(&cmdline, argc, argv, &args, &done, &err) == 0 && !done)
		info(root, format, &err);
	return command_end(&err);
}

int main(int argc, char **argv)
{
	static const struct subcommand commands[] = {
		{ "ls", "list images", cmd_ls },
		{ "inspect", "all that is known of images, as JSON", cmd_inspect },
		{ "history", "how an image came about", cmd_history },
		{ "tag", "give an image another name", cmd_tag },
		{ "rm", "remove images or containers", cmd_rm },
		{ "ps", "list containers", cmd_ps },
		{ "import", "make an image of a root file system's tar", cmd_import },
		{ "mount", "show an image's files as a directory", cmd_mount },
		{ "umount", "take that away again", cmd_umount },
		{ "unshare", "run a command in the user namespace of the store", cmd_unshare },
		{ "prune", "remove what nothing needs any more", cmd_prune },
		{ "info", "about the store and this host", cmd_info },
		{ NULL, NULL, NULL },
	};

	log_init(PROGRAM, LOG_INFO);
	return cmdline_dispatch(PROGRAM, "Look into the image store, and look after it.", commands,
				argc, argv);
}
