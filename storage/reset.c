/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for emptying a store. It stays a store: who has it open meanwhile finds it empty,
 * as after a prune. Nobody who uses anything in it is disturbed: then nothing is done.
 */
#include "storage/gc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/tmpfile.h"
#include "layers/walk.h"
#include "storage/attach-internal.h"
#include "storage/cachemount.h"
#include "storage/container.h"
#include "storage/gc-internal.h"
#include "storage/lease-internal.h"

static int refuse_use(struct store *store, struct err *err)
{
	auto_container_list struct container_list containers = CONTAINER_LIST_INIT;
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (container_list(store, &containers, err) < 0)
		return -1;
	for (size_t i = 0; i < containers.count; i++)
		if (containers.items[i].running)
			return err_set(err, ERR_INPUT, "container '%s' is running",
				       containers.items[i].name);
	if (lease_sweep(store, NULL, err) < 0 || attach_sweep(store, err) < 0 ||
	    query_open(&query, store->db, "SELECT path FROM mounts LIMIT 1", err) < 0 ||
	    query_step(&query, &row, err) < 0)
		return -1;
	if (row)
		return err_set(err, ERR_INPUT, "an image is mounted at '%s'",
			       column_text(&query, 0));
	query_release(&query);
	if (query_open(&query, store->db, "SELECT 1 FROM leases WHERE lease<>? LIMIT 1", err) < 0)
		return -1;
	bind_text(&query, store->lease_name);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (row)
		return err_set(err, ERR_INPUT, "another command is using the store");
	return 0;
}

/* In a transaction. */
static int drop_all_rows(struct store *store, struct err *err)
{
	if (gc_run(store, "DELETE FROM names", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM containers", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM indexes", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM index_images", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM index_blobs", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM images", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM image_layers", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM steps", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM files", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM layer_blobs", NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM layers", NULL, err) < 0)
		return -1;
	return gc_run(store, "DELETE FROM blobs", NULL, err);
}

/* What can be made again. */
static int empty_cache(struct store *store, int to_fd, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(store->cache_fd, &names, "cache", err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (sweep_discard(store->cache_fd, names.items[i], to_fd, err) < 0)
			return -1;
	return 0;
}

static int reset(struct store *store, struct err *err)
{
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;
	uint64_t cache_mounts;

	if (tmpdir_make(&gone, store->tmp_fd, err) < 0)
		return -1;
	{
		auto_txn struct txn txn = TXN_INIT;

		if (txn_begin(&txn, store->db, TXN_DURABLE, err) < 0 ||
		    refuse_use(store, err) < 0 || drop_all_rows(store, err) < 0 ||
		    txn_commit(&txn, err) < 0)
			return -1;
	}
	if (cachemount_discard_unused(store, gone.fd, INT64_MAX, &cache_mounts, err) < 0 ||
	    empty_cache(store, gone.fd, err) < 0 || sweep_rubbish(store, false, err) < 0)
		return -1;
	return gc_run(store, "VACUUM", NULL, err);
}

int store_reset(struct store *store, struct err *err)
{
	int result;

	spare_drop(store);
	result = reset(store, err);
	spare_make(store);
	return result < 0 ? err_prefix(err, "empty the store") : 0;
}
