/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for bringing an index into the store whole: each of its images as by
 * itself (pull.c), and what is no image, such as attestations, as it is. Then the
 * index leads on to all that it led to before.
 */
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "registry/interrupt.h"
#include "registry/pull-internal.h"
#include "registry/region.h"
#include "storage/blob.h"
#include "storage/image-index.h"

struct index_pull {
	struct store *store;
	struct image_reader *reader;
	struct transfers *transfers;
};

int pull_blob(struct store *store, struct image_reader *reader, const struct descriptor *blob,
	      struct err *err)
{
	auto_source struct source *source = NULL;
	auto_blob_writer struct blob_writer writer = BLOB_WRITER_INIT;
	auto_sink struct sink *sink = NULL;
	char name[DIGEST_NAME_MAX];
	struct source_digest_options options = {
		.expect = &blob->digest,
		.expect_len = blob->size_bytes,
		.what = digest_name(&blob->digest, name),
	};
	bool found = false;

	if (interrupt_check(err) < 0 ||
	    blob_find(store, &blob->digest, &found, NULL, err) < 0)
		return -1;
	if (found)
		return 0;
	source = reader->open_blob(reader, blob, err);
	if (!source)
		return -1;
	source = source_digest(source, &options);
	if (blob_writer_open(store, &writer, err) < 0)
		return -1;
	sink = sink_to_fd(writer.tmp.fd, name);
	if (stream_copy(source, sink, err) < 0 || sink_finish(sink, err) < 0)
		return -1;
	return blob_writer_commit(&writer, &blob->digest, blob->size_bytes, err);
}

static int pull_companion(struct index_pull *pull, const struct manifest *manifest, struct err *err)
{
	if (pull_blob(pull->store, pull->reader, &manifest->config, err) < 0)
		return -1;
	for (size_t i = 0; i < manifest->layer_count; i++)
		if (pull_blob(pull->store, pull->reader, &manifest->layers[i], err) < 0)
			return -1;
	return 0;
}

/* What @entry names has been loaded, and is a manifest. */
static int pull_manifest(struct index_pull *index, const struct descriptor *entry,
			 struct pull *pull, const char *what, struct err *err)
{
	const struct strbuf *bytes = &pull->manifest_bytes;
	struct digest id;

	if (manifest_parse(bytes->data, bytes->len, entry->media_type, what, &pull->manifest, err) <
		    0 ||
	    blob_put(index->store, bytes->data, bytes->len, &id, err) < 0)
		return -1;
	if (!index_is_image(entry) ||
	    media_kind_of(pull->manifest.config.media_type) != MEDIA_CONFIG)
		return pull_companion(index, &pull->manifest, err);
	return pull_by_manifest(pull, NULL, NULL, what, &id, err);
}

static int pull_entries(struct index_pull *pull, const struct index *index, int depth,
			struct err *err);

static int pull_entry(struct index_pull *index, const struct descriptor *entry, int depth,
		      struct err *err)
{
	auto_pull struct pull pull = { .store = index->store,
				       .reader = index->reader,
				       .transfers = index->transfers,
				       .manifest_bytes = STRBUF_INIT,
				       .config_bytes = STRBUF_INIT };
	auto_index struct index inner = { .manifests = NULL };
	const struct strbuf *bytes = &pull.manifest_bytes;
	char digest[DIGEST_NAME_MAX];
	auto_free char *what = str_format("manifest %s", digest_name(&entry->digest, digest));
	enum media_kind kind = MEDIA_UNKNOWN;
	struct digest id;

	if (pull_document(index->reader, entry, "manifest", MANIFEST_MAX_BYTES,
			  &pull.manifest_bytes, err) < 0 ||
	    manifest_detect(bytes->data, bytes->len, entry->media_type, what, &kind, err) < 0)
		return -1;
	if (kind == MEDIA_MANIFEST)
		return pull_manifest(index, entry, &pull, what, err);
	if (index_parse(bytes->data, bytes->len, entry->media_type, what, &inner, err) < 0 ||
	    blob_put(index->store, bytes->data, bytes->len, &id, err) < 0)
		return -1;
	return pull_entries(index, &inner, depth + 1, err);
}

static int pull_entries(struct index_pull *pull, const struct index *index, int depth,
			struct err *err)
{
	if (depth > IMAGE_INDEX_DEPTH_MAX)
		return err_set(err, ERR_INPUT, "an index in an index, more than %d deep",
			       IMAGE_INDEX_DEPTH_MAX);
	for (size_t i = 0; i < index->manifest_count; i++)
		if (pull_entry(pull, &index->manifests[i], depth, err) < 0)
			return -1;
	return 0;
}

/* Several manifests that go by one name in a layout: what an index of them would be. */
static void join_roots(const struct image_reader *reader, struct index *index, struct strbuf *bytes)
{
	for (size_t i = 0; i < reader->roots.manifest_count; i++) {
		auto_descriptor struct descriptor entry = { .media_type = NULL };

		descriptor_copy(&entry, &reader->roots.manifests[i]);
		strlist_release(&entry.annotations);
		index_add(index, &entry);
	}
	index_format(index, bytes);
}

/* The document at the top; *out_found false when it is a manifest. */
static int load_top(const struct index_pull *pull, bool *out_found, struct index *index,
		    struct strbuf *bytes, struct err *err)
{
	const struct descriptor *root = &pull->reader->roots.manifests[0];
	char digest[DIGEST_NAME_MAX];
	auto_free char *what = str_format("manifest %s", digest_name(&root->digest, digest));
	enum media_kind kind = MEDIA_UNKNOWN;

	*out_found = true;
	if (pull->reader->roots.manifest_count > 1) {
		join_roots(pull->reader, index, bytes);
		return 0;
	}
	if (pull_document(pull->reader, root, "manifest", MANIFEST_MAX_BYTES, bytes, err) < 0 ||
	    manifest_detect(bytes->data, bytes->len, root->media_type, what, &kind, err) < 0)
		return -1;
	*out_found = kind == MEDIA_INDEX;
	if (!*out_found)
		return 0;
	return index_parse(bytes->data, bytes->len, root->media_type, what, index, err);
}

int pull_index(struct store *store, struct image_reader *reader, struct transfers *transfers,
	       bool *out_found, struct digest *out_id, struct err *err)
{
	struct index_pull pull = { .store = store, .reader = reader, .transfers = transfers };
	auto_index struct index index = { .manifests = NULL };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;

	if (load_top(&pull, out_found, &index, &bytes, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	if (pull_entries(&pull, &index, 0, err) < 0 || interrupt_check(err) < 0)
		return -1;
	return image_index_put(store, bytes.data, bytes.len, out_id, err);
}
