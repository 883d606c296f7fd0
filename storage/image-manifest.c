/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the manifest of an image: the one it came with where it serves,
 * else one made of its layers' blobs, which are made where there are none.
 */
#include "storage/image.h"

#include <string.h>

#include "common/mem.h"
#include "storage/blob.h"

static const char *layer_media_type(enum image_format format, enum codec codec)
{
	switch (codec) {
	case CODEC_NONE:
		return format == IMAGE_OCI ? MEDIA_OCI_LAYER : MEDIA_DOCKER_LAYER;
	case CODEC_GZIP:
		return format == IMAGE_OCI ? MEDIA_OCI_LAYER_GZIP : MEDIA_DOCKER_LAYER_GZIP;
	case CODEC_ZSTD:
		return format == IMAGE_OCI ? MEDIA_OCI_LAYER_ZSTD : MEDIA_DOCKER_LAYER_ZSTD;
	case CODEC_BZIP2:
	case CODEC_XZ:
		break;
	}
	return NULL;
}

static int load_kept(struct store *store, const struct image *image, struct strbuf *out_bytes,
		     struct manifest *out, struct err *err)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	char name[DIGEST_NAME_MAX];

	digest_name(&image->manifest_digest, name);
	if (blob_load(store, &image->manifest_digest, MANIFEST_MAX_BYTES, &bytes, err) < 0 ||
	    manifest_parse(bytes.data, bytes.len, NULL, name, out, err) < 0)
		return -1;
	strbuf_add(out_bytes, bytes.data, bytes.len);
	return 0;
}

/* Can every blob that the kept manifest names be sent, and are they as wished? */
static int kept_serves(struct store *store, const struct manifest *manifest,
		       const struct manifest_options *options, bool *out, struct err *err)
{
	bool found = true;

	*out = !options || manifest->format == options->format;
	for (size_t i = 0; i < manifest->layer_count && *out; i++) {
		const struct descriptor *layer = &manifest->layers[i];
		const char *wanted =
			options ? layer_media_type(options->format, options->codec) : NULL;

		/* by which level a blob was made that came from elsewhere, nobody knows */
		if (options && options->force_compression && wanted &&
		    (strcmp(layer->media_type, wanted) != 0 ||
		     options->level != CODEC_LEVEL_DEFAULT))
			*out = false;
		else if (blob_find(store, &layer->digest, &found, NULL, err) < 0)
			return -1;
		*out = *out && found;
	}
	return 0;
}

/* The blob that is to be sent for a layer, if it is there. */
static int find_form(struct store *store, const struct layer *layer,
		     const struct manifest_options *options, struct image_layer_form *out,
		     struct err *err)
{
	struct image_layer_form form = { .blob = { .codec = options->codec,
						   .level = options->level } };
	struct layer_blob found;

	/* what was pulled goes out as it came, unless told otherwise */
	if (layer_blob_find(store, &layer->diff_id, !options->force_compression, options->codec,
			    options->level, &form.is_made, &found, err) < 0)
		return -1;
	/* a plain tar was kept because an archive held it, not because it should be sent so */
	if (form.is_made && found.codec == CODEC_NONE)
		form.is_made = options->codec == CODEC_NONE;
	form.is_made = form.is_made && layer_media_type(options->format, found.codec);
	if (form.is_made)
		form.blob = found;
	*out = form;
	return 0;
}

static int add_layer(struct store *store, const struct layer *layer,
		     const struct manifest_options *options, struct manifest *manifest,
		     struct err *err)
{
	auto_descriptor struct descriptor descriptor = { .media_type = NULL };
	struct image_layer_form form;
	struct layer_blob *blob = &form.blob;
	const char *media_type;

	if (find_form(store, layer, options, &form, err) < 0 ||
	    (!form.is_made &&
	     layer_blob_make(store, layer, options->codec, options->level, blob, err) < 0))
		return -1;
	media_type = layer_media_type(options->format, blob->codec);
	if (!media_type)
		return err_set(err, ERR_USAGE, "layers cannot be compressed with %s",
			       codec_name(blob->codec));
	descriptor_set(&descriptor, media_type, &blob->digest, blob->size_bytes);
	manifest_add_layer(manifest, &descriptor);
	return 0;
}

static int make_manifest(struct store *store, const struct image *image,
			 const struct manifest_options *options, struct manifest *out,
			 struct err *err)
{
	const char *config_type =
		options->format == IMAGE_OCI ? MEDIA_OCI_CONFIG : MEDIA_DOCKER_CONFIG;
	auto_manifest struct manifest manifest = { .format = options->format };
	char hex[DIGEST_HEX_MAX];
	uint64_t size = 0;
	bool found = false;

	if (blob_find(store, &image->id, &found, &size, err) < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_INPUT, "the store is damaged: image %s has no config",
			       digest_hex(&image->id, hex));
	descriptor_set(&manifest.config, config_type, &image->id, size);
	for (size_t i = 0; i < image->config.diff_id_count; i++)
		if (add_layer(store, &image->layers[i], options, &manifest, err) < 0)
			return -1;
	if (options->format == IMAGE_OCI)
		strlist_copy(&manifest.annotations, &image->annotations);
	*out = manifest;
	manifest = (struct manifest){ .format = IMAGE_OCI };
	return 0;
}

static const struct manifest_options usual = { .format = IMAGE_OCI,
					       .codec = CODEC_GZIP,
					       .level = CODEC_LEVEL_DEFAULT };

/* As the image was annotated; manifests of docker's form have no place for it. */
static bool carries(const struct manifest *manifest, const struct image *image,
		    const struct manifest_options *options)
{
	const struct strlist *wanted = &image->annotations;

	if (!image->is_annotated || (options && options->format == IMAGE_DOCKER))
		return true;
	if (wanted->count != manifest->annotations.count)
		return false;
	for (size_t i = 0; i < wanted->count; i++)
		if (strcmp(wanted->items[i], manifest->annotations.items[i]) != 0)
			return false;
	return true;
}

/* The manifest that the image came with; *out_serves false when there is none, or it does not fit.
 */
static int find_kept(struct store *store, const struct image *image,
		     const struct manifest_options *options, struct strbuf *out_bytes,
		     struct manifest *out, bool *out_serves, struct err *err)
{
	*out_serves = false;
	if (!image->has_manifest)
		return 0;
	if (load_kept(store, image, out_bytes, out, err) < 0)
		return -1;
	return carries(out, image, options) ? kept_serves(store, out, options, out_serves, err) : 0;
}

int image_layer_forms(struct store *store, const struct image *image,
		      const struct manifest_options *options, struct image_layer_form *out,
		      struct err *err)
{
	auto_manifest struct manifest manifest = { .format = IMAGE_OCI };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	bool serves;

	if (find_kept(store, image, options, &bytes, &manifest, &serves, err) < 0)
		return -1;
	for (size_t i = 0; i < image->config.diff_id_count; i++) {
		if (serves && i < manifest.layer_count) {
			out[i] = (struct image_layer_form){ .is_made = true };
			out[i].blob.digest = manifest.layers[i].digest;
			out[i].blob.size_bytes = manifest.layers[i].size_bytes;
		} else if (find_form(store, &image->layers[i], options ? options : &usual, &out[i],
				     err) < 0) {
			return -1;
		}
	}
	return 0;
}

int image_manifest(struct store *store, const struct image *image,
		   const struct manifest_options *options, struct strbuf *out_bytes,
		   struct manifest *out, struct err *err)
{
	auto_manifest struct manifest manifest = { .format = IMAGE_OCI };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	bool serves;

	if (find_kept(store, image, options, &bytes, &manifest, &serves, err) < 0)
		return -1;
	if (!serves) {
		manifest_release(&manifest);
		strbuf_truncate(&bytes, 0);
		if (make_manifest(store, image, options ? options : &usual, &manifest, err) < 0)
			return -1;
		manifest_format(&manifest, &bytes);
	}
	strbuf_add(out_bytes, bytes.data, bytes.len);
	*out = manifest;
	manifest = (struct manifest){ .format = IMAGE_OCI };
	return 0;
}

int image_annotations(struct store *store, const struct image *image, struct strlist *out,
		      struct err *err)
{
	auto_manifest struct manifest manifest = { .format = IMAGE_OCI };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;

	if (image->is_annotated || !image->has_manifest) {
		strlist_copy(out, &image->annotations);
		return 0;
	}
	if (load_kept(store, image, &bytes, &manifest, err) < 0)
		return -1;
	strlist_copy(out, &manifest.annotations);
	return 0;
}
