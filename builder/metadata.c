/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what scripts are told of a build: names and digests, as they find them elsewhere. */
#include "builder/metadata.h"

#include <fcntl.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"
#include "layers/ref.h"
#include "storage/image-index.h"
#include "storage/image.h"

static void set_descriptor(struct json *root, const char *media_type, const struct strbuf *bytes)
{
	auto_descriptor struct descriptor descriptor = { .media_type = NULL };
	char name[DIGEST_NAME_MAX];
	struct digest digest;

	digest_of(bytes->data, bytes->len, &digest);
	descriptor_set(&descriptor, media_type, &digest, bytes->len);
	json_set(root, "containerimage.descriptor", descriptor_to_json(&descriptor));
	json_set_string(root, "containerimage.digest", digest_name(&digest, name));
}

static int tell_image(const struct build_request *request, const struct digest *id,
		      struct json *root, struct err *err)
{
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_image struct image image = IMAGE_INIT;
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	char name[DIGEST_NAME_MAX];

	if (image_get(request->store, digest_name(id, name), NULL, &image, err) < 0 ||
	    image_manifest(request->store, &image, NULL, &bytes, &manifest, err) < 0)
		return -1;
	json_set_string(root, "containerimage.config.digest", name);
	set_descriptor(root, manifest_media_type(&manifest), &bytes);
	return 0;
}

static int tell_index(const struct build_request *request, const struct digest *id,
		      struct json *root, struct err *err)
{
	auto_image_index struct image_index index = IMAGE_INDEX_INIT;

	if (image_index_load(request->store, id, &index, err) < 0)
		return -1;
	set_descriptor(root, index_media_type(&index.document), &index.bytes);
	return 0;
}

static int tell_names(const struct build_request *request, struct json *root, struct err *err)
{
	auto_strbuf struct strbuf names = STRBUF_INIT;

	for (size_t i = 0; i < request->tags->count; i++) {
		auto_image_ref struct image_ref ref = IMAGE_REF_INIT;

		if (image_ref_parse(request->tags->items[i], &ref, err) < 0)
			return -1;
		if (i > 0)
			strbuf_putc(&names, ',');
		image_ref_format(&ref, &names);
	}
	if (names.len > 0)
		json_set_string(root, "image.name", names.data);
	return 0;
}

int metadata_write(const char *path, const struct build_request *request, const struct digest *id,
		   struct err *err)
{
	auto_json struct json *root = json_object();
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_close int fd = -1;

	if (id && ((request->platforms.is_index ? tell_index(request, id, root, err)
						: tell_image(request, id, root, err)) < 0 ||
		   tell_names(request, root, err) < 0))
		return err_prefix(err, "--metadata-file");
	json_format_pretty(root, &text);
	strbuf_putc(&text, '\n');
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return fd_write_all(fd, text.data, text.len, path, err);
}
