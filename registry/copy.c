/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for bringing an image into the store as blobs alone. The writing of it elsewhere is
 * the transport's.
 */
#include "registry/copy.h"

#include <stdlib.h>
#include <string.h>

#include "common/crew.h"
#include "common/mem.h"
#include "registry/pull-internal.h"
#include "storage/blob.h"
#include "storage/image-index.h"

#define JOBS_DEFAULT 4

struct gathering {
	struct store *store;
	struct image_reader *reader;
	struct index blobs; /* of all manifests, each once; a list, no document */
};

static void gathering_release(struct gathering *gathering)
{
	index_release(&gathering->blobs);
}
#define auto_gathering __attribute__((cleanup(gathering_release)))

static void add_blob(struct gathering *gathering, const struct descriptor *blob)
{
	for (size_t i = 0; i < gathering->blobs.manifest_count; i++)
		if (digest_equal(&gathering->blobs.manifests[i].digest, &blob->digest))
			return;
	index_add(&gathering->blobs, blob);
}

static void add_manifest(struct gathering *gathering, const struct manifest *manifest)
{
	add_blob(gathering, &manifest->config);
	for (size_t i = 0; i < manifest->layer_count; i++)
		add_blob(gathering, &manifest->layers[i]);
}

/* The document that @entry names, and all below it; its blobs are only listed. */
static int gather_entry(struct gathering *gathering, const struct descriptor *entry, int depth,
			struct err *err)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_index struct index index = { .manifests = NULL };
	char digest[DIGEST_NAME_MAX];
	auto_free char *what = str_format("manifest %s", digest_name(&entry->digest, digest));
	enum media_kind kind = MEDIA_UNKNOWN;
	struct digest id;

	if (depth > IMAGE_INDEX_DEPTH_MAX)
		return err_set(err, ERR_INPUT, "%s: indexes in indexes, more than %d deep", what,
			       IMAGE_INDEX_DEPTH_MAX);
	if (pull_document(gathering->reader, entry, "manifest", MANIFEST_MAX_BYTES, &bytes, err) <
		    0 ||
	    manifest_detect(bytes.data, bytes.len, entry->media_type, what, &kind, err) < 0 ||
	    blob_put(gathering->store, bytes.data, bytes.len, &id, err) < 0)
		return -1;
	if (kind != MEDIA_INDEX) {
		if (manifest_parse(bytes.data, bytes.len, entry->media_type, what, &manifest, err) <
		    0)
			return -1;
		add_manifest(gathering, &manifest);
		return 0;
	}
	if (index_parse(bytes.data, bytes.len, entry->media_type, what, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.manifest_count; i++)
		if (gather_entry(gathering, &index.manifests[i], depth + 1, err) < 0)
			return -1;
	return 0;
}

/* One image. */
static int gather_image(struct gathering *gathering, const struct platform *platform,
			const char *source, struct descriptor *out_root, struct err *err)
{
	auto_pull struct pull pull = { .store = gathering->store,
				       .reader = gathering->reader,
				       .manifest_bytes = STRBUF_INIT,
				       .config_bytes = STRBUF_INIT };
	struct digest digest;

	if (pull_load_manifest(&pull, platform, source, err) < 0 ||
	    blob_put(gathering->store, pull.manifest_bytes.data, pull.manifest_bytes.len, &digest,
		     err) < 0)
		return -1;
	add_manifest(gathering, &pull.manifest);
	descriptor_set(out_root, manifest_media_type(&pull.manifest), &digest,
		       pull.manifest_bytes.len);
	return 0;
}

static int gather_all(struct gathering *gathering, const char *source, struct descriptor *out_root,
		      struct err *err)
{
	const struct index *roots = &gathering->reader->roots;

	if (roots->manifest_count != 1)
		return err_set(err, ERR_USAGE,
			       "'%s' holds %zu images: name one, or choose by --platform", source,
			       roots->manifest_count);
	/* its annotations are of the place that it was in */
	descriptor_set(out_root, roots->manifests[0].media_type, &roots->manifests[0].digest,
		       roots->manifests[0].size_bytes);
	return gather_entry(gathering, &roots->manifests[0], 0, err);
}

static int bring_blob(void *context, size_t index, struct err *err)
{
	struct gathering *gathering = context;

	return pull_blob(gathering->store, gathering->reader, &gathering->blobs.manifests[index],
			 err);
}

int copy_gather(struct store *store, struct image_reader *reader, const struct platform *platform,
		const char *source, struct descriptor *out_root, struct err *err)
{
	auto_gathering struct gathering gathering = { .store = store, .reader = reader };
	auto_descriptor struct descriptor root = { .media_type = NULL };

	if ((platform ? gather_image(&gathering, platform, source, &root, err)
		      : gather_all(&gathering, source, &root, err)) < 0 ||
	    crew_run(gathering.blobs.manifest_count, reader->jobs ? reader->jobs : JOBS_DEFAULT,
		     bring_blob, &gathering, err) < 0)
		return -1;
	descriptor_release(out_root);
	*out_root = root;
	root = (struct descriptor){ .media_type = NULL };
	return 0;
}
