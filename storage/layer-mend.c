/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for making the directory of a layer once more from its kept blob: to hold the two
 * against each other, and to put the new one in the old one's place.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "common/tree.h"
#include "common/userns.h"
#include "storage/attach-internal.h"
#include "storage/gc-internal.h"
#include "storage/layer-internal.h"
#include "storage/lease-internal.h"
#include "storage/mount.h"
#include "storage/store-internal.h"

/* Some image that has the layer, and where in it. */
static int find_place(struct store *store, const struct digest *id, struct digest *out_image,
		      int64_t *out_position, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	char hex[DIGEST_HEX_MAX];
	bool row = false;

	if (query_open(&query, store->db,
		       "SELECT image, position FROM image_layers WHERE layer=? LIMIT 1", err) < 0)
		return -1;
	bind_digest(&query, id);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (!row)
		return err_set(err, ERR_INPUT, "layer %s is of no image: what was below it?",
			       digest_hex(id, hex));
	*out_position = column_int(&query, 1);
	return column_digest(&query, 0, out_image, err);
}

static int load_below(struct store *store, const struct digest *image, int64_t position,
		      struct layer *layers, struct err *err)
{
	char hex[DIGEST_HEX_MAX];

	for (int64_t i = 0; i < position; i++) {
		auto_query struct query query = QUERY_INIT;
		struct digest id;
		bool implicit;
		bool row = false;

		if (query_open(&query, store->db,
			       "SELECT layer FROM image_layers WHERE image=? AND position=?",
			       err) < 0)
			return -1;
		bind_digest(&query, image);
		bind_int(&query, i);
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (row && (column_digest(&query, 0, &id, err) < 0 ||
			    layer_load(store, &id, &row, &implicit, &layers[i], err) < 0))
			return -1;
		if (!row)
			return err_set(err, ERR_INPUT, "image %s lacks a layer",
				       digest_hex(image, hex));
	}
	return 0;
}

/* What the layers below a chain's layer show. */
static int open_below(struct store *store, const struct layer *layer, struct err *err)
{
	auto_free struct layer *layers = NULL;
	struct digest image;
	int64_t position = 0;

	if (find_place(store, &layer->id, &image, &position, err) < 0)
		return -1;
	layers = mem_array((size_t)position + 1, sizeof(*layers));
	if (load_below(store, &image, position, layers, err) < 0)
		return -1;
	return mount_view(store, layers, (size_t)position, err);
}

int layer_kept_unpack(struct store *store, const struct layer *layer, struct layer_draft *draft,
		      struct err *err)
{
	char what[DIGEST_HEX_MAX];
	auto_close int blob_fd = -1;
	auto_close int below_fd = -1;
	auto_source struct source *source = NULL;
	struct digest got;
	struct source_digest_options digest = { .expect = &layer->diff_id,
						.expect_len = UINT64_MAX,
						.out_digest = &got,
						.what = what };
	struct unpack_options options = { .whiteouts = UNPACK_TO_OVERLAY,
					  .ns = store->ns,
					  .what = what,
					  .skip_devices = store_lacks_devices(store) };
	struct unpack_result result;

	digest_hex(&layer->diff_id, what);
	source = layer_kept_open(store, layer, &blob_fd, err);
	if (!source)
		return -1;
	source = source_digest(source, &digest);
	if (!digest_equal(&layer->id, &layer->diff_id)) {
		below_fd = open_below(store, layer, err);
		if (below_fd < 0)
			return -1;
		options.below_fd = &below_fd;
	}
	return unpack_tar(source, draft->fs_fd, &options, &result, err);
}

/* By others: what we lease ourselves we have only looked at. */
static int is_in_use(struct store *store, const struct digest *id, bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (lease_sweep(store, NULL, err) < 0 || attach_sweep(store, err) < 0 ||
	    query_open(&query, store->db,
		       "SELECT 1 FROM leases WHERE kind=0 AND object=?1 AND lease<>?2 UNION ALL"
		       " SELECT 1 FROM mounts m JOIN image_layers x ON x.image=m.image"
		       " WHERE x.layer=?1",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_text(&query, store->lease_name);
	return query_step(&query, out, err);
}

static int swap(struct store *store, struct layer_draft *draft, const struct layer *layer,
		int gone_fd, bool *out_in_use, struct err *err)
{
	auto_txn struct txn txn = TXN_INIT; /* for its lock: nobody may publish or remove it now */
	char hex[DIGEST_HEX_MAX];
	struct layer now;
	bool implicit;
	bool found = false;

	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0 ||
	    is_in_use(store, &layer->id, out_in_use, err) < 0 ||
	    layer_load(store, &layer->id, &found, &implicit, &now, err) < 0)
		return -1;
	if (*out_in_use || !found)
		return txn_commit(&txn, err);
	if (sweep_discard(store->layers_fd, digest_hex(&layer->id, hex), gone_fd, err) < 0 ||
	    gc_run(store, "UPDATE layers SET place=NULL WHERE id=?", &layer->id, err) < 0 ||
	    tmpdir_commit(&draft->tmp, store->layers_fd, hex, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

static int sync_all(struct store *store, struct err *err)
{
	if (syncfs(store->root_fd) < 0)
		return err_sys(err, "write the store '%s' to disk", store->root_path);
	return 0;
}

int layer_draft_replace(struct store *store, struct layer_draft *draft, const struct layer *layer,
			bool *out_in_use, struct err *err)
{
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;

	*out_in_use = false;
	fd_close(&draft->work_fd);
	/* its row may say that it is on disk, and goes on saying so */
	if (tree_remove(draft->tmp.fd, "work", err) < 0 || sync_all(store, err) < 0 ||
	    tmpdir_make(&gone, store->tmp_fd, err) < 0 ||
	    swap(store, draft, layer, gone.fd, out_in_use, err) < 0)
		return -1;
	layer_draft_release(draft);
	return sync_all(store, err);
}
