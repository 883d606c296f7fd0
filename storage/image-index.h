/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_INDEX_H
#define STORAGE_IMAGE_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "common/err.h"
#include "layers/manifest.h"
#include "storage/image.h"
#include "storage/store.h"

/*
 * Indexes: several images, each for another platform, under one digest and one
 * name. The store keeps an index as the bytes it came with, the manifests that it
 * names, the images of these, and whatever else it holds (attestations).
 */
struct image_index {
	struct digest id; /* of its bytes */
	struct strbuf bytes;
	struct index document;
};
#define IMAGE_INDEX_INIT             \
	{                            \
		.bytes = STRBUF_INIT \
	}
#define auto_image_index __attribute__((cleanup(image_index_release)))
void image_index_release(struct image_index *index);

/* Indexes may hold indexes; not deeper than this. */
#define IMAGE_INDEX_DEPTH_MAX 4

/*
 * Record an index of which all is in the store: the manifests and what they name as blobs,
 * its images by image_put. ERR_INPUT for what is missing. The same twice is one. Not named yet.
 */
int image_index_put(struct store *store, const void *data, size_t len, struct digest *out_id,
		    struct err *err);

/* Make an index of images of the store, in this order. */
struct image_index_part {
	const struct platform *platform; /* what the index says that it is for */
	struct digest image_id;
	struct strlist annotations; /* of its entry in the index, "key=value" by key */
};
struct image_index_request {
	const struct image_index_part *parts;
	size_t count;
	/* each gets a manifest by these (may be NULL), for which its layers are compressed */
	const struct manifest_options *options;
	const struct strlist *annotations; /* of the index, "key=value"; may be NULL */
};
int image_index_make(struct store *store, const struct image_index_request *request,
		     struct digest *out_id, struct err *err);

/* *out_found false when @text means nothing in the store, or one image. In our lease then. */
int image_index_find(struct store *store, const char *text, bool *out_found,
		     struct image_index *out, struct err *err);

/* By its ID. */
int image_index_load(struct store *store, const struct digest *id, struct image_index *out,
		     struct err *err);

/* The image of one of its manifests; *out_found false when it is none (an attestation). */
int image_index_image(struct store *store, const struct image_index *index,
		      const struct digest *manifest, bool *out_found, struct image *out,
		      struct err *err);

#endif
