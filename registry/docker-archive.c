/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for reading docker's image archives: which of its images is meant,
 * and its files. A manifest is made up for it, so that pull.c need not know:
 * an uncompressed layer's digest is its diff ID, a compressed one's is measured.
 */
#include "registry/docker-archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/codec.h"
#include "layers/config.h"
#include "layers/ref.h"
#include "registry/archive-tar.h"
#include "registry/region.h"

#define MANIFEST_FILE "manifest.json"
#define HEAD_BYTES    6

struct archive_reader {
	struct image_reader reader;
	struct archive_tar tar;
	struct strbuf manifest_bytes; /* made up */
	struct strbuf config_bytes;
	struct manifest manifest;
	uint64_t *layer_offsets; /* as many as the manifest has layers */
};

static void archive_free(struct image_reader *reader)
{
	struct archive_reader *archive = (struct archive_reader *)reader;

	archive_tar_release(&archive->tar);
	strbuf_release(&archive->manifest_bytes);
	strbuf_release(&archive->config_bytes);
	manifest_release(&archive->manifest);
	free(archive->layer_offsets);
	free(archive);
}

static struct source *open_blob(struct image_reader *reader, const struct descriptor *blob,
				struct err *err)
{
	struct archive_reader *archive = (struct archive_reader *)reader;
	const struct manifest *manifest = &archive->manifest;

	if (digest_equal(&blob->digest, &reader->roots.manifests[0].digest))
		return source_from_memory(archive->manifest_bytes.data,
					  archive->manifest_bytes.len);
	if (digest_equal(&blob->digest, &manifest->config.digest))
		return source_from_memory(archive->config_bytes.data, archive->config_bytes.len);
	for (size_t i = 0; i < manifest->layer_count; i++) {
		struct region region = { .fd = archive->tar.fd,
					 .offset = archive->layer_offsets[i],
					 .size_bytes = blob->size_bytes };

		if (digest_equal(&blob->digest, &manifest->layers[i].digest))
			return source_region(&region, archive->tar.path);
	}
	err_set(err, ERR_BUG, "'%s': a blob that its manifest does not have was asked for",
		archive->tar.path);
	return NULL;
}

/* ---- which image is meant ---- */

static char *canonical_name(const char *text)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	struct strbuf out = STRBUF_INIT;
	struct err ignored = ERR_INIT;

	if (image_ref_parse(text, &ref, &ignored) < 0)
		return NULL;
	image_ref_format(&ref, &out);
	return strbuf_steal(&out);
}

/* The names of one image of the archive, in canonical form; one that is none is left out. */
static int take_names(const struct json *image, const char *path, struct strlist *out,
		      struct err *err)
{
	auto_strlist struct strlist tags = STRLIST_INIT;

	if (json_take_strlist(image, "RepoTags", &tags, path, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.count; i++) {
		char *name = canonical_name(tags.items[i]);

		if (name)
			strlist_take(out, name);
	}
	return 0;
}

static int refuse_ref(const struct json *images, const char *path, const char *ref, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < json_count(images); i++)
		if (take_names(json_at(images, i), path, &names, err) < 0)
			return -1;
	for (size_t i = 0; i < names.count && text.len < 600; i++)
		strbuf_printf(&text, "%s%s", i > 0 ? ", " : "", names.items[i]);
	if (ref)
		return err_set(err, ERR_INPUT, "'%s' has no image '%s'; there are: %s", path, ref,
			       text.len ? text.data : "images without a name");
	return err_set(err, ERR_INPUT,
		       "'%s' has several images; say which, as in docker-archive:%s:REF. There "
		       "are: %s",
		       path, path, text.len ? text.data : "images without a name");
}

/* The image that @ref names, or the only one; its names to keep in @names. */
static int choose_image(const struct json *images, const char *path, const char *ref,
			const struct json **out, struct strlist *names, struct err *err)
{
	auto_free char *want = ref ? canonical_name(ref) : NULL;

	if (ref && !want)
		return err_set(err, ERR_USAGE, "'%s' is not an image name", ref);
	if (!ref) {
		if (json_count(images) != 1)
			return refuse_ref(images, path, NULL, err);
		*out = json_at(images, 0);
		return take_names(*out, path, names, err);
	}
	for (size_t i = 0; i < json_count(images); i++) {
		auto_strlist struct strlist there = STRLIST_INIT;

		if (take_names(json_at(images, i), path, &there, err) < 0)
			return -1;
		if (!strlist_has(&there, want))
			continue;
		strlist_add(names, want);
		*out = json_at(images, i);
		return 0;
	}
	return refuse_ref(images, path, ref, err);
}

/* ---- its config and layers, as a manifest ---- */

/* A file named by 64 hex digits (with or without ".json") must have that digest. */
static int check_name(const char *name, const struct digest *digest, const char *path,
		      struct err *err)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	auto_free char *hex = str_ndup(base, strcspn(base, "."));
	struct err ignored = ERR_INIT;
	struct digest said;
	char got[DIGEST_NAME_MAX];

	if (digest_parse_hex(hex, &said, &ignored) < 0 || digest_equal(&said, digest))
		return 0;
	return err_set(err, ERR_INPUT, "'%s' in '%s' has the digest %s, not the one in its name",
		       name, path, digest_name(digest, got));
}

static int load_config(struct archive_reader *archive, const struct json *image,
		       struct image_config *out, struct err *err)
{
	auto_free char *name = NULL;
	auto_free char *what = NULL;
	struct digest digest;

	if (json_take_string(image, "Config", &name, archive->tar.path, err) < 0)
		return -1;
	if (!name)
		return err_set(err, ERR_INPUT, "'%s': an image without 'Config' in " MANIFEST_FILE,
			       archive->tar.path);
	if (archive_tar_load(&archive->tar, name, CONFIG_MAX_BYTES, &archive->config_bytes, err) <
	    0)
		return -1;
	digest_of(archive->config_bytes.data, archive->config_bytes.len, &digest);
	if (check_name(name, &digest, archive->tar.path, err) < 0)
		return -1;
	descriptor_set(&archive->manifest.config, MEDIA_DOCKER_CONFIG, &digest,
		       archive->config_bytes.len);
	what = str_format("%s/%s", archive->tar.path, name);
	return image_config_parse(archive->config_bytes.data, archive->config_bytes.len, what, out,
				  err);
}

/* The digest of a compressed layer: nothing in the archive says it. */
static int measure(const struct region *region, const char *what, struct digest *out,
		   struct err *err)
{
	struct source_digest_options options = {
		.expect_len = UINT64_MAX,
		.out_digest = out,
		.what = what,
	};
	auto_source struct source *source = source_digest(source_region(region, what), &options);

	return source_drain(source, err);
}

static int add_layer(struct archive_reader *archive, const char *name, const struct digest *diff_id,
		     struct err *err)
{
	const struct tarindex_entry *entry = tarindex_find(&archive->tar.index, name);
	auto_descriptor struct descriptor layer = { .media_type = NULL };
	const char *media_type = MEDIA_DOCKER_LAYER;
	struct digest digest = *diff_id;
	struct region region = { .fd = archive->tar.fd };
	unsigned char head[HEAD_BYTES];
	enum codec codec;
	ssize_t n;

	if (!entry)
		return err_set(err, ERR_INPUT, "'%s' has no file '%.200s'", archive->tar.path,
			       name);
	region.offset = entry->offset;
	region.size_bytes = entry->size_bytes;
	n = pread(archive->tar.fd, head, sizeof(head), (off_t)entry->offset);
	if (n < 0)
		return err_sys(err, "read '%s'", archive->tar.path);
	if ((uint64_t)n > entry->size_bytes)
		n = (ssize_t)entry->size_bytes;
	codec = codec_detect(head, (size_t)n);
	if (codec != CODEC_NONE) {
		media_type =
			codec == CODEC_ZSTD ? MEDIA_DOCKER_LAYER_ZSTD : MEDIA_DOCKER_LAYER_GZIP;
		if (measure(&region, archive->tar.path, &digest, err) < 0)
			return -1;
	}
	descriptor_set(&layer, media_type, &digest, entry->size_bytes);
	archive->layer_offsets[archive->manifest.layer_count] = entry->offset;
	manifest_add_layer(&archive->manifest, &layer);
	return 0;
}

static int make_manifest(struct archive_reader *archive, const struct json *image, struct err *err)
{
	auto_image_config struct image_config config = { .created = NULL };
	auto_strlist struct strlist layers = STRLIST_INIT;
	auto_descriptor struct descriptor root = { .media_type = NULL };
	struct digest digest;

	archive->manifest.format = IMAGE_DOCKER;
	if (load_config(archive, image, &config, err) < 0 ||
	    json_take_strlist(image, "Layers", &layers, archive->tar.path, err) < 0)
		return -1;
	if (layers.count != config.diff_id_count)
		return err_set(err, ERR_INPUT,
			       "'%s': " MANIFEST_FILE " names %zu layers, the config %zu",
			       archive->tar.path, layers.count, config.diff_id_count);
	archive->layer_offsets = mem_array(layers.count + 1, sizeof(*archive->layer_offsets));
	for (size_t i = 0; i < layers.count; i++)
		if (add_layer(archive, layers.items[i], &config.diff_ids[i], err) < 0)
			return -1;
	manifest_format(&archive->manifest, &archive->manifest_bytes);
	digest_of(archive->manifest_bytes.data, archive->manifest_bytes.len, &digest);
	descriptor_set(&root, MEDIA_DOCKER_MANIFEST, &digest, archive->manifest_bytes.len);
	index_add(&archive->reader.roots, &root);
	return 0;
}

static int load_images(struct archive_reader *archive, struct json **out, struct err *err)
{
	auto_free char *what = str_format("%s/" MANIFEST_FILE, archive->tar.path);
	auto_strbuf struct strbuf data = STRBUF_INIT;
	auto_json struct json *images = NULL;

	if (!tarindex_find(&archive->tar.index, MANIFEST_FILE))
		return err_set(err, ERR_INPUT,
			       "'%s' is not an image archive of docker's: it has no " MANIFEST_FILE,
			       archive->tar.path);
	if (archive_tar_load(&archive->tar, MANIFEST_FILE, MANIFEST_MAX_BYTES, &data, err) < 0)
		return -1;
	images = json_parse(data.data, data.len, what, err);
	if (!images)
		return -1;
	if (!json_is_array(images) || json_count(images) == 0)
		return err_set(err, ERR_INPUT, "%s is not a list of images", what);
	*out = ptr_steal(&images);
	return 0;
}

static int open_archive(struct archive_reader *archive, const char *path, const char *ref,
			struct store *store, struct err *err)
{
	auto_json struct json *images = NULL;
	const struct json *image = NULL;

	if (archive_tar_open(path, store, &archive->tar, err) < 0 ||
	    load_images(archive, &images, err) < 0 ||
	    choose_image(images, archive->tar.path, ref, &image, &archive->reader.names, err) < 0)
		return -1;
	return make_manifest(archive, image, err);
}

int docker_archive_read(const char *rest, struct store *store, struct image_reader **out,
			struct err *err)
{
	auto_image_reader struct image_reader *reader = NULL;
	struct archive_reader *archive = mem_alloc(sizeof(*archive));
	auto_free char *path = NULL;
	auto_free char *ref = NULL;

	reader = &archive->reader;
	*reader = (struct image_reader){ .open_blob = open_blob,
					 .free = archive_free,
					 .is_manifest_made = true };
	archive->tar = (struct archive_tar)ARCHIVE_TAR_INIT;
	archive->manifest_bytes = (struct strbuf)STRBUF_INIT;
	archive->config_bytes = (struct strbuf)STRBUF_INIT;
	if (transport_split_path(rest, DOCKER_ARCHIVE_FORM, &path, &ref, err) < 0 ||
	    open_archive(archive, path, ref, store, err) < 0)
		return -1;
	*out = ptr_steal(&reader);
	return 0;
}
