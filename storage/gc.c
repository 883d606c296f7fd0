/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for removing: which rows nothing needs any more, and then their files.
 * prune.c looks at everything, image-remove.c at what one image leaves behind.
 *
 * The commit is durable before the first file goes: after a power cut no name may
 * come back whose layers have not.
 */
#include "storage/gc-internal.h"

#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "storage/lease-internal.h"
#include "storage/store-internal.h"

void digests_release(struct digests *list)
{
	free(list->items);
	*list = (struct digests){ .items = NULL };
}

void digests_add(struct digests *list, const struct digest *digest)
{
	list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = *digest;
}

void garbage_release(struct garbage *garbage)
{
	digests_release(&garbage->layers);
	digests_release(&garbage->blobs);
}

int gc_select(struct store *store, const char *sql, const struct digest *about, struct digests *out,
	      struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	struct digest digest;
	bool row = false;

	if (query_open(&query, store->db, sql, err) < 0)
		return -1;
	if (about)
		bind_digest(&query, about);
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		if (column_digest(&query, 0, &digest, err) < 0)
			return -1;
		digests_add(out, &digest);
	}
}

int gc_run(struct store *store, const char *sql, const struct digest *about, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, sql, err) < 0)
		return -1;
	if (about)
		bind_digest(&query, about);
	return query_run(&query, err);
}

/* Run a DELETE … RETURNING size about @digest; when it took the row, note it. */
static int drop_row(struct store *store, const char *sql, const struct digest *digest,
		    struct digests *dropped, uint64_t *bytes, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, sql, err) < 0)
		return -1;
	bind_digest(&query, digest);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (!row)
		return 0;
	*bytes += (uint64_t)column_int(&query, 0);
	digests_add(dropped, digest);
	return query_run(&query, err);
}

int gc_drop_layers(struct store *store, const struct digests *candidates, struct garbage *garbage,
		   struct err *err)
{
	for (size_t i = 0; i < candidates->count; i++)
		if (drop_row(store,
			     "DELETE FROM layers WHERE id=?1"
			     " AND NOT EXISTS(SELECT 1 FROM image_layers WHERE layer=?1)"
			     " AND NOT EXISTS(SELECT 1 FROM steps WHERE layer=?1)"
			     " AND NOT EXISTS(SELECT 1 FROM leases WHERE kind=0 AND object=?1)"
			     " RETURNING iif(place IS NULL, content_bytes, 0)",
			     &candidates->items[i], &garbage->layers, &garbage->bytes, err) < 0)
			return -1;
	return 0;
}

int gc_drop_blobs(struct store *store, const struct digests *candidates, struct garbage *garbage,
		  struct err *err)
{
	for (size_t i = 0; i < candidates->count; i++) {
		if (drop_row(store,
			     "DELETE FROM blobs WHERE digest=?1"
			     " AND NOT EXISTS(SELECT 1 FROM images WHERE id=?1)"
			     " AND NOT EXISTS(SELECT 1 FROM images WHERE manifest=?1)"
			     " AND NOT EXISTS(SELECT 1 FROM indexes WHERE id=?1)"
			     " AND NOT EXISTS(SELECT 1 FROM index_blobs WHERE blob=?1)"
			     " AND NOT EXISTS(SELECT 1 FROM layer_blobs b WHERE b.blob=?1 AND"
			     " (EXISTS(SELECT 1 FROM layers WHERE id=b.diff_id) OR EXISTS("
			     "SELECT 1 FROM layers WHERE id<>diff_id AND diff_id=b.diff_id)))"
			     " AND NOT EXISTS(SELECT 1 FROM leases WHERE kind=1 AND object=?1)"
			     " RETURNING size",
			     &candidates->items[i], &garbage->blobs, &garbage->bytes, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < garbage->blobs.count; i++)
		if (gc_run(store, "DELETE FROM layer_blobs WHERE blob=?", &garbage->blobs.items[i],
			   err) < 0 ||
		    gc_run(store, "DELETE FROM origins WHERE blob=?", &garbage->blobs.items[i],
			   err) < 0)
			return -1;
	return 0;
}

int gc_drop_image(struct store *store, const struct digest *id, struct err *err)
{
	if (gc_run(store, "DELETE FROM images WHERE id=?", id, err) < 0)
		return -1;
	return gc_run(store, "DELETE FROM image_layers WHERE image=?", id, err);
}

int gc_drop_index(struct store *store, const struct digest *id, struct err *err)
{
	if (gc_run(store, "DELETE FROM indexes WHERE id=?", id, err) < 0 ||
	    gc_run(store, "DELETE FROM index_images WHERE idx=?", id, err) < 0)
		return -1;
	return gc_run(store, "DELETE FROM index_blobs WHERE idx=?", id, err);
}

int gc_exists(struct store *store, const char *sql, const struct digest *about, bool *out,
	      struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, sql, err) < 0)
		return -1;
	bind_digest(&query, about);
	return query_step(&query, out, err);
}

int gc_discard_files(struct store *store, const struct garbage *garbage, int gone_fd,
		     struct err *err)
{
	auto_txn struct txn txn = TXN_INIT; /* for its lock alone */
	char hex[DIGEST_HEX_MAX];
	bool is_back = false;

	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0)
		return -1;
	for (size_t i = 0; i < garbage->layers.count; i++) {
		const struct digest *id = &garbage->layers.items[i];

		if (gc_exists(store, "SELECT 1 FROM layers WHERE id=? AND place IS NULL", id,
			      &is_back, err) < 0)
			return -1;
		if (!is_back &&
		    sweep_discard(store->layers_fd, digest_hex(id, hex), gone_fd, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < garbage->blobs.count; i++) {
		const struct digest *id = &garbage->blobs.items[i];

		if (gc_exists(store, "SELECT 1 FROM blobs WHERE digest=?", id, &is_back, err) < 0)
			return -1;
		if (!is_back &&
		    sweep_discard(store->blobs_fd, digest_hex(id, hex), gone_fd, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- layers of our own ---- */

static int discard_rows(struct store *store, const struct layer *layers, size_t count,
			struct garbage *garbage, struct err *err)
{
	auto_digests struct digests ids = { .items = NULL };
	auto_txn struct txn txn = TXN_INIT;

	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		digests_add(&ids, &layers[i].id);
		if (lease_drop(store, LEASE_LAYER, &layers[i].id, err) < 0)
			return -1;
	}
	if (gc_drop_layers(store, &ids, garbage, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

int layer_discard(struct store *store, const struct layer *layers, size_t count, struct err *err)
{
	auto_garbage struct garbage garbage = { .bytes = 0 };
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;

	if (count == 0)
		return 0;
	if (tmpdir_make(&gone, store->tmp_fd, err) < 0 ||
	    discard_rows(store, layers, count, &garbage, err) < 0)
		return -1;
	return gc_discard_files(store, &garbage, gone.fd, err);
}
