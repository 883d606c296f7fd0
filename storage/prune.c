/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for prune: what of everything in the store nothing leads to, and how much of the
 * build cache goes. How rows and files go is gc.c's.
 */
#include "storage/gc.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "common/mem.h"
#include "common/tmpfile.h"
#include "layers/config.h"
#include "storage/attach-internal.h"
#include "storage/blob.h"
#include "storage/cachemount.h"
#include "storage/fetched.h"
#include "storage/gc-internal.h"
#include "storage/image.h"
#include "storage/lease-internal.h"
#include "storage/usage.h"

#define NS_PER_SECOND INT64_C(1000000000)

struct pruning {
	struct store *store;
	const struct prune_options *options;
	struct prune_result *result;
	struct garbage garbage;
	int64_t until_epoch; /* INT64_MAX: of any age */
};

void prune_result_release(struct prune_result *result)
{
	strlist_release(&result->untagged);
}

/* ---- images and indexes ---- */

/* Without a time, or with one that nobody can read, it is as old as can be. */
static bool is_young(const struct pruning *pruning, const char *created)
{
	struct err ignored = ERR_INIT;
	struct timespec when;

	return pruning->options->has_until && created &&
	       image_time_parse(created, &when, &ignored) == 0 &&
	       when.tv_sec >= pruning->until_epoch;
}

/* Those of @sql (ID, time) that are old enough. */
static int select_old(const struct pruning *pruning, const char *sql, struct digests *out,
		      struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	struct digest id;
	bool row = false;

	if (query_open(&query, pruning->store->db, sql, err) < 0)
		return -1;
	bind_int(&query, pruning->options->all);
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		if (column_digest(&query, 0, &id, err) < 0)
			return -1;
		if (!is_young(pruning, column_text(&query, 1)))
			digests_add(out, &id);
	}
}

static int take_names(struct pruning *pruning, const struct digest *id, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (image_names(pruning->store, id, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		strlist_add(&pruning->result->untagged, names.items[i]);
	return gc_run(pruning->store, "DELETE FROM names WHERE image=?", id, err);
}

static int prune_indexes(struct pruning *pruning, struct err *err)
{
	auto_digests struct digests indexes = { .items = NULL };

	if (select_old(pruning,
		       "SELECT id, created FROM indexes WHERE (?1 OR id NOT IN (SELECT image FROM"
		       " names)) AND id NOT IN (SELECT object FROM leases WHERE kind=3)"
		       " AND NOT EXISTS(SELECT 1 FROM index_images m WHERE m.idx=id AND ?1 AND"
		       " (m.image IN (SELECT image FROM containers) OR m.image IN (SELECT image"
		       " FROM mounts)))",
		       &indexes, err) < 0)
		return -1;
	for (size_t i = 0; i < indexes.count; i++)
		if (take_names(pruning, &indexes.items[i], err) < 0 ||
		    gc_drop_index(pruning->store, &indexes.items[i], err) < 0)
			return -1;
	return 0;
}

static int prune_images(struct pruning *pruning, struct err *err)
{
	auto_digests struct digests images = { .items = NULL };

	if (select_old(pruning,
		       "SELECT id, created FROM images WHERE (?1 OR id NOT IN (SELECT image FROM"
		       " names))"
		       " AND id NOT IN (SELECT image FROM containers)"
		       " AND id NOT IN (SELECT image FROM mounts)"
		       " AND id NOT IN (SELECT image FROM index_images)"
		       " AND id NOT IN (SELECT object FROM leases WHERE kind=2)",
		       &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++)
		if (take_names(pruning, &images.items[i], err) < 0 ||
		    gc_drop_image(pruning->store, &images.items[i], err) < 0)
			return -1;
	pruning->result->images = images.count;
	return 0;
}

/* ---- the build cache ---- */

/*
 * How much of it has to go. Before the transaction, for it takes long; what nameless images have
 * alone is as good as the cache's.
 */
static int count_excess(struct pruning *pruning, uint64_t *out, struct err *err)
{
	const struct prune_options *options = pruning->options;
	auto_usage struct usage usage = USAGE_INIT;
	uint64_t used;
	uint64_t free_bytes;
	struct statvfs fs;

	*out = 0;
	if (usage_load(pruning->store, &usage, err) < 0)
		return -1;
	if (fstatvfs(pruning->store->root_fd, &fs) < 0)
		return err_sys(err, "ask for the space on the store's disk");
	used = usage.cache_bytes + usage.cachemount_bytes + usage.fetched_bytes;
	for (size_t i = 0; i < usage.count; i++)
		if (usage.images[i].names.count == 0)
			used += usage.images[i].own_bytes;
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (options->has_keep && used > options->keep_bytes)
		*out = used - options->keep_bytes;
	if (options->has_free && free_bytes < options->free_bytes &&
	    options->free_bytes - free_bytes > *out)
		*out = options->free_bytes - free_bytes;
	return 0;
}

/* Forget the oldest step; *out_found false when there is none that is old enough. */
static int forget_oldest(struct pruning *pruning, bool *out_found, struct digest *out_layer,
			 struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t until_ns =
		pruning->options->has_until ? pruning->until_epoch * NS_PER_SECOND : INT64_MAX;

	if (query_open(&query, pruning->store->db,
		       "DELETE FROM steps WHERE key=(SELECT key FROM steps WHERE created_ns<? ORDER"
		       " BY created_ns, key LIMIT 1) RETURNING layer",
		       err) < 0)
		return -1;
	bind_int(&query, until_ns);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	if (column_digest(&query, 0, out_layer, err) < 0)
		return -1;
	return query_run(&query, err);
}

/* The oldest until @excess bytes are gone; what is still to go afterwards in *excess. */
static int shrink_steps(struct pruning *pruning, uint64_t *excess, struct err *err)
{
	while (*excess > 0) {
		size_t before = pruning->garbage.layers.count;
		struct digest layer;
		struct digests one = { .items = &layer, .count = 1 };
		uint64_t bytes = 0;
		bool found = false;

		if (forget_oldest(pruning, &found, &layer, err) < 0)
			return -1;
		if (!found)
			return 0;
		pruning->result->cache_entries++;
		if (usage_layer(pruning->store, &layer, &bytes, err) < 0 ||
		    gc_drop_layers(pruning->store, &one, &pruning->garbage, err) < 0)
			return -1;
		if (pruning->garbage.layers.count > before)
			*excess -= bytes < *excess ? bytes : *excess;
	}
	return 0;
}

static int forget_steps(struct pruning *pruning, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool has_until = pruning->options->has_until;

	if (query_open(&query, pruning->store->db, "DELETE FROM steps WHERE ?1 OR created_ns<?2",
		       err) < 0)
		return -1;
	bind_int(&query, !has_until);
	bind_int(&query, has_until ? pruning->until_epoch * NS_PER_SECOND : 0);
	if (query_run(&query, err) < 0)
		return -1;
	pruning->result->cache_entries = (uint64_t)db_changes(pruning->store->db);
	if (has_until)
		return 0;
	if (gc_run(pruning->store, "DELETE FROM files", NULL, err) < 0)
		return -1;
	pruning->result->cache_entries += (uint64_t)db_changes(pruning->store->db);
	return 0;
}

/* ---- all ---- */

static int drop_unneeded(struct pruning *pruning, struct err *err)
{
	auto_digests struct digests layers = { .items = NULL };
	auto_digests struct digests blobs = { .items = NULL };

	if (gc_select(pruning->store, "SELECT id FROM layers", NULL, &layers, err) < 0 ||
	    gc_drop_layers(pruning->store, &layers, &pruning->garbage, err) < 0 ||
	    gc_select(pruning->store, "SELECT digest FROM blobs", NULL, &blobs, err) < 0)
		return -1;
	return gc_drop_blobs(pruning->store, &blobs, &pruning->garbage, err);
}

static bool is_limited(const struct prune_options *options)
{
	return options->has_keep || options->has_free;
}

/* In a transaction; *excess: bytes of the build cache that must go besides. */
static int prune_rows(struct pruning *pruning, uint64_t *excess, struct err *err)
{
	if (lease_sweep(pruning->store, NULL, err) < 0 || attach_sweep(pruning->store, err) < 0 ||
	    prune_indexes(pruning, err) < 0 || prune_images(pruning, err) < 0)
		return -1;
	if (is_limited(pruning->options)) {
		if (shrink_steps(pruning, excess, err) < 0)
			return -1;
	} else if (forget_steps(pruning, err) < 0) {
		return -1;
	}
	return drop_unneeded(pruning, err);
}

/* What is no row: with a limit only when the rows were not enough. */
static int prune_files(struct pruning *pruning, uint64_t excess, int gone_fd, struct err *err)
{
	struct prune_result *result = pruning->result;
	bool is_dry = pruning->options->is_dry;
	bool limited = is_limited(pruning->options);
	uint64_t fetched_bytes = 0;

	if (limited && excess == 0)
		return 0;
	if (fetched_forget(pruning->store, pruning->until_epoch, is_dry, &fetched_bytes, err) < 0)
		return -1;
	result->bytes += fetched_bytes;
	if (limited && fetched_bytes >= excess)
		return 0;
	return cachemount_discard_unused(pruning->store, is_dry ? -1 : gone_fd,
					 pruning->until_epoch, &result->cache_mounts, err);
}

static int prune(struct pruning *pruning, struct err *err)
{
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;
	uint64_t excess = 0;

	if (is_limited(pruning->options) && count_excess(pruning, &excess, err) < 0)
		return -1;
	if (tmpdir_make(&gone, pruning->store->tmp_fd, err) < 0)
		return -1;
	{
		auto_txn struct txn txn = TXN_INIT;

		if (txn_begin(&txn, pruning->store->db, TXN_DURABLE, err) < 0 ||
		    prune_rows(pruning, &excess, err) < 0)
			return -1;
		/* else it is rolled back */
		if (!pruning->options->is_dry && txn_commit(&txn, err) < 0)
			return -1;
	}
	pruning->result->layers = pruning->garbage.layers.count;
	pruning->result->blobs = pruning->garbage.blobs.count;
	pruning->result->bytes = pruning->garbage.bytes;
	if (prune_files(pruning, excess, gone.fd, err) < 0)
		return -1;
	if (pruning->options->is_dry)
		return 0;
	if (gc_discard_files(pruning->store, &pruning->garbage, gone.fd, err) < 0 ||
	    blob_partial_sweep(pruning->store, err) < 0)
		return -1;
	return sweep_rubbish(pruning->store, false, err);
}

int store_prune(struct store *store, const struct prune_options *options, struct prune_result *out,
		struct err *err)
{
	auto_prune_result struct prune_result result = PRUNE_RESULT_INIT;
	struct pruning pruning = {
		.store = store,
		.options = options,
		.result = &result,
		.until_epoch = options->has_until ? options->until_epoch : INT64_MAX,
	};
	int done;

	spare_drop(store);
	done = prune(&pruning, err);
	spare_make(store);
	garbage_release(&pruning.garbage);
	if (done < 0)
		return -1;
	*out = result;
	result = (struct prune_result)PRUNE_RESULT_INIT;
	return 0;
}
