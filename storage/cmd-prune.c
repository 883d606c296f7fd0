/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore prune: what nothing needs. */
#include <inttypes.h>
#include <stdio.h>

#include "storage/cmd-internal.h"
#include "storage/gc.h"

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
	const struct cmdline cmdline = { .program = "imgstore prune",
					 .synopsis = "[OPTIONS]",
					 .summary = "Forget the build cache and remove all that "
						    "no named image, no container and no "
						    "running command needs.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		prune(root, format, &err);
	return command_end(&err);
}
