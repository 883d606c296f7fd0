/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for images as the store keeps them: a config blob, the layers it
 * names, perhaps the manifest it came with. Names are image-name.c's, manifests
 * image-manifest.c's, removal gc.c's.
 */
#include "storage/image.h"

#include "common/mem.h"
#include "storage/blob.h"
#include "storage/image-internal.h"
#include "storage/layer-internal.h"
#include "storage/lease-internal.h"
#include "storage/store-internal.h"

void image_release(struct image *image)
{
	image_config_release(&image->config);
	strlist_release(&image->annotations);
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

	/* known already: a manifest is added, never forgotten, and says what it carries */
	if (sync_next_seq(store, &seq, err) < 0 ||
	    query_open(
		    &query, store->db,
		    "INSERT INTO images(id, manifest, created, seq) VALUES(?1, ?2, ?3, ?4)"
		    " ON CONFLICT(id) DO UPDATE SET manifest=?2, annotations=NULL WHERE ?2 IS NOT"
		    " NULL",
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
		       "SELECT 1 FROM images WHERE id=?1 AND"
		       " (?2 IS NULL OR manifest=?2 AND annotations IS NULL)",
		       err) < 0)
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
		if (layer_note_place(store, &layers[i], err) < 0 ||
		    put_layer(store, id, i, &layers[i].id, err) < 0)
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

int image_take_over(struct store *store, const struct image_match *match, struct err *err)
{
	auto_strbuf struct strbuf config = STRBUF_INIT;
	auto_strbuf struct strbuf manifest = STRBUF_INIT;
	auto_image struct image image = IMAGE_INIT;
	struct digest id;

	if (match->home == store)
		return 0;
	if (match->is_index)
		return err_set(
			err, ERR_INPUT,
			"it is an index of the store '%s': name one of its images, by its ID",
			match->home->root_path);
	if (image_load(match->home, &match->id, &image, err) < 0 ||
	    blob_load(match->home, &image.id, CONFIG_MAX_BYTES, &config, err) < 0 ||
	    (image.has_manifest && blob_load(match->home, &image.manifest_digest,
					     MANIFEST_MAX_BYTES, &manifest, err) < 0))
		return -1;
	if (image_put(store, config.data, config.len, image.has_manifest ? manifest.data : NULL,
		      manifest.len, &id, err) < 0)
		return -1;
	return image.is_annotated ? image_annotate(store, &id, &image.annotations, err) : 0;
}

/* ---- finding --------------------------------------------------------------- */

static int load_row(struct store *store, const struct digest *id, bool *out_found,
		    struct image *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "SELECT manifest, annotations FROM images WHERE id=?1 AND seq<=?2", err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_int(&query, store->trusted_seq);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	out->id = *id;
	out->has_manifest = *out_found && !column_is_null(&query, 0);
	if (out->has_manifest && column_digest(&query, 0, &out->manifest_digest, err) < 0)
		return -1;
	out->is_annotated = *out_found && !column_is_null(&query, 1);
	return out->is_annotated
		       ? image_annotations_parse(column_text(&query, 1), &out->annotations, err)
		       : 0;
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

	if (store->is_read_only || lease_has(store, LEASE_IMAGE, id))
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

/* The lease first, then the look: what is there then stays. */
static int find_by_id(struct store *store, const struct digest *id, bool *out_found,
		      struct image *out, struct err *err)
{
	if (lease_image(store, id, err) < 0 || load_image(store, id, out_found, out, err) < 0)
		return -1;
	if (*out_found)
		note_image(store, out);
	return 0;
}

int image_load(struct store *store, const struct digest *id, struct image *out, struct err *err)
{
	char hex[DIGEST_HEX_MAX];
	bool found = false;

	if (find_by_id(store, id, &found, out, err) < 0)
		return -1;
	return found ? 0
		     : err_set(err, ERR_INPUT, "image %s is not in the store", digest_hex(id, hex));
}

int image_find(struct store *store, const char *text, const struct platform *platform,
	       bool *out_found, struct image *out, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	bool found = false;

	if (image_resolve(store, text, &found, &match, err) < 0)
		return -1;
	if (found && match.is_index) {
		if (image_index_choose(match.home, &match.id, platform, text, out, err) < 0)
			return -1;
	} else if (found && find_by_id(match.home, &match.id, &found, out, err) < 0) {
		return -1;
	}
	*out_found = found;
	return 0;
}

int image_get(struct store *store, const char *text, const struct platform *platform,
	      struct image *out, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	bool found = false;

	if (image_find(store, text, platform, &found, out, err) < 0)
		return -1;
	if (found)
		return 0;
	if (image_must_resolve(store, text, &match, err) < 0)
		return -1;
	return err_set(err, ERR_INPUT, "image '%s' was removed just now", text);
}

static int check_platform(const struct image *image, const struct platform *wanted,
			  const char *text, struct err *err)
{
	const struct platform *have = &image->config.platform;
	auto_strbuf struct strbuf want_text = STRBUF_INIT;
	auto_strbuf struct strbuf have_text = STRBUF_INIT;

	if (!have->os || !have->architecture || platform_match(wanted, have) >= 0)
		return 0;
	platform_format(wanted, &want_text);
	platform_format(have, &have_text);
	return err_set(err, ERR_INPUT, "image '%s' is for %s, not for %s", text, have_text.data,
		       want_text.data);
}

int image_get_for(struct store *store, const char *text, const char *platform, struct image *out,
		  struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	auto_platform struct platform wanted = { .os = NULL };

	if (platform && platform_parse(platform, &wanted, err) < 0) {
		err->kind = ERR_USAGE;
		return err_prefix(err, "--platform");
	}
	if (image_get(store, text, platform ? &wanted : NULL, &image, err) < 0 ||
	    (platform && !image.has_index && check_platform(&image, &wanted, text, err) < 0))
		return -1;
	*out = image;
	image = (struct image)IMAGE_INIT;
	return 0;
}
