/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for indexes as the store keeps them. Their names are image-name.c's,
 * their removal gc.c's; which entry serves a platform is layers/manifest.c's.
 */
#include "storage/image-index.h"

#include <string.h>

#include "common/mem.h"
#include "storage/blob.h"
#include "storage/image-internal.h"
#include "storage/lease-internal.h"

void image_index_release(struct image_index *index)
{
	strbuf_release(&index->bytes);
	index_release(&index->document);
	*index = (struct image_index)IMAGE_INDEX_INIT;
}

/* ---- what an index needs --------------------------------------------------- */

struct part {
	struct digest image;
	struct digest manifest;
};

/* Found out by reading it all, before anything is written. */
struct contents {
	struct part *parts;
	size_t part_count;
	struct digest *blobs;
	size_t blob_count;
	char *created; /* of the newest image; or NULL */
};
#define auto_contents __attribute__((cleanup(contents_release)))

static void contents_release(struct contents *contents)
{
	free(contents->parts);
	free(contents->blobs);
	free(contents->created);
}

/* A blob that must be there. */
static int need_blob(struct store *store, const struct digest *digest, struct contents *contents,
		     struct err *err)
{
	char hex[DIGEST_HEX_MAX];
	bool found = false;

	if (blob_find(store, digest, &found, NULL, err) < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_INPUT, "blob %s of an index is not in the store",
			       digest_hex(digest, hex));
	contents->blobs =
		mem_resize(contents->blobs, contents->blob_count + 1, sizeof(*contents->blobs));
	contents->blobs[contents->blob_count++] = *digest;
	return 0;
}

/* The newest creation time is the index's. */
static int add_image(struct store *store, const struct digest *manifest, const struct digest *id,
		     struct contents *contents, bool *out_is_image, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	const char *created;

	if (query_open(&query, store->db, "SELECT created FROM images WHERE id=?", err) < 0)
		return -1;
	bind_digest(&query, id);
	if (query_step(&query, out_is_image, err) < 0)
		return -1;
	if (!*out_is_image)
		return 0;
	created = column_text(&query, 0);
	if (created && (!contents->created || strcmp(created, contents->created) > 0)) {
		free(contents->created);
		contents->created = str_dup(created);
	}
	contents->parts =
		mem_resize(contents->parts, contents->part_count + 1, sizeof(*contents->parts));
	contents->parts[contents->part_count++] =
		(struct part){ .image = *id, .manifest = *manifest };
	return 0;
}

/* An image's layers are kept for the image; of anything else all is kept for the index. */
static int add_manifest(struct store *store, const struct digest *digest,
			const struct strbuf *bytes, const char *what, struct contents *contents,
			struct err *err)
{
	auto_manifest struct manifest manifest = { .layers = NULL };
	bool is_image = false;

	/* the lease first, then the look */
	if (manifest_parse(bytes->data, bytes->len, NULL, what, &manifest, err) < 0 ||
	    lease_take(store, LEASE_IMAGE, &manifest.config.digest, err) < 0 ||
	    add_image(store, digest, &manifest.config.digest, contents, &is_image, err) < 0)
		return -1;
	if (is_image)
		return 0;
	if (need_blob(store, &manifest.config.digest, contents, err) < 0)
		return -1;
	for (size_t i = 0; i < manifest.layer_count; i++)
		if (need_blob(store, &manifest.layers[i].digest, contents, err) < 0)
			return -1;
	return 0;
}

static int add_index(struct store *store, const struct index *index, int depth,
		     struct contents *contents, struct err *err);

static int add_entry(struct store *store, const struct descriptor *entry, int depth,
		     struct contents *contents, struct err *err)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_index struct index index = { .manifests = NULL };
	enum media_kind kind = MEDIA_UNKNOWN;
	char name[DIGEST_NAME_MAX];

	digest_name(&entry->digest, name);
	if (need_blob(store, &entry->digest, contents, err) < 0 ||
	    blob_load(store, &entry->digest, MANIFEST_MAX_BYTES, &bytes, err) < 0 ||
	    manifest_detect(bytes.data, bytes.len, entry->media_type, name, &kind, err) < 0)
		return -1;
	if (kind == MEDIA_MANIFEST)
		return add_manifest(store, &entry->digest, &bytes, name, contents, err);
	if (index_parse(bytes.data, bytes.len, entry->media_type, name, &index, err) < 0)
		return -1;
	return add_index(store, &index, depth + 1, contents, err);
}

static int add_index(struct store *store, const struct index *index, int depth,
		     struct contents *contents, struct err *err)
{
	if (depth > IMAGE_INDEX_DEPTH_MAX)
		return err_set(err, ERR_INPUT, "an index in an index, more than %d deep",
			       IMAGE_INDEX_DEPTH_MAX);
	for (size_t i = 0; i < index->manifest_count; i++)
		if (add_entry(store, &index->manifests[i], depth, contents, err) < 0)
			return -1;
	return 0;
}

/* ---- recording ------------------------------------------------------------- */

/* "linux/amd64,linux/arm64": of the images in it. */
static void format_platforms(const struct index *index, struct strbuf *out)
{
	for (size_t i = 0; i < index->manifest_count; i++) {
		const struct descriptor *entry = &index->manifests[i];

		if (!index_is_image(entry) || !entry->has_platform)
			continue;
		strbuf_puts(out, out->len ? "," : "");
		platform_format(&entry->platform, out);
	}
}

static int put_row(struct store *store, const struct digest *id, const struct contents *contents,
		   const struct index *index, struct err *err)
{
	auto_strbuf struct strbuf platforms = STRBUF_INIT;
	auto_query struct query query = QUERY_INIT;
	int64_t seq;

	format_platforms(index, &platforms);
	if (sync_next_seq(store, &seq, err) < 0 ||
	    query_open(&query, store->db,
		       "INSERT OR IGNORE INTO indexes(id, created, platforms, seq)"
		       " VALUES(?, ?, ?, ?)",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_text(&query, contents->created);
	bind_text(&query, platforms.len ? platforms.data : "");
	bind_int(&query, seq);
	return query_run(&query, err);
}

static int put_part(struct store *store, const struct digest *id, const struct part *part,
		    struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR REPLACE INTO index_images(idx, manifest, image) VALUES(?, ?, ?)",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_digest(&query, &part->manifest);
	bind_digest(&query, &part->image);
	return query_run(&query, err);
}

static int put_blob(struct store *store, const struct digest *id, const struct digest *blob,
		    struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR IGNORE INTO index_blobs(idx, blob) VALUES(?, ?)", err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_digest(&query, blob);
	return query_run(&query, err);
}

static int put_rows(struct store *store, const struct digest *id, const struct contents *contents,
		    const struct index *index, struct err *err)
{
	auto_txn struct txn txn = TXN_INIT;

	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0 ||
	    put_row(store, id, contents, index, err) < 0)
		return -1;
	for (size_t i = 0; i < contents->part_count; i++)
		if (put_part(store, id, &contents->parts[i], err) < 0)
			return -1;
	for (size_t i = 0; i < contents->blob_count; i++)
		if (put_blob(store, id, &contents->blobs[i], err) < 0)
			return -1;
	return txn_commit(&txn, err);
}

int image_index_put(struct store *store, const void *data, size_t len, struct digest *out_id,
		    struct err *err)
{
	auto_index struct index index = { .manifests = NULL };
	auto_contents struct contents contents = { .parts = NULL };
	struct digest id;

	if (index_parse(data, len, NULL, "index", &index, err) < 0 ||
	    add_index(store, &index, 0, &contents, err) < 0)
		return err_prefix(err, "store an index");
	if (contents.part_count == 0)
		return err_set(err, ERR_INPUT, "store an index: it holds no image");
	if (blob_put(store, data, len, &id, err) < 0 ||
	    lease_take(store, LEASE_INDEX, &id, err) < 0 ||
	    put_rows(store, &id, &contents, &index, err) < 0)
		return err_prefix(err, "store an index");
	*out_id = id;
	return 0;
}

/* ---- making ---------------------------------------------------------------- */

/* The manifest becomes the image's own, unless that came with one. */
static int keep_manifest(struct store *store, const struct image *image, const struct strbuf *bytes,
			 struct err *err)
{
	auto_strbuf struct strbuf config = STRBUF_INIT;
	struct digest id;

	if (image->has_manifest)
		return blob_put(store, bytes->data, bytes->len, &id, err);
	if (blob_load(store, &image->id, CONFIG_MAX_BYTES, &config, err) < 0)
		return -1;
	return image_put(store, config.data, config.len, bytes->data, bytes->len, &id, err);
}

static int make_part(struct store *store, const struct image_index_part *part,
		     const struct manifest_options *options, struct index *index, struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_descriptor struct descriptor entry = { .media_type = NULL };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct digest digest;

	if (image_load(store, &part->image_id, &image, err) < 0 ||
	    image_manifest(store, &image, options, &bytes, &manifest, err) < 0 ||
	    keep_manifest(store, &image, &bytes, err) < 0)
		return -1;
	digest_of(bytes.data, bytes.len, &digest);
	descriptor_set(&entry, manifest_media_type(&manifest), &digest, bytes.len);
	entry.has_platform = true;
	platform_copy(&entry.platform, part->platform);
	strlist_copy(&entry.annotations, &part->annotations);
	index_add(index, &entry);
	return 0;
}

int image_index_make(struct store *store, const struct image_index_request *request,
		     struct digest *out_id, struct err *err)
{
	const struct manifest_options *options = request->options;
	auto_index struct index index = { .format = options ? options->format : IMAGE_OCI };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;

	for (size_t i = 0; i < request->count; i++)
		if (make_part(store, &request->parts[i], options, &index, err) < 0)
			return err_prefix(err, "make an index");
	if (request->annotations)
		strlist_copy(&index.annotations, request->annotations);
	index_format(&index, &bytes);
	return image_index_put(store, bytes.data, bytes.len, out_id, err);
}

/* ---- finding --------------------------------------------------------------- */

int image_index_load(struct store *store, const struct digest *id, struct image_index *out,
		     struct err *err)
{
	auto_image_index struct image_index index = IMAGE_INDEX_INIT;
	char name[DIGEST_NAME_MAX];

	index.id = *id;
	/* its row stays as long as we hold it, and with the row all that it names */
	if (lease_take(store, LEASE_INDEX, id, err) < 0 ||
	    blob_load(store, id, MANIFEST_MAX_BYTES, &index.bytes, err) < 0 ||
	    index_parse(index.bytes.data, index.bytes.len, NULL, digest_name(id, name),
			&index.document, err) < 0)
		return err_prefix(err, "index %.19s", digest_name(id, name));
	*out = index;
	index = (struct image_index)IMAGE_INDEX_INIT;
	return 0;
}

int image_index_find(struct store *store, const char *text, bool *out_found,
		     struct image_index *out, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	bool found = false;

	if (image_resolve(store, text, &found, &match, err) < 0)
		return -1;
	*out_found = found && match.is_index;
	return *out_found ? image_index_load(match.home, &match.id, out, err) : 0;
}

static int find_part(struct store *store, const struct digest *index, const struct digest *manifest,
		     bool *out_found, struct digest *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "SELECT image FROM index_images WHERE idx=? AND manifest=?", err) < 0)
		return -1;
	bind_digest(&query, index);
	bind_digest(&query, manifest);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	return *out_found ? column_digest(&query, 0, out, err) : 0;
}

int image_index_image(struct store *store, const struct image_index *index,
		      const struct digest *manifest, bool *out_found, struct image *out,
		      struct err *err)
{
	struct store *home = store;
	struct digest id;

	if (find_part(store, &index->id, manifest, out_found, &id, err) < 0)
		return -1;
	for (size_t i = 0; i < store->added_count && !*out_found; i++) {
		home = store->added[i];
		if (find_part(home, &index->id, manifest, out_found, &id, err) < 0)
			return -1;
	}
	if (!*out_found)
		return 0;
	if (image_load(home, &id, out, err) < 0)
		return -1;
	out->has_manifest = out->has_index = true;
	out->manifest_digest = *manifest;
	out->index_digest = index->id;
	return 0;
}

/* Through indexes in the index to one of its manifests. */
static int choose_manifest(struct store *store, const struct index *top,
			   const struct platform *platform, const char *what, struct digest *out,
			   struct err *err)
{
	auto_index struct index inner = { .manifests = NULL };
	const struct index *index = top;

	for (int depth = 0; depth <= IMAGE_INDEX_DEPTH_MAX; depth++) {
		auto_strbuf struct strbuf bytes = STRBUF_INIT;
		enum media_kind kind = MEDIA_UNKNOWN;
		const struct descriptor *entry;
		char name[DIGEST_NAME_MAX];
		size_t at;

		if (index_choose(index, platform, what, &at, err) < 0)
			return -1;
		entry = &index->manifests[at];
		*out = entry->digest;
		if (blob_load(store, out, MANIFEST_MAX_BYTES, &bytes, err) < 0 ||
		    manifest_detect(bytes.data, bytes.len, NULL, digest_name(out, name), &kind,
				    err) < 0)
			return -1;
		if (kind == MEDIA_MANIFEST)
			return 0;
		index_release(&inner);
		if (index_parse(bytes.data, bytes.len, NULL, name, &inner, err) < 0)
			return -1;
		index = &inner;
	}
	return err_set(err, ERR_INPUT, "an index in an index, more than %d deep",
		       IMAGE_INDEX_DEPTH_MAX);
}

int image_index_choose(struct store *store, const struct digest *id,
		       const struct platform *platform, const char *text, struct image *out,
		       struct err *err)
{
	auto_image_index struct image_index index = IMAGE_INDEX_INIT;
	auto_platform struct platform native = { .os = NULL };
	auto_free char *what = str_format("'%s'", text);
	struct digest manifest;
	bool found = false;

	platform_host(&native);
	if (image_index_load(store, id, &index, err) < 0 ||
	    choose_manifest(store, &index.document, platform ? platform : &native, what, &manifest,
			    err) < 0 ||
	    image_index_image(store, &index, &manifest, &found, out, err) < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_INPUT,
			       "the store is damaged: an image of index '%s' is "
			       "missing",
			       text);
	return 0;
}
