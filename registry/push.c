/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for finding the image and the transport of a push. The writing is the transport's. */
#include "registry/push.h"

#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "layers/ref.h"
#include "registry/copy.h"
#include "registry/pull-internal.h"
#include "registry/transport.h"

/* The canonical form of @text when the image or index @id goes by that name, else NULL. */
static int own_name(struct store *store, const struct digest *id, const char *text, char **out,
		    struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strlist struct strlist names = STRLIST_INIT;
	auto_strbuf struct strbuf name = STRBUF_INIT;
	struct err ignored = ERR_INIT;

	if (image_ref_parse(text, &ref, &ignored) < 0)
		return 0;
	image_ref_format(&ref, &name);
	if (image_names(store, id, &names, err) < 0)
		return -1;
	if (strlist_has(&names, name.data))
		*out = strbuf_steal(&name);
	return 0;
}

/* Of other manifests there is another index; what spoke of the old ones is left out. */
static int remake_index(struct store *store, struct image_index *index,
			const struct manifest_options *options, struct err *err)
{
	const struct index *document = &index->document;
	auto_free struct image_index_part *parts =
		mem_array(document->manifest_count, sizeof(*parts));
	auto_image_index struct image_index made = IMAGE_INDEX_INIT;
	struct digest id;
	size_t count = 0;

	for (size_t i = 0; i < document->manifest_count; i++) {
		const struct descriptor *entry = &document->manifests[i];
		auto_image struct image image = IMAGE_INIT;
		bool found = false;

		if (!index_is_image(entry))
			continue;
		if (image_index_image(store, index, &entry->digest, &found, &image, err) < 0)
			return -1;
		if (!found)
			return err_set(err, ERR_INPUT,
				       "an index of indexes is only sent as it came");
		parts[count].image_id = image.id;
		parts[count++].platform = &entry->platform;
	}
	if (count < document->manifest_count)
		log_warn("attestations are left out: they speak of the images as they were");
	const struct image_index_request request = { parts, count, options, NULL };

	if (image_index_make(store, &request, &id, err) < 0 ||
	    image_index_load(store, &id, &made, err) < 0)
		return -1;
	image_index_release(index);
	*index = made;
	made = (struct image_index)IMAGE_INDEX_INIT;
	return 0;
}

/* What is to be sent: the index, where there is one and the place can hold it, or an image. */
static int find(struct store *store, const char *text, const struct transport *transport,
		const struct push_options *options, struct image_index *index, struct image *image,
		struct push_job *job, struct err *err)
{
	bool is_index = false;

	if (transport->has_indexes && !options->platform &&
	    image_index_find(store, text, &is_index, index, err) < 0)
		return -1;
	if (!is_index) {
		job->image = image;
		return image_get_for(store, text, options->platform, image, err);
	}
	job->index = index;
	return options->manifest ? remake_index(store, index, options->manifest, err) : 0;
}

static const struct transport *find_transport(const char *place, const struct push_options *options,
					      const char **out_rest, struct err *err)
{
	return transport_find(options->destination ? "docker:" : place, out_rest, err);
}

static struct push_job make_job(struct store *store, const struct push_options *options)
{
	return (struct push_job){
		.store = store,
		.options = options->manifest,
		.destination = options->destination,
		.client = options->client,
		.jobs = options->jobs,
		.transfers = options->transfers,
	};
}

int push_image(struct store *store, const char *text, const char *place,
	       const struct push_options *options, struct push_result *out, struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	auto_image_index struct image_index index = IMAGE_INDEX_INIT;
	auto_free char *name = NULL;
	const char *rest;
	const struct transport *transport = find_transport(place, options, &rest, err);
	struct push_job job = make_job(store, options);
	const struct digest *id;

	if (!transport)
		return -1;
	if (options->manifest && !transport->has_compression)
		return err_set(err, ERR_USAGE,
			       "the options of format and compression have no meaning for %s",
			       transport->form);
	if (find(store, text, transport, options, &index, &image, &job, err) < 0)
		return -1;
	id = job.index ? &index.id : &image.id;
	if (own_name(store, image.has_index ? &image.index_digest : id, text, &name, err) < 0)
		return -1;
	job.name = name;
	if (transport->write(rest, &job, err) < 0)
		return err_prefix(err, "push '%s' to '%s'", text, place);
	*out = (struct push_result){
		.id = transport->is_registry ? job.out_digest : *id,
		.used_stdout = job.out_used_stdout,
	};
	return 0;
}

/* What @source offers, in the store; its platform is taken as it was given. */
static int gather(struct store *store, const char *source, struct registry *registry,
		  const char *platform_text, struct descriptor *out_root, struct err *err)
{
	auto_image_reader struct image_reader *reader = NULL;
	auto_platform struct platform platform = { .os = NULL };

	if (platform_text && platform_parse(platform_text, &platform, err) < 0) {
		err->kind = ERR_USAGE;
		return err_prefix(err, "--platform");
	}
	if (pull_open(store, source, registry, &reader, err) < 0)
		return -1;
	return copy_gather(store, reader, platform_text ? &platform : NULL, source, out_root, err);
}

int push_place(struct store *store, const char *source, struct registry *source_registry,
	       const char *place, const struct push_options *options, struct push_result *out,
	       struct err *err)
{
	auto_descriptor struct descriptor root = { .media_type = NULL };
	const char *rest;
	const struct transport *transport = find_transport(place, options, &rest, err);
	struct push_job job = make_job(store, options);

	if (!transport)
		return -1;
	if (options->manifest)
		return err_set(
			err, ERR_USAGE,
			"from one place to another all stays as it is: for another format or "
			"compression, imgpull it first");
	if (!transport->has_blobs)
		return err_set(err, ERR_USAGE, "%s holds unpacked layers: imgpull the image first",
			       transport->form);
	if (gather(store, source, source_registry, options->platform, &root, err) < 0)
		return err_prefix(err, "copy '%s'", source);
	job.root = &root;
	if (transport->write(rest, &job, err) < 0)
		return err_prefix(err, "copy '%s' to '%s'", source, place);
	*out = (struct push_result){ .id = root.digest, .used_stdout = job.out_used_stdout };
	return 0;
}
