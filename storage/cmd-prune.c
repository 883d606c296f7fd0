/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore prune: what nothing needs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "storage/cmd-internal.h"
#include "storage/gc.h"

static void print_pruned(const struct prune_result *result, const char *format, bool is_dry)
{
	struct json *json;

	if (!command_wants_json(format)) {
		for (size_t i = 0; i < result->untagged.count; i++)
			printf("%s: %s\n", is_dry ? "Would untag" : "Untagged",
			       result->untagged.items[i]);
		printf("%s %" PRIu64 " bytes (%" PRIu64 " images, %" PRIu64 " layers, %" PRIu64
		       " blobs, %" PRIu64 " cache entries, %" PRIu64 " cache mounts)\n",
		       is_dry ? "would free" : "freed", result->bytes, result->images,
		       result->layers, result->blobs, result->cache_entries, result->cache_mounts);
		return;
	}
	json = json_object();
	json_set_int(json, "Bytes", (int64_t)result->bytes);
	json_set_int(json, "Images", (int64_t)result->images);
	json_set_int(json, "Layers", (int64_t)result->layers);
	json_set_int(json, "Blobs", (int64_t)result->blobs);
	json_set_int(json, "CacheEntries", (int64_t)result->cache_entries);
	json_set_int(json, "CacheMounts", (int64_t)result->cache_mounts);
	json_set_bool(json, "DryRun", is_dry);
	json_set_strlist(json, "Untagged", &result->untagged);
	command_print_json(json);
}

struct values {
	const char *root;
	const char *format;
	const char *age;
	const char *keep;
	const char *free;
	struct strlist filters;
	bool all;
	bool dry_run;
};

/* "until=…" is the only one that makes sense for everything. */
static const char *until_filter(const struct strlist *filters, struct err *err)
{
	const char *until = NULL;

	for (size_t i = 0; i < filters->count; i++) {
		if (strncmp(filters->items[i], "until=", 6) != 0) {
			err_set(err, ERR_USAGE, "--filter '%s': only until=AGE is known",
				filters->items[i]);
			return NULL;
		}
		until = filters->items[i] + 6;
	}
	return until;
}

static int read_values(const struct values *values, struct prune_options *out, struct err *err)
{
	const char *until = until_filter(&values->filters, err);

	if (err->kind != ERR_NONE)
		return -1;
	if (values->age)
		until = values->age;
	out->all = values->all;
	out->is_dry = values->dry_run;
	out->has_until = until != NULL;
	out->has_keep = values->keep != NULL;
	out->has_free = values->free != NULL;
	if (until && amount_moment(values->age ? "--age" : "--filter until", until,
				   &out->until_epoch, err) < 0)
		return -1;
	if (values->keep && amount_bytes("--keep-storage", values->keep, &out->keep_bytes, err) < 0)
		return -1;
	return values->free ? amount_bytes("--free-space", values->free, &out->free_bytes, err) : 0;
}

static int prune(const struct values *values, struct err *err)
{
	auto_prune_result struct prune_result result = PRUNE_RESULT_INIT;
	struct prune_options options = { .all = false };
	auto_store struct store *store = NULL;

	if (read_values(values, &options, err) < 0 ||
	    command_open(values->root, NULL, &store, err) < 0 ||
	    store_prune(store, &options, &result, err) < 0)
		return -1;
	print_pruned(&result, values->format, values->dry_run);
	return 0;
}

int cmd_prune(int argc, char **argv)
{
	struct values values = { .filters = STRLIST_INIT };
	const struct cmdline_option options[] = {
		{ 'a', "all", OPTION_FLAG, &values.all, NULL,
		  "also named images that no container and no mount uses", NULL },
		{ 0, "age", OPTION_STRING, &values.age, "AGE",
		  "only what is older: 24h, 7d, or a time", NULL },
		{ 'n', "dry-run", OPTION_FLAG, &values.dry_run, NULL, "only say what would go",
		  NULL },
		{ 0, "filter", OPTION_LIST, &values.filters, "until=AGE", "the same as --age",
		  NULL },
		{ 'f', "force", OPTION_IGNORED, NULL, NULL, "nothing is asked anyway", NULL },
		{ 0, "free-space", OPTION_STRING, &values.free, "BYTES",
		  "of the build cache, the oldest until so much is free on the disk", NULL },
		{ 0, "keep-storage", OPTION_STRING, &values.keep, "BYTES",
		  "of the build cache, the oldest until no more is left", NULL },
		OPTION_FORMAT(&values.format),
		OPTION_ROOT(&values.root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore prune",
					 .synopsis = "[OPTIONS]",
					 .summary = "Forget the build cache and remove all that "
						    "no named image, no container and no "
						    "running command needs.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		prune(&values, &err);
	strlist_release(&values.filters);
	return command_end(&err);
}
