/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for manifests and indexes: what kind a document is, its members, and
 * the choice of an entry for a platform. Whoever fetched the bytes has
 * compared their digest.
 */
#include "layers/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "layers/pairs.h"

void manifest_release(struct manifest *manifest)
{
	descriptor_release(&manifest->config);
	for (size_t i = 0; i < manifest->layer_count; i++)
		descriptor_release(&manifest->layers[i]);
	free(manifest->layers);
	strlist_release(&manifest->annotations);
	*manifest = (struct manifest){ .layers = NULL };
}

void manifest_add_layer(struct manifest *manifest, const struct descriptor *layer)
{
	struct descriptor copy = { .media_type = NULL };

	descriptor_copy(&copy, layer);
	manifest->layers =
		mem_resize(manifest->layers, manifest->layer_count + 1, sizeof(*manifest->layers));
	manifest->layers[manifest->layer_count++] = copy;
}

void index_release(struct index *index)
{
	for (size_t i = 0; i < index->manifest_count; i++)
		descriptor_release(&index->manifests[i]);
	free(index->manifests);
	strlist_release(&index->annotations);
	*index = (struct index){ .manifests = NULL };
}

void index_add(struct index *index, const struct descriptor *manifest)
{
	struct descriptor copy = { .media_type = NULL };

	descriptor_copy(&copy, manifest);
	index->manifests =
		mem_resize(index->manifests, index->manifest_count + 1, sizeof(*index->manifests));
	index->manifests[index->manifest_count++] = copy;
}

/* ---- what a document is ---- */

/* The media type without parameters; NULL when it says nothing about the document. */
static char *bare_media_type(const char *media_type)
{
	static const char *const generic[] = { "", "application/json", "application/octet-stream",
					       "text/plain", NULL };
	char *bare;
	size_t len;

	if (!media_type)
		return NULL;
	len = strcspn(media_type, ";");
	while (len > 0 && (media_type[len - 1] == ' ' || media_type[len - 1] == '\t'))
		len--;
	bare = str_ndup(media_type, len);
	for (size_t i = 0; generic[i]; i++) {
		if (strcmp(bare, generic[i]) == 0) {
			free(bare);
			return NULL;
		}
	}
	return bare;
}

/* The media type that document and referrer agree on, or NULL when neither says one. */
static int agree_media_type(const struct json *document, const char *media_type, const char *what,
			    char **out, struct err *err)
{
	auto_free char *given = bare_media_type(media_type);
	auto_free char *inside = NULL;

	if (json_take_string(document, "mediaType", &inside, what, err) < 0)
		return -1;
	if (inside && given && strcmp(inside, given) != 0)
		return err_set(err, ERR_INPUT,
			       "%s says that it is '%.200s', but it was announced as '%.200s'",
			       what, inside, given);
	*out = inside ? ptr_steal(&inside) : ptr_steal(&given);
	return 0;
}

static int refuse_schema1(const struct json *document, const char *what, struct err *err)
{
	int64_t version = -1;

	if (json_take_int(document, "schemaVersion", &version, what, err) < 0)
		return -1;
	if (version == 1 || json_get(document, "fsLayers"))
		return err_set(err, ERR_INPUT,
			       "%s is a docker schema 1 manifest, a format given up in 2017 that "
			       "is not supported; push the image again with a current tool",
			       what);
	if (version != 2)
		return err_set(err, ERR_INPUT, "%s has no 'schemaVersion' of 2", what);
	return 0;
}

/* MEDIA_MANIFEST or MEDIA_INDEX, and the format of its family. */
static int detect(const struct json *document, const char *media_type, const char *what,
		  enum media_kind *out_kind, enum image_format *out_format, struct err *err)
{
	auto_free char *type = NULL;
	bool has_manifests = json_is_array(json_get(document, "manifests"));
	bool has_layers = json_is_array(json_get(document, "layers"));
	enum media_kind by_type = MEDIA_UNKNOWN;
	enum media_kind by_members = MEDIA_UNKNOWN;

	if (!json_is_object(document))
		return err_set(err, ERR_INPUT, "%s is not a JSON object", what);
	if (refuse_schema1(document, what, err) < 0 ||
	    agree_media_type(document, media_type, what, &type, err) < 0)
		return -1;
	if (json_get(document, "manifests") &&
	    (json_get(document, "layers") || json_get(document, "config")))
		return err_set(err, ERR_INPUT,
			       "%s has the members of a manifest and of an index: it is refused, "
			       "since it can be read as either",
			       what);
	if (has_manifests)
		by_members = MEDIA_INDEX;
	else if (has_layers && json_is_object(json_get(document, "config")))
		by_members = MEDIA_MANIFEST;
	else
		return err_set(err, ERR_INPUT,
			       "%s is neither a manifest ('config' and 'layers') nor an index "
			       "('manifests')",
			       what);
	by_type = type ? media_kind_of(type) : by_members;
	if (by_type == MEDIA_UNKNOWN)
		return err_set(err, ERR_INPUT, "%s has the media type '%.200s', which is not known",
			       what, type);
	if (by_type != by_members)
		return err_set(err, ERR_INPUT, "%s has the media type '%.200s', but it is %s", what,
			       type, by_members == MEDIA_INDEX ? "an index" : "a manifest");
	*out_kind = by_members;
	*out_format = type && strncmp(type, "application/vnd.docker.", 23) == 0 ? IMAGE_DOCKER
										: IMAGE_OCI;
	return 0;
}

static struct json *load(const char *data, size_t len, const char *what, struct err *err)
{
	if (len > MANIFEST_MAX_BYTES) {
		err_set(err, ERR_INPUT, "%s has more than %zu bytes", what, MANIFEST_MAX_BYTES);
		return NULL;
	}
	return json_parse(data, len, what, err);
}

int manifest_detect(const char *data, size_t len, const char *media_type, const char *what,
		    enum media_kind *out, struct err *err)
{
	auto_json struct json *document = load(data, len, what, err);
	enum image_format format;

	if (!document)
		return -1;
	return detect(document, media_type, what, out, &format, err);
}

/* ---- manifests ---- */

/* Each descriptor of an array, given to @add. */
static int take_descriptors(const struct json *array, const char *what, void *to,
			    void (*add)(void *to, const struct descriptor *descriptor),
			    struct err *err)
{
	if (json_count(array) > MANIFEST_MAX_LAYERS)
		return err_set(err, ERR_INPUT, "%s has more than %d entries", what,
			       MANIFEST_MAX_LAYERS);
	for (size_t i = 0; i < json_count(array); i++) {
		auto_descriptor struct descriptor descriptor = { .media_type = NULL };

		if (descriptor_from_json(json_at(array, i), &descriptor, what, err) < 0)
			return -1;
		add(to, &descriptor);
	}
	return 0;
}

static void add_layer(void *to, const struct descriptor *descriptor)
{
	manifest_add_layer(to, descriptor);
}

static void add_manifest(void *to, const struct descriptor *descriptor)
{
	index_add(to, descriptor);
}

int manifest_parse(const char *data, size_t len, const char *media_type, const char *what,
		   struct manifest *out, struct err *err)
{
	auto_json struct json *document = load(data, len, what, err);
	auto_manifest struct manifest manifest = { .layers = NULL };
	enum media_kind kind;

	if (!document)
		return -1;
	if (detect(document, media_type, what, &kind, &manifest.format, err) < 0)
		return -1;
	if (kind != MEDIA_MANIFEST)
		return err_set(err, ERR_INPUT, "%s is an index, not a manifest", what);
	if (descriptor_from_json(json_get(document, "config"), &manifest.config, what, err) < 0 ||
	    take_descriptors(json_get(document, "layers"), what, &manifest, add_layer, err) < 0 ||
	    pairs_take(document, "annotations", &manifest.annotations, what, err) < 0)
		return -1;
	if (strcmp(manifest.config.media_type, MEDIA_DOCKER_CONFIG) == 0)
		manifest.format = IMAGE_DOCKER;

	*out = manifest;
	manifest = (struct manifest){ .layers = NULL };
	return 0;
}

const char *manifest_media_type(const struct manifest *manifest)
{
	return manifest->format == IMAGE_DOCKER ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST;
}

void manifest_format(const struct manifest *manifest, struct strbuf *out)
{
	auto_json struct json *document = json_object();
	struct json *layers = json_array();

	json_set_int(document, "schemaVersion", 2);
	json_set_string(document, "mediaType", manifest_media_type(manifest));
	json_set(document, "config", descriptor_to_json(&manifest->config));
	for (size_t i = 0; i < manifest->layer_count; i++)
		json_append(layers, descriptor_to_json(&manifest->layers[i]));
	json_set(document, "layers", layers);
	pairs_set(document, "annotations", &manifest->annotations);
	json_format(document, out);
}

int manifest_check_image(const struct manifest *manifest, const char *what, struct err *err)
{
	if (media_kind_of(manifest->config.media_type) != MEDIA_CONFIG)
		return err_set(err, ERR_INPUT,
			       "%s is no container image: its config has the media type '%.200s'",
			       what, manifest->config.media_type);
	for (size_t i = 0; i < manifest->layer_count; i++)
		if (media_kind_of(manifest->layers[i].media_type) != MEDIA_LAYER)
			return err_set(err, ERR_INPUT,
				       "%s is no container image: layer %zu has the media type "
				       "'%.200s'",
				       what, i + 1, manifest->layers[i].media_type);
	return 0;
}

/* ---- indexes ---- */

int index_parse(const char *data, size_t len, const char *media_type, const char *what,
		struct index *out, struct err *err)
{
	auto_json struct json *document = load(data, len, what, err);
	auto_index struct index index = { .manifests = NULL };
	enum media_kind kind;

	if (!document)
		return -1;
	if (detect(document, media_type, what, &kind, &index.format, err) < 0)
		return -1;
	if (kind != MEDIA_INDEX)
		return err_set(err, ERR_INPUT, "%s is a manifest, not an index", what);
	if (take_descriptors(json_get(document, "manifests"), what, &index, add_manifest, err) <
		    0 ||
	    pairs_take(document, "annotations", &index.annotations, what, err) < 0)
		return -1;

	*out = index;
	index = (struct index){ .manifests = NULL };
	return 0;
}

const char *index_media_type(const struct index *index)
{
	return index->format == IMAGE_DOCKER ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX;
}

void index_format(const struct index *index, struct strbuf *out)
{
	auto_json struct json *document = json_object();
	struct json *manifests = json_array();

	json_set_int(document, "schemaVersion", 2);
	json_set_string(document, "mediaType", index_media_type(index));
	for (size_t i = 0; i < index->manifest_count; i++)
		json_append(manifests, descriptor_to_json(&index->manifests[i]));
	json_set(document, "manifests", manifests);
	pairs_set(document, "annotations", &index->annotations);
	json_format(document, out);
}

bool index_is_image(const struct descriptor *manifest)
{
	const struct platform *platform = &manifest->platform;

	if (strlist_env_get(&manifest->annotations, "vnd.docker.reference.type"))
		return false;
	return !platform->os || strcmp(platform->os, "unknown") != 0 || !platform->architecture ||
	       strcmp(platform->architecture, "unknown") != 0;
}

static int refuse_choice(const struct index *index, const struct platform *want, const char *what,
			 struct err *err)
{
	auto_strbuf struct strbuf wanted = STRBUF_INIT;
	auto_strbuf struct strbuf there = STRBUF_INIT;

	platform_format(want, &wanted);
	for (size_t i = 0; i < index->manifest_count && there.len < ERR_TEXT_MAX / 2; i++) {
		const struct descriptor *manifest = &index->manifests[i];

		if (!index_is_image(manifest) || !manifest->has_platform)
			continue;
		strbuf_puts(&there, there.len ? ", " : "");
		platform_format(&manifest->platform, &there);
	}
	if (there.len == 0)
		return err_set(err, ERR_INPUT, "%s holds no image", what);
	return err_set(err, ERR_INPUT, "%s has no image for %s; there are: %.1100s", what,
		       wanted.data, there.data);
}

int index_choose(const struct index *index, const struct platform *want, const char *what,
		 size_t *out_position, struct err *err)
{
	size_t chosen = 0;
	int best = -1;

	for (size_t i = 0; i < index->manifest_count; i++) {
		const struct descriptor *manifest = &index->manifests[i];
		int score;

		if (!index_is_image(manifest))
			continue;
		score = manifest->has_platform ? platform_match(want, &manifest->platform) : 0;
		if (score > best) {
			best = score;
			chosen = i;
		}
	}
	if (best < 0)
		return refuse_choice(index, want, what, err);
	*out_position = chosen;
	return 0;
}
