/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for removing an image or an index: whether it may go, its names, and
 * what it leaves behind that nothing else needs (gc.c).
 */
#include <string.h>

#include "common/strlist.h"
#include "common/tmpfile.h"
#include "layers/ref.h"
#include "storage/attach-internal.h"
#include "storage/gc-internal.h"
#include "storage/image-internal.h"
#include "storage/lease-internal.h"

void image_removal_release(struct image_removal *removal)
{
	strlist_release(&removal->untagged);
}

/* What keeps the image although its names go; an error unless @force. */
static int check_users(struct store *store, const struct digest *id, const char *text, bool force,
		       bool *out_is_used, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool by_mount = false;
	bool row = false;

	if (query_open(&query, store->db, "SELECT name FROM containers WHERE image=? LIMIT 1",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (row && !force)
		return err_set(err, ERR_INPUT,
			       "image '%s' is used by container '%s': remove that first, or take "
			       "the name away with --force",
			       text, column_text(&query, 0));
	if (gc_exists(store, "SELECT 1 FROM mounts WHERE image=?", id, &by_mount, err) < 0)
		return -1;
	if (by_mount && !force)
		return err_set(err, ERR_INPUT,
			       "image '%s' is mounted: imgstore umount it first, or take the name "
			       "away with --force",
			       text);
	*out_is_used = row || by_mount;
	return 0;
}

static int take_names(struct store *store, const struct image_match *match,
		      const struct strlist *names, struct strlist *out, struct err *err)
{
	for (size_t i = 0; i < names->count; i++) {
		auto_query struct query query = QUERY_INIT;
		auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
		auto_strbuf struct strbuf familiar = STRBUF_INIT;

		if (match->by_name && strcmp(names->items[i], match->name) != 0)
			continue;
		if (query_open(&query, store->db, "DELETE FROM names WHERE name=?", err) < 0)
			return -1;
		bind_text(&query, names->items[i]);
		if (query_run(&query, err) < 0 || image_ref_parse(names->items[i], &ref, err) < 0)
			return -1;
		image_ref_format_familiar(&ref, &familiar);
		strlist_add(out, familiar.data);
	}
	return 0;
}

/* Its blobs and those of its layers. */
static int image_blobs(struct store *store, const struct digest *id, struct digests *out,
		       struct err *err)
{
	return gc_select(store,
			 "SELECT ?1 UNION SELECT manifest FROM images WHERE id=?1 AND manifest"
			 " IS NOT NULL UNION SELECT b.blob FROM image_layers x JOIN layers l ON"
			 " l.id=x.layer JOIN layer_blobs b ON b.diff_id=l.diff_id WHERE"
			 " x.image=?1",
			 id, out, err);
}

int gc_drop_all_of(struct store *store, const struct digest *id, struct garbage *garbage,
		   struct err *err)
{
	auto_digests struct digests layers = { .items = NULL };
	auto_digests struct digests blobs = { .items = NULL };

	if (gc_select(store, "SELECT layer FROM image_layers WHERE image=?", id, &layers, err) <
		    0 ||
	    image_blobs(store, id, &blobs, err) < 0 || gc_drop_image(store, id, err) < 0 ||
	    gc_drop_layers(store, &layers, garbage, err) < 0)
		return -1;
	return gc_drop_blobs(store, &blobs, garbage, err);
}

/* Its images go with it, but those that have another reason to stay. */
static int drop_index_and_images(struct store *store, const struct digest *id,
				 struct garbage *garbage, struct err *err)
{
	auto_digests struct digests images = { .items = NULL };
	auto_digests struct digests blobs = { .items = NULL };

	if (gc_select(store,
		      "SELECT DISTINCT image FROM index_images m WHERE idx=?1"
		      " AND NOT EXISTS(SELECT 1 FROM names WHERE image=m.image)"
		      " AND NOT EXISTS(SELECT 1 FROM containers WHERE image=m.image)"
		      " AND NOT EXISTS(SELECT 1 FROM mounts WHERE image=m.image)"
		      " AND NOT EXISTS(SELECT 1 FROM leases WHERE kind=2 AND object=m.image)"
		      " AND NOT EXISTS(SELECT 1 FROM index_images WHERE image=m.image"
		      " AND idx<>?1)",
		      id, &images, err) < 0 ||
	    gc_select(store, "SELECT ?1 UNION SELECT blob FROM index_blobs WHERE idx=?1", id,
		      &blobs, err) < 0 ||
	    gc_drop_index(store, id, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++)
		if (gc_drop_all_of(store, &images.items[i], garbage, err) < 0)
			return -1;
	return gc_drop_blobs(store, &blobs, garbage, err);
}

/* What keeps one of its images keeps an index, too. */
static int check_index_users(struct store *store, const struct digest *id, const char *text,
			     bool force, struct err *err)
{
	auto_digests struct digests images = { .items = NULL };
	bool is_used = false;

	if (gc_select(store, "SELECT DISTINCT image FROM index_images WHERE idx=?", id, &images,
		      err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++)
		if (check_users(store, &images.items[i], text, force, &is_used, err) < 0)
			return -1;
	return 0;
}

static int remove_index_rows(struct store *store, const struct image_match *match, const char *text,
			     bool force, struct image_removal *out, struct garbage *garbage,
			     struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	bool is_leased = false;

	if (image_names(store, &match->id, &names, err) < 0 ||
	    check_index_users(store, &match->id, text, force, err) < 0 ||
	    gc_exists(store, "SELECT 1 FROM leases WHERE kind=3 AND object=?", &match->id,
		      &is_leased, err) < 0 ||
	    take_names(store, match, &names, &out->untagged, err) < 0)
		return -1;
	if (is_leased)
		return 0;
	out->image_removed = true;
	return drop_index_and_images(store, &match->id, garbage, err);
}

/* By its ID: it can only go with the index. */
static int check_not_in_index(struct store *store, const struct image_match *match,
			      const char *text, bool force, bool *out_is_in_index, struct err *err)
{
	if (gc_exists(store, "SELECT 1 FROM index_images WHERE image=?", &match->id,
		      out_is_in_index, err) < 0)
		return -1;
	if (*out_is_in_index && !match->by_name && !force)
		return err_set(err, ERR_INPUT,
			       "image '%s' is one of the images of an index: remove that", text);
	return 0;
}

/* In a transaction. */
static int remove_rows(struct store *store, const char *text, bool force, struct image_removal *out,
		       struct garbage *garbage, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	auto_strlist struct strlist names = STRLIST_INIT;
	bool is_in_index = false;
	bool is_used = false;
	bool is_leased = false;

	if (lease_sweep(store, NULL, err) < 0 || attach_sweep(store, err) < 0 ||
	    image_must_resolve(store, text, &match, err) < 0)
		return -1;
	if (match.home != store)
		return err_set(err, ERR_INPUT,
			       "image '%s' is in the store '%s', which is only read here: remove "
			       "it there (--root)",
			       text, match.home->root_path);
	if (image_names(store, &match.id, &names, err) < 0)
		return -1;
	if (!match.by_name && names.count > 1 && !force)
		return err_set(err, ERR_INPUT,
			       "image '%s' has %zu names: name one of them, or take all with "
			       "--force",
			       text, names.count);
	if (match.by_name && names.count > 1)
		return take_names(store, &match, &names, &out->untagged, err);
	if (match.is_index)
		return remove_index_rows(store, &match, text, force, out, garbage, err);
	if (check_users(store, &match.id, text, force, &is_used, err) < 0 ||
	    check_not_in_index(store, &match, text, force, &is_in_index, err) < 0 ||
	    gc_exists(store, "SELECT 1 FROM leases WHERE kind=2 AND object=?", &match.id,
		      &is_leased, err) < 0 ||
	    take_names(store, &match, &names, &out->untagged, err) < 0)
		return -1;
	/* a process that has just found it may be about to name it: prune takes it later */
	if (is_used || is_leased || is_in_index)
		return 0;
	out->image_removed = true;
	return gc_drop_all_of(store, &match.id, garbage, err);
}

static int remove_image(struct store *store, const char *text, bool force,
			struct image_removal *out, struct err *err)
{
	auto_garbage struct garbage garbage = { .bytes = 0 };
	/* made first: should we be killed, it tells the next one to sweep */
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;

	if (tmpdir_make(&gone, store->tmp_fd, err) < 0)
		return -1;
	{
		auto_txn struct txn txn = TXN_INIT;

		if (txn_begin(&txn, store->db, TXN_DURABLE, err) < 0 ||
		    remove_rows(store, text, force, out, &garbage, err) < 0 ||
		    txn_commit(&txn, err) < 0)
			return -1;
	}
	out->layers_removed = garbage.layers.count;
	return gc_discard_files(store, &garbage, gone.fd, err);
}

int image_remove(struct store *store, const char *text, bool force, struct image_removal *out,
		 struct err *err)
{
	auto_image_removal struct image_removal removal = IMAGE_REMOVAL_INIT;
	int result;

	spare_drop(store);
	result = remove_image(store, text, force, &removal, err);
	spare_make(store);
	if (result == 0) {
		*out = removal;
		removal = (struct image_removal)IMAGE_REMOVAL_INIT;
	}
	return result;
}
