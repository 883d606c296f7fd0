/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for images as the store keeps them: a config blob, the layers it
 * names, perhaps the manifest it came with. Names are image-name.c's, manifests
 * image-manifest.c's, removal gc.c's.
 */
#include "storage/image.h"

#include "common/mem.h"
#include "layers/ref.h"
#include "storage/blob.h"
#include "storage/image-internal.h"
#include "storage/layer-internal.h"
#include "storage/lease-internal.h"
#include "storage/store-internal.h"

void image_release(struct image *image)
{
	image_config_release(&image->config);
	free(image->layers);
	*image = (struct image)IMAGE_INIT;
}

/* ---- recording ------------------------------------------------------------- */

static int find_layers(struct store *store, const struct image_config *config, struct layer *layers,
		       struct err *err)
{
	struct digest chain;
	char hex[DIGEST_HEX_MAX];

	for (size_t i = 0; i < config->diff_id_count; i++) {
		const struct digest *diff_id = &config->diff_ids[i];
		bool found = false;

		if (layer_find(store, i ? &chain : NULL, diff_id, &found, &layers[i], err) < 0)
			return -1;
		if (!found)
			return err_set(err, ERR_BUG, "an image is recorded before its layer %s",
				       digest_hex(diff_id, hex));
		digest_chain(i ? &chain : NULL, diff_id, &chain);
	}
	return 0;
}

static int put_row(struct store *store, const struct digest *id, const struct digest *manifest,
		   const char *created, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t seq;

	/* known already: a manifest is added, never forgotten */
	if (sync_next_seq(store, &seq, err) < 0 ||
	    query_open(&query, store->db,
		       "INSERT INTO images(id, manifest, created, seq) VALUES(?1, ?2, ?3, ?4)"
		       " ON CONFLICT(id) DO UPDATE SET manifest=?2 WHERE ?2 IS NOT NULL",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_digest(&query, manifest);
	bind_text(&query, created);
	bind_int(&query, seq);
	return query_run(&query, err);
}

static int put_layer(struct store *store, const struct digest *id, size_t position,
		     const struct digest *layer, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR REPLACE INTO image_layers(image, position, layer)"
		       " VALUES(?, ?, ?)",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_int(&query, (int64_t)position);
	bind_digest(&query, layer);
	return query_run(&query, err);
}

static int has_manifest(struct store *store, const struct digest *id, const struct digest *manifest,
			bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "SELECT 1 FROM images WHERE id=?1 AND (?2 IS NULL OR manifest=?2)", err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_digest(&query, manifest);
	return query_step(&query, out, err);
}

static int put_image(struct store *store, const struct digest *id, const struct digest *manifest,
		     const struct image_config *config, struct err *err)
{
	auto_free struct layer *layers = mem_array(config->diff_id_count, sizeof(*layers));
	auto_txn struct txn txn = TXN_INIT;
	bool found = false;

	if (find_layers(store, config, layers, err) < 0 ||
	    lease_take(store, LEASE_IMAGE, id, err) < 0 ||
	    has_manifest(store, id, manifest, &found, err) < 0)
		return -1;
	if (found)
		return 0;
	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0 ||
	    put_row(store, id, manifest, config->created, err) < 0)
		return -1;
	for (size_t i = 0; i < config->diff_id_count; i++)
		if (put_layer(store, id, i, &layers[i].id, err) < 0)
			return -1;
	return txn_commit(&txn, err);
}

int image_put(struct store *store, const void *config, size_t config_len, const void *manifest,
	      size_t manifest_len, struct digest *out_id, struct err *err)
{
	auto_image_config struct image_config parsed = { .created = NULL };
	struct digest manifest_digest;
	struct digest id;

	if (image_config_parse(config, config_len, "image config", &parsed, err) < 0 ||
	    blob_put(store, config, config_len, &id, err) < 0 ||
	    (manifest && blob_put(store, manifest, manifest_len, &manifest_digest, err) < 0) ||
	    put_image(store, &id, manifest ? &manifest_digest : NULL, &parsed, err) < 0)
		return err_prefix(err, "store an image");
	*out_id = id;
	return 0;
}

/* ---- finding --------------------------------------------------------------- */

static int load_row(struct store *store, const struct digest *id, bool *out_found,
		    struct image *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "SELECT manifest FROM images WHERE id=?", err) < 0)
		return -1;
	bind_digest(&query, id);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	out->id = *id;
	out->has_manifest = *out_found && !column_is_null(&query, 0);
	return out->has_manifest ? column_digest(&query, 0, &out->manifest_digest, err) : 0;
}

static int load_layers(struct store *store, struct image *image, struct err *err)
{
	auto_free struct digest *ids = mem_array(image->config.diff_id_count, sizeof(*ids));
	auto_query struct query query = QUERY_INIT;
	size_t count = 0;
	bool row = false;
	bool implicit = false;

	if (query_open(&query, store->db,
		       "SELECT layer FROM image_layers WHERE image=? ORDER BY position", err) < 0)
		return -1;
	bind_digest(&query, &image->id);
	for (; query_step(&query, &row, err) == 0 && row; count++)
		if (count < image->config.diff_id_count &&
		    column_digest(&query, 0, &ids[count], err) < 0)
			return -1;
	if (err->kind != ERR_NONE)
		return -1;
	if (count != image->config.diff_id_count)
		return err_set(err, ERR_INPUT, "its config names %zu layers, the store knows %zu",
			       image->config.diff_id_count, count);
	image->layers = mem_array(count, sizeof(*image->layers));
	for (size_t i = 0; i < count; i++) {
		bool found = false;
		char hex[DIGEST_HEX_MAX];

		if (layer_load(store, &ids[i], &found, &implicit, &image->layers[i], err) < 0)
			return -1;
		if (!found)
			return err_set(err, ERR_INPUT, "its layer %s is missing",
				       digest_hex(&ids[i], hex));
	}
	return 0;
}

static int load_image(struct store *store, const struct digest *id, bool *out_found,
		      struct image *out, struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	char name[DIGEST_NAME_MAX];

	if (load_row(store, id, out_found, &image, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	digest_name(id, name);
	if (blob_load(store, id, CONFIG_MAX_BYTES, &bytes, err) < 0 ||
	    image_config_parse(bytes.data, bytes.len, name, &image.config, err) < 0 ||
	    load_layers(store, &image, err) < 0)
		return err_prefix(err, "image %.19s", name);
	*out = image;
	image = (struct image)IMAGE_INIT;
	return 0;
}

/* The image, its layers and its manifest, in one transaction. */
static int lease_image(struct store *store, const struct digest *id, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	auto_txn struct txn txn = TXN_INIT;

	if (lease_has(store, LEASE_IMAGE, id))
		return 0;
	if (lease_open(store, err) < 0 || txn_begin(&txn, store->db, TXN_FAST, err) < 0 ||
	    lease_add(store, LEASE_IMAGE, id, err) < 0 ||
	    query_open(&query, store->db,
		       "INSERT OR IGNORE INTO leases(kind, object, lease)"
		       " SELECT ?1, layer, ?4 FROM image_layers WHERE image=?3"
		       " UNION SELECT ?2, id, ?4 FROM images WHERE id=?3"
		       " UNION SELECT ?2, manifest, ?4 FROM images WHERE id=?3 AND manifest IS NOT"
		       " NULL",
		       err) < 0)
		return -1;
	bind_int(&query, LEASE_LAYER);
	bind_int(&query, LEASE_BLOB);
	bind_digest(&query, id);
	bind_text(&query, store->lease_name);
	if (query_run(&query, err) < 0)
		return -1;
	query_release(&query);
	return txn_commit(&txn, err);
}

static void note_image(struct store *store, const struct image *image)
{
	lease_note(store, LEASE_IMAGE, &image->id);
	lease_note(store, LEASE_BLOB, &image->id);
	if (image->has_manifest)
		lease_note(store, LEASE_BLOB, &image->manifest_digest);
	for (size_t i = 0; i < image->config.diff_id_count; i++)
		lease_note(store, LEASE_LAYER, &image->layers[i].id);
}

int image_find(struct store *store, const char *text, bool *out_found, struct image *out,
	       struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	bool found = false;

	if (image_resolve(store, text, &found, &match, err) < 0)
		return -1;
	/* the lease first, then the look: what is there then stays */
	if (found && (lease_image(store, &match.id, err) < 0 ||
		      load_image(store, &match.id, &found, out, err) < 0))
		return -1;
	if (found)
		note_image(store, out);
	*out_found = found;
	return 0;
}

int image_get(struct store *store, const char *text, struct image *out, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	bool found = false;

	if (image_find(store, text, &found, out, err) < 0)
		return -1;
	if (found)
		return 0;
	if (image_must_resolve(store, text, &match, err) < 0)
		return -1;
	return err_set(err, ERR_INPUT, "image '%s' was removed just now", text);
}

/* ---- listing --------------------------------------------------------------- */

static int list_names(struct store *store, struct image_summary *item, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (image_names(store, &item->id, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
		auto_strbuf struct strbuf familiar = STRBUF_INIT;

		if (image_ref_parse(names.items[i], &ref, err) < 0)
			return -1;
		image_ref_format_familiar(&ref, &familiar);
		strlist_add(&item->names, familiar.data);
	}
	return 0;
}

static int list_rows(struct store *store, struct image_list *list, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	/* recorded later is newer where the creation times are equal */
	if (query_open(&query, store->db,
		       "SELECT i.id, i.created, count(l.id), total(l.content_bytes) FROM images i"
		       " LEFT JOIN image_layers x ON x.image=i.id LEFT JOIN layers l ON"
		       " l.id=x.layer GROUP BY i.id ORDER BY i.created DESC, i.seq DESC",
		       err) < 0)
		return -1;
	for (;;) {
		struct image_summary *item;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
		item = &list->items[list->count++];
		*item = (struct image_summary){ .created = str_dup(column_text(&query, 1)) };
		item->layer_count = (size_t)column_int(&query, 2);
		item->size_bytes = (uint64_t)column_int(&query, 3);
		if (column_digest(&query, 0, &item->id, err) < 0)
			return -1;
	}
}

int image_list(struct store *store, struct image_list *out, struct err *err)
{
	auto_image_list struct image_list list = IMAGE_LIST_INIT;

	if (list_rows(store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		if (list_names(store, &list.items[i], err) < 0)
			return -1;
	*out = list;
	list = (struct image_list)IMAGE_LIST_INIT;
	return 0;
}

void image_list_release(struct image_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		strlist_release(&list->items[i].names);
		free(list->items[i].created);
	}
	free(list->items);
	*list = (struct image_list)IMAGE_LIST_INIT;
}
