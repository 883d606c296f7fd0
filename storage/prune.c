/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for prune: what of everything in the store nothing leads to. How rows and
 * files go is gc.c's.
 */
#include "storage/gc.h"

#include "common/tmpfile.h"
#include "storage/attach-internal.h"
#include "storage/cachemount.h"
#include "storage/fetched.h"
#include "storage/gc-internal.h"
#include "storage/lease-internal.h"

static int prune_indexes(struct store *store, struct err *err)
{
	auto_digests struct digests indexes = { .items = NULL };

	if (gc_select(store,
		      "SELECT id FROM indexes WHERE id NOT IN (SELECT image FROM names)"
		      " AND id NOT IN (SELECT object FROM leases WHERE kind=3)",
		      NULL, &indexes, err) < 0)
		return -1;
	for (size_t i = 0; i < indexes.count; i++)
		if (gc_drop_index(store, &indexes.items[i], err) < 0)
			return -1;
	return 0;
}

static int prune_images(struct store *store, uint64_t *out_count, struct err *err)
{
	auto_digests struct digests images = { .items = NULL };

	if (gc_select(store,
		      "SELECT id FROM images WHERE id NOT IN (SELECT image FROM names)"
		      " AND id NOT IN (SELECT image FROM containers)"
		      " AND id NOT IN (SELECT image FROM mounts)"
		      " AND id NOT IN (SELECT image FROM index_images)"
		      " AND id NOT IN (SELECT object FROM leases WHERE kind=2)",
		      NULL, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++)
		if (gc_drop_image(store, &images.items[i], err) < 0)
			return -1;
	*out_count = images.count;
	return 0;
}

/* In a transaction. */
static int prune_rows(struct store *store, struct prune_result *out, struct garbage *garbage,
		      struct err *err)
{
	auto_digests struct digests layers = { .items = NULL };
	auto_digests struct digests blobs = { .items = NULL };

	if (lease_sweep(store, NULL, err) < 0 || attach_sweep(store, err) < 0 ||
	    gc_run(store, "DELETE FROM steps", NULL, err) < 0)
		return -1;
	out->cache_entries = (uint64_t)db_changes(store->db);
	if (gc_run(store, "DELETE FROM files", NULL, err) < 0)
		return -1;
	out->cache_entries += (uint64_t)db_changes(store->db);
	if (prune_indexes(store, err) < 0 || prune_images(store, &out->images, err) < 0 ||
	    gc_select(store, "SELECT id FROM layers", NULL, &layers, err) < 0 ||
	    gc_drop_layers(store, &layers, garbage, err) < 0 ||
	    gc_select(store, "SELECT digest FROM blobs", NULL, &blobs, err) < 0)
		return -1;
	return gc_drop_blobs(store, &blobs, garbage, err);
}

static int prune(struct store *store, struct prune_result *out, struct err *err)
{
	auto_garbage struct garbage garbage = { .bytes = 0 };
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;

	if (tmpdir_make(&gone, store->tmp_fd, err) < 0)
		return -1;
	{
		auto_txn struct txn txn = TXN_INIT;

		if (txn_begin(&txn, store->db, TXN_DURABLE, err) < 0 ||
		    prune_rows(store, out, &garbage, err) < 0 || txn_commit(&txn, err) < 0)
			return -1;
	}
	out->layers = garbage.layers.count;
	out->blobs = garbage.blobs.count;
	out->bytes = garbage.bytes;
	if (cachemount_discard_unused(store, gone.fd, &out->cache_mounts, err) < 0)
		return -1;
	return gc_discard_files(store, &garbage, gone.fd, err);
}

int store_prune(struct store *store, struct prune_result *out, struct err *err)
{
	struct prune_result result = { .bytes = 0 };
	uint64_t fetched_bytes = 0;

	spare_drop(store);
	if (prune(store, &result, err) < 0 || fetched_forget(store, &fetched_bytes, err) < 0 ||
	    sweep_rubbish(store, false, err) < 0) {
		spare_make(store);
		return -1;
	}
	spare_make(store);
	result.bytes += fetched_bytes;
	*out = result;
	return 0;
}
