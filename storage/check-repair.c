/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what is done about faults: first blobs, for a layer is mended from its blob, then
 * layers, then images. What cannot be mended is removed together with the images that need
 * it, unless somebody uses them; nothing else is touched.
 */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/tmpfile.h"
#include "storage/attach-internal.h"
#include "storage/check-internal.h"
#include "storage/gc-internal.h"
#include "storage/layer-internal.h"
#include "storage/lease-internal.h"
#include "storage/origin.h"

static void settle(struct check_finding *finding, enum check_state state, const char *outcome)
{
	finding->state = state;
	free(finding->outcome);
	finding->outcome = str_dup(outcome);
}

/* ---- removing images ---- */

/* What is taken away in one transaction, and what it is for. */
struct removal {
	struct checker *checker;
	struct garbage garbage;
	struct strlist lost;
};

static int take_names(struct removal *removal, const struct digest *id, struct err *err)
{
	struct store *store = removal->checker->store;
	auto_strlist struct strlist names = STRLIST_INIT;

	if (image_names(store, id, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		check_add_image(&removal->lost, id, names.items[i]);
	if (names.count == 0)
		check_add_image(&removal->lost, id, NULL);
	return gc_run(store, "DELETE FROM names WHERE image=?", id, err);
}

/* In a transaction: indexes with their names; their images stay. */
static int remove_indexes(struct removal *removal, const char *sql, const struct digest *about,
			  struct err *err)
{
	struct store *store = removal->checker->store;
	auto_digests struct digests indexes = { .items = NULL };

	if (gc_select(store, sql, about, &indexes, err) < 0)
		return -1;
	for (size_t i = 0; i < indexes.count; i++) {
		auto_digests struct digests blobs = { .items = NULL };

		if (gc_select(store, "SELECT ?1 UNION SELECT blob FROM index_blobs WHERE idx=?1",
			      &indexes.items[i], &blobs, err) < 0 ||
		    take_names(removal, &indexes.items[i], err) < 0 ||
		    gc_drop_index(store, &indexes.items[i], err) < 0 ||
		    gc_drop_blobs(store, &blobs, &removal->garbage, err) < 0)
			return -1;
	}
	return 0;
}

static int is_used(struct store *store, const struct digest *image, bool *out, struct err *err)
{
	return gc_exists(
		store,
		"SELECT 1 FROM containers WHERE image=?1 UNION ALL SELECT 1 FROM mounts"
		" WHERE image=?1 UNION ALL SELECT 1 FROM leases WHERE kind=2 AND object=?1",
		image, out, err);
}

/* In a transaction; *out_used: one of them is used, and the transaction is to be given up. */
static int remove_images(struct removal *removal, const struct digests *images, bool *out_used,
			 struct err *err)
{
	struct store *store = removal->checker->store;

	for (size_t i = 0; i < images->count && !*out_used; i++)
		if (is_used(store, &images->items[i], out_used, err) < 0 ||
		    remove_indexes(removal, "SELECT DISTINCT idx FROM index_images WHERE image=?",
				   &images->items[i], err) < 0 ||
		    take_names(removal, &images->items[i], err) < 0 ||
		    gc_drop_all_of(store, &images->items[i], &removal->garbage, err) < 0)
			return -1;
	return 0;
}

/* What is left of the damaged thing itself when no image needs it. */
static int remove_thing(struct removal *removal, const struct check_finding *finding,
			struct err *err)
{
	struct store *store = removal->checker->store;
	struct digest digest = finding->digest;
	struct digests one = { .items = &digest, .count = 1 };

	if (finding->fault == CHECK_INDEX)
		return 0;
	if (finding->fault == CHECK_LAYER) {
		if (gc_run(store, "DELETE FROM steps WHERE layer=?", &digest, err) < 0)
			return -1;
		return gc_drop_layers(store, &one, &removal->garbage, err);
	}
	if (gc_run(store, "UPDATE images SET manifest=NULL WHERE manifest=?", &digest, err) < 0)
		return -1;
	return gc_drop_blobs(store, &one, &removal->garbage, err);
}

static int load_victims(struct store *store, const struct check_finding *finding,
			struct digests *out, struct err *err)
{
	return gc_select(store,
			 finding->fault == CHECK_LAYER
				 ? "SELECT DISTINCT image FROM image_layers WHERE layer=?"
				 : "SELECT id FROM images WHERE id=?",
			 &finding->digest, out, err);
}

/* In a transaction. */
static int remove_rows(struct removal *removal, const struct check_finding *finding, bool *out_used,
		       struct err *err)
{
	struct store *store = removal->checker->store;
	auto_digests struct digests images = { .items = NULL };

	if (lease_sweep(store, NULL, err) < 0 || attach_sweep(store, err) < 0 ||
	    load_victims(store, finding, &images, err) < 0 ||
	    remove_indexes(removal,
			   "SELECT id FROM indexes WHERE id=?1 UNION SELECT idx FROM index_blobs"
			   " WHERE blob=?1 UNION SELECT idx FROM index_images WHERE manifest=?1",
			   &finding->digest, err) < 0 ||
	    remove_images(removal, &images, out_used, err) < 0)
		return -1;
	return *out_used ? 0 : remove_thing(removal, finding, err);
}

static int remove_damaged(struct removal *removal, struct check_finding *finding, struct err *err)
{
	struct checker *checker = removal->checker;
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;
	bool is_used = false;

	if (tmpdir_make(&gone, checker->store->tmp_fd, err) < 0)
		return -1;
	{
		auto_txn struct txn txn = TXN_INIT;

		if (txn_begin(&txn, checker->store->db, TXN_DURABLE, err) < 0 ||
		    remove_rows(removal, finding, &is_used, err) < 0)
			return -1;
		if (is_used) { /* rolled back */
			settle(finding, CHECK_FOUND,
			       "a container, a mount or a running command uses an image that needs "
			       "it: save what you want to keep (imgstore export), remove that, and "
			       "repair again");
			return 0;
		}
		if (txn_commit(&txn, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < removal->lost.count; i++)
		if (!strlist_has(&checker->report.lost, removal->lost.items[i]))
			strlist_add(&checker->report.lost, removal->lost.items[i]);
	settle(finding, removal->lost.count ? CHECK_LOST : CHECK_REPAIRED,
	       removal->lost.count
		       ? "removed, and the images that needed it: pull or build them again"
		       : "removed: no image needed it");
	return gc_discard_files(checker->store, &removal->garbage, gone.fd, err);
}

static int lose(struct checker *checker, struct check_finding *finding, struct err *err)
{
	struct removal removal = { .checker = checker, .lost = STRLIST_INIT };
	int result = remove_damaged(&removal, finding, err);

	garbage_release(&removal.garbage);
	strlist_release(&removal.lost);
	return result;
}

/* ---- blobs ---- */

struct form {
	struct digest diff_id;
	enum codec codec;
	int level;
};

static int load_form(struct store *store, const struct digest *blob, bool *out_found,
		     struct form *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "SELECT diff_id, codec, level FROM layer_blobs WHERE blob=? LIMIT 1",
		       err) < 0)
		return -1;
	bind_digest(&query, blob);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	out->codec = (enum codec)column_int(&query, 1);
	out->level = (int)column_int(&query, 2);
	return column_digest(&query, 0, &out->diff_id, err);
}

static struct check_layer *find_layer(struct checker *checker, const struct digest *diff_id)
{
	for (size_t i = 0; i < checker->layer_count; i++)
		if (digest_equal(&checker->layers[i].layer.diff_id, diff_id))
			return &checker->layers[i];
	return NULL;
}

/* Row and file of a bad blob go; documents that name it are written anew when they are asked for.
 */
static int forget_blob(struct checker *checker, const struct digest *digest, bool keep_manifest,
		       struct err *err)
{
	struct store *store = checker->store;
	auto_garbage struct garbage garbage = { .bytes = 0 };
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;
	auto_txn struct txn txn = TXN_INIT;

	digests_add(&garbage.blobs, digest);
	if (tmpdir_make(&gone, store->tmp_fd, err) < 0 ||
	    txn_begin(&txn, store->db, TXN_DURABLE, err) < 0 ||
	    (!keep_manifest &&
	     gc_run(store, "UPDATE images SET manifest=NULL WHERE manifest=?", digest, err) < 0) ||
	    gc_run(store, "DELETE FROM layer_blobs WHERE blob=?", digest, err) < 0 ||
	    gc_run(store, "DELETE FROM leases WHERE kind=1 AND object=?", digest, err) < 0 ||
	    gc_run(store, "DELETE FROM blobs WHERE digest=?", digest, err) < 0 ||
	    txn_commit(&txn, err) < 0)
		return -1;
	return gc_discard_files(store, &garbage, gone.fd, err);
}

/* The layer packs to the right tar, so we can make it ourselves from now on. */
static int adopt_layer(struct checker *checker, struct check_layer *layer, struct err *err)
{
	if (layer->layer.is_ours)
		return 0;
	layer->layer.is_ours = true;
	return gc_run(checker->store, "UPDATE layers SET is_ours=1 WHERE id=?", &layer->layer.id,
		      err);
}

static int repack(struct checker *checker, struct check_finding *finding, const struct form *form,
		  struct check_layer *layer, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct layer_blob blob;

	if (adopt_layer(checker, layer, err) < 0)
		return -1;
	if (layer_blob_make(checker->store, &layer->layer, form->codec, form->level, &blob,
			    &ignored) == 0 &&
	    digest_equal(&blob.digest, &finding->digest))
		settle(finding, CHECK_REPAIRED, "packed again from the layer's files");
	else
		settle(finding, CHECK_REPAIRED,
		       "removed: it will be packed anew when it is needed, to another digest");
	return 0;
}

/* *out_done: the very blob is there again. */
static int pull_blob(struct checker *checker, struct check_finding *finding, bool *out_done,
		     struct err *err)
{
	auto_strbuf struct strbuf place = STRBUF_INIT;
	auto_free char *outcome = NULL;

	if (check_pull_again(checker, finding, &place, err) < 0 ||
	    gc_exists(checker->store, "SELECT 1 FROM blobs WHERE digest=?", &finding->digest,
		      out_done, err) < 0)
		return -1;
	*out_done = *out_done && place.len > 0;
	if (!*out_done)
		return 0;
	outcome = str_format("pulled again from %s", place.data);
	settle(finding, CHECK_REPAIRED, outcome);
	return 0;
}

static int repair_layer_blob(struct checker *checker, struct check_finding *finding,
			     const struct form *form, struct err *err)
{
	struct check_layer *layer = find_layer(checker, &form->diff_id);
	bool is_done = false;

	if (forget_blob(checker, &finding->digest, true, err) < 0 ||
	    pull_blob(checker, finding, &is_done, err) < 0)
		return -1;
	if (is_done)
		return 0;
	if (layer && layer->is_packable && !layer->is_damaged)
		return repack(checker, finding, form, layer, err);
	settle(finding, CHECK_LOST,
	       layer && !layer->is_damaged
		       ? "removed: the images can be used, and pushed again once they were pulled "
			 "again"
		       : "removed");
	return 0;
}

/* Without it an image is none; with a place to ask, it is worth forgetting what is damaged. */
static int repair_document(struct checker *checker, struct check_finding *finding, struct err *err)
{
	auto_strlist struct strlist places = STRLIST_INIT;
	bool is_done = false;

	if (origin_list(checker->store, &finding->digest, "", &places, err) < 0)
		return -1;
	if (places.count > 0 && (forget_blob(checker, &finding->digest, true, err) < 0 ||
				 pull_blob(checker, finding, &is_done, err) < 0))
		return -1;
	return is_done ? 0 : lose(checker, finding, err);
}

static int repair_blob(struct checker *checker, struct check_finding *finding, struct err *err)
{
	struct form form;
	bool is_config = false; /* or something that an index cannot be without */
	bool is_form = false;

	if (gc_exists(checker->store,
		      "SELECT 1 FROM images WHERE id=?1 UNION ALL SELECT 1 FROM indexes WHERE id=?1"
		      " UNION ALL SELECT 1 FROM index_blobs WHERE blob=?1 UNION ALL"
		      " SELECT 1 FROM index_images WHERE manifest=?1",
		      &finding->digest, &is_config, err) < 0 ||
	    load_form(checker->store, &finding->digest, &is_form, &form, err) < 0)
		return -1;
	if (is_config)
		return repair_document(checker, finding, err);
	if (is_form)
		return repair_layer_blob(checker, finding, &form, err);
	if (forget_blob(checker, &finding->digest, false, err) < 0)
		return -1;
	settle(finding, CHECK_REPAIRED,
	       finding->images.count ? "removed: the image gets a new manifest when it is needed"
				     : "removed: nothing needed it");
	return 0;
}

/* ---- layers ---- */

/* From its kept blob; settles the finding. -1: not done, and @problem says why. */
static int unpack_again(struct checker *checker, struct check_finding *finding,
			const struct layer *layer, struct err *problem)
{
	struct store *store = checker->store;
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	auto_layer_lock struct layer_lock lock = LAYER_LOCK_INIT;
	bool in_use = false;

	if (layer_lock_take(store, &layer->diff_id, &lock, problem) < 0 ||
	    layer_draft_open(store, &draft, problem) < 0 ||
	    layer_kept_unpack(store, layer, &draft, problem) < 0 ||
	    layer_draft_replace(store, &draft, layer, &in_use, problem) < 0)
		return -1;
	settle(finding, in_use ? CHECK_FOUND : CHECK_REPAIRED,
	       in_use ? "a mount or a running command uses it: repair it when that is over"
		      : "unpacked again from its blob");
	return 0;
}

static int repair_layer(struct checker *checker, struct check_finding *finding, struct err *err)
{
	struct store *store = checker->store;
	auto_strbuf struct strbuf place = STRBUF_INIT;
	struct err problem = ERR_INIT;
	struct layer layer;
	bool implicit = false;
	bool found = false;

	if (layer_load(store, &finding->digest, &found, &implicit, &layer, err) < 0)
		return -1;
	if (!found)
		return settle(finding, CHECK_REPAIRED, "somebody has removed it"), 0;
	if (unpack_again(checker, finding, &layer, &problem) == 0)
		return 0;
	/* no blob is kept, or not the right one */
	if (problem.kind == ERR_INPUT) {
		err_clear(&problem);
		if (check_pull_again(checker, finding, &place, err) < 0)
			return -1;
		if (place.len == 0)
			return lose(checker, finding, err);
		if (unpack_again(checker, finding, &layer, &problem) == 0)
			return 0;
	}
	if (problem.kind == ERR_INPUT)
		return lose(checker, finding, err);
	settle(finding, CHECK_FOUND, problem.text); /* no space, for one */
	return 0;
}

/* ---- all ---- */

static int repair_name(struct checker *checker, struct check_finding *finding, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, checker->store->db,
		       "DELETE FROM names WHERE name=? AND image NOT IN (SELECT id FROM images)"
		       " AND image NOT IN (SELECT id FROM indexes)",
		       err) < 0)
		return -1;
	bind_text(&query, finding->id);
	if (query_run(&query, err) < 0)
		return -1;
	strlist_add(&checker->report.lost, finding->id);
	settle(finding, CHECK_LOST, "removed: pull or build it again");
	return 0;
}

/* Rows that speak of what is gone. */
static int repair_rows(struct checker *checker, struct check_finding *finding, struct err *err)
{
	struct store *store = checker->store;
	auto_txn struct txn txn = TXN_INIT;

	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0 ||
	    gc_run(store, "DELETE FROM image_layers WHERE image NOT IN (SELECT id FROM images)",
		   NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM layer_blobs WHERE blob NOT IN (SELECT digest FROM blobs)",
		   NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM steps WHERE layer NOT IN (SELECT id FROM layers)", NULL,
		   err) < 0 ||
	    gc_run(store, "DELETE FROM index_images WHERE idx NOT IN (SELECT id FROM indexes)",
		   NULL, err) < 0 ||
	    gc_run(store, "DELETE FROM index_blobs WHERE idx NOT IN (SELECT id FROM indexes)", NULL,
		   err) < 0)
		return -1;
	settle(finding, CHECK_REPAIRED, "removed");
	return txn_commit(&txn, err);
}

static int repair_one(struct checker *checker, struct check_finding *finding, struct err *err)
{
	switch (finding->fault) {
	case CHECK_BLOB:
		return repair_blob(checker, finding, err);
	case CHECK_LAYER:
		return repair_layer(checker, finding, err);
	case CHECK_IMAGE:
	case CHECK_INDEX:
		return lose(checker, finding, err);
	case CHECK_MANIFEST:
		settle(finding, CHECK_REPAIRED, "forgotten: it gets a new one when it is needed");
		return gc_run(checker->store, "UPDATE images SET manifest=NULL WHERE id=?",
			      &finding->digest, err);
	case CHECK_NAME:
		return repair_name(checker, finding, err);
	case CHECK_DATABASE:
		settle(finding, CHECK_FOUND,
		       "restore store.db, or empty the store with imgstore reset");
		return 0;
	case CHECK_CONTAINER:
		settle(finding, CHECK_FOUND, "its files are kept until imgstore rm removes them");
		return 0;
	case CHECK_LEFTOVER: /* files of the dead are gone already */
		return repair_rows(checker, finding, err);
	case CHECK_UNSYNCED:
	case CHECK_UNPROVEN:
	case CHECK_ELSEWHERE:
		break;
	}
	return 0;
}

int check_repair(struct checker *checker, struct err *err)
{
	static const enum check_fault order[] = { CHECK_DATABASE, CHECK_BLOB,      CHECK_LAYER,
						  CHECK_IMAGE,    CHECK_MANIFEST,  CHECK_INDEX,
						  CHECK_NAME,     CHECK_CONTAINER, CHECK_LEFTOVER };

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
		for (size_t i = 0; i < checker->report.count; i++) {
			struct check_finding *finding = &checker->report.items[i];

			if (finding->fault == order[k] && finding->state == CHECK_FOUND &&
			    repair_one(checker, finding, err) < 0)
				return err_prefix(err, "repair %s", finding->id);
		}
	return 0;
}
