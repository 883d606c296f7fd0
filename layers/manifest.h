/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_MANIFEST_H
#define LAYERS_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "layers/descriptor.h"

/*
 * Image manifests and indexes of both families (image-spec manifest.md,
 * image-index.md; docker schema 2). Schema 1 is refused with a message that
 * says so. A document with both "layers" and "manifests", or
 * whose mediaType contradicts what was asked, is refused (CVE-2021-41190).
 */
#define MANIFEST_MAX_BYTES  ((size_t)4 * 1024 * 1024)
#define MANIFEST_MAX_LAYERS 4096

enum image_format {
	IMAGE_OCI,
	IMAGE_DOCKER,
};

struct manifest {
	enum image_format format;
	struct descriptor config;
	struct descriptor *layers; /* lowest first */
	size_t layer_count;
	struct strlist annotations;
};

#define auto_manifest __attribute__((cleanup(manifest_release)))
void manifest_release(struct manifest *manifest);
void manifest_add_layer(struct manifest *manifest, const struct descriptor *layer);

/* @media_type as the referrer gave it (parameters after ';' do not count), or NULL or a generic
 * one ("application/json", …) when unknown. @what names the document in errors. */
int manifest_parse(const char *data, size_t len, const char *media_type, const char *what,
		   struct manifest *out, struct err *err);
/* Compact JSON in the specification's member order, with mediaType. */
void manifest_format(const struct manifest *manifest, struct strbuf *out);
const char *manifest_media_type(const struct manifest *manifest);
/*
 * A manifest can describe anything; this says whether it is a container image:
 * its config and every layer have media types of images. ERR_INPUT says what it is instead.
 */
int manifest_check_image(const struct manifest *manifest, const char *what, struct err *err);

struct index {
	enum image_format format;
	struct descriptor *manifests;
	size_t manifest_count;
	struct strlist annotations;
};

#define auto_index __attribute__((cleanup(index_release)))
void index_release(struct index *index);
void index_add(struct index *index, const struct descriptor *manifest);
int index_parse(const char *data, size_t len, const char *media_type, const char *what,
		struct index *out, struct err *err);
void index_format(const struct index *index, struct strbuf *out);
const char *index_media_type(const struct index *index);

/* False for a companion of an image: an attestation and the like. */
bool index_is_image(const struct descriptor *manifest);

/*
 * The entry for @want: the best platform match; entries with
 * platform unknown/unknown or a vnd.docker.reference.type annotation are never chosen; an
 * entry without platform serves any. -1 with ERR_INPUT that lists what there is.
 */
int index_choose(const struct index *index, const struct platform *want, const char *what,
		 size_t *out_position, struct err *err);

/* What a document is by its members and mediaType: MEDIA_MANIFEST, MEDIA_INDEX, or an error. */
int manifest_detect(const char *data, size_t len, const char *media_type, const char *what,
		    enum media_kind *out, struct err *err);

#endif
