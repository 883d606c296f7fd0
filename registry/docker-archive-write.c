/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for writing docker's image archives. In this order, so that they can
 * be written in one go: each layer as <diff ID>.tar, <image ID>.json,
 * manifest.json. Modes, owners and times are fixed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "layers/ref.h"
#include "registry/archive-file.h"
#include "registry/docker-archive.h"
#include "registry/interrupt.h"
#include "storage/blob.h"
#include "storage/layer.h"

#define BLOCK       512
#define OCTAL_LIMIT (UINT64_C(1) << 33) /* what eleven octal digits hold */

/* ---- a sink that counts ---- */

struct counting_sink {
	struct sink sink;
	struct sink *next;
	uint64_t count;
};

static int counting_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct counting_sink *counting = (struct counting_sink *)sink;

	if (interrupt_check(err) < 0)
		return -1;
	counting->count += len;
	return sink_write(counting->next, data, len, err);
}

/* ---- tar ---- */

static void put_size(char *field, uint64_t size)
{
	if (size < OCTAL_LIMIT) {
		snprintf(field, 12, "%011" PRIo64, size);
		return;
	}
	/* base 256, which every reader of today knows */
	memset(field, 0, 12);
	field[0] = (char)0x80;
	for (int i = 11; size > 0; i--, size >>= 8)
		field[i] = (char)(size & 0xff);
}

static int put_header(struct sink *to, const char *name, uint64_t size, struct err *err)
{
	char header[BLOCK] = { 0 };
	unsigned sum = 0;

	snprintf(header, 100, "%s", name);
	memcpy(header + 100, "0000644", 8);
	memcpy(header + 108, "0000000", 8);
	memcpy(header + 116, "0000000", 8);
	put_size(header + 124, size);
	memcpy(header + 136, "00000000000", 12);
	memset(header + 148, ' ', 8);
	header[156] = '0';
	memcpy(header + 257, "ustar\00000", 8);
	memcpy(header + 329, "0000000", 8);
	memcpy(header + 337, "0000000", 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
	return sink_write(to, header, BLOCK, err);
}

static int put_padding(struct sink *to, uint64_t size, struct err *err)
{
	static const char zero[BLOCK];

	return sink_write(to, zero, (size_t)((BLOCK - size % BLOCK) % BLOCK), err);
}

static int put_file(struct sink *to, const char *name, const struct strbuf *data, struct err *err)
{
	if (put_header(to, name, data->len, err) < 0 ||
	    sink_write(to, data->data, data->len, err) < 0)
		return -1;
	return put_padding(to, data->len, err);
}

static int put_layer(struct sink *to, struct store *store, const struct layer *layer,
		     struct err *err)
{
	struct counting_sink counting = { .sink = { .write = counting_write }, .next = to };
	char hex[DIGEST_HEX_MAX];
	char name[DIGEST_HEX_MAX + 4];

	snprintf(name, sizeof(name), "%s.tar", digest_hex(&layer->diff_id, hex));
	log_info("layer sha256:%s (%" PRIu64 " bytes)", hex, layer->tar_bytes);
	if (put_header(to, name, layer->tar_bytes, err) < 0 ||
	    layer_write_tar(store, layer, &counting.sink, err) < 0)
		return -1;
	if (counting.count != layer->tar_bytes)
		return err_set(err, ERR_INPUT,
			       "the store is damaged: layer %s has %" PRIu64
			       " bytes instead of %" PRIu64,
			       hex, counting.count, layer->tar_bytes);
	return put_padding(to, layer->tar_bytes, err);
}

/* ---- the image ---- */

static bool is_repeated(const struct image *image, size_t position)
{
	for (size_t i = 0; i < position; i++)
		if (digest_equal(&image->layers[i].diff_id, &image->layers[position].diff_id))
			return true;
	return false;
}

static void make_manifest(const struct image *image, const char *config_name, const char *tag,
			  struct strbuf *out)
{
	auto_json struct json *images = json_array();
	struct json *json = json_object();
	struct json *tags = json_array();
	struct json *layers = json_array();
	char hex[DIGEST_HEX_MAX];

	json_set_string(json, "Config", config_name);
	if (tag)
		json_append(tags, json_new_string(tag));
	json_set(json, "RepoTags", tags);
	for (size_t i = 0; i < image->config.diff_id_count; i++) {
		auto_free char *name =
			str_format("%s.tar", digest_hex(&image->layers[i].diff_id, hex));

		json_append(layers, json_new_string(name));
	}
	json_set(json, "Layers", layers);
	json_append(images, json);
	json_format(images, out);
}

static int put_image(struct sink *to, const struct push_job *job, const char *tag, struct err *err)
{
	static const char end[2 * BLOCK];
	const struct image *image = job->image;
	auto_strbuf struct strbuf config = STRBUF_INIT;
	auto_strbuf struct strbuf manifest = STRBUF_INIT;
	char hex[DIGEST_HEX_MAX];
	auto_free char *config_name = str_format("%s.json", digest_hex(&image->id, hex));

	for (size_t i = 0; i < image->config.diff_id_count; i++)
		if (!is_repeated(image, i) && put_layer(to, job->store, &image->layers[i], err) < 0)
			return -1;
	if (blob_load(job->store, &image->id, CONFIG_MAX_BYTES, &config, err) < 0 ||
	    put_file(to, config_name, &config, err) < 0)
		return -1;
	make_manifest(image, config_name, tag, &manifest);
	if (put_file(to, "manifest.json", &manifest, err) < 0)
		return -1;
	return sink_write(to, end, sizeof(end), err);
}

/* What docker shall call it: @ref, else the name that the user gave. */
static int choose_tag(const char *ref, const char *name, char **out, struct err *err)
{
	auto_image_ref struct image_ref parsed = IMAGE_REF_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (!ref && !name)
		return 0;
	if (image_ref_parse(ref ? ref : name, &parsed, err) < 0)
		return -1;
	if (parsed.has_digest)
		return err_set(err, ERR_USAGE,
			       "'%s' cannot be a name in an archive: it has a digest",
			       ref ? ref : name);
	image_ref_format_familiar(&parsed, &text);
	*out = strbuf_steal(&text);
	return 0;
}

struct archive_image {
	const struct push_job *job;
	const char *tag;
};

static int put(void *context, struct sink *sink, struct err *err)
{
	const struct archive_image *image = context;

	return put_image(sink, image->job, image->tag, err);
}

int docker_archive_write(const char *rest, struct push_job *job, struct err *err)
{
	auto_free char *path = NULL;
	auto_free char *ref = NULL;
	auto_free char *tag = NULL;
	struct archive_image image = { .job = job };

	if (transport_split_path(rest, DOCKER_ARCHIVE_FORM, &path, &ref, err) < 0 ||
	    choose_tag(ref, job->name, &tag, err) < 0)
		return -1;
	image.tag = tag;
	return archive_file_write(path, put, &image, &job->out_used_stdout, err);
}
