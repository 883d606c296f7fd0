/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for bringing an image into the store: from the place's top document
 * down to manifest and config, then the layers (pull-layer.c), then its record
 * and its names.
 */
#include "registry/pull.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "layers/ref.h"
#include "registry/interrupt.h"
#include "registry/pull-internal.h"
#include "storage/image.h"
#include "storage/origin.h"

#define INDEX_DEPTH_MAX 4

void pull_release(struct pull *pull)
{
	strbuf_release(&pull->manifest_bytes);
	manifest_release(&pull->manifest);
	strbuf_release(&pull->config_bytes);
	image_config_release(&pull->config);
	free(pull->chains);
}

/* ---- names ---- */

/* @may_pin: "NAME@sha256:…" too, which is how a registry calls it. */
static int canonical_name(const char *text, bool may_pin, struct strlist *out, struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strbuf struct strbuf name = STRBUF_INIT;

	if (image_ref_parse(text, &ref, err) < 0)
		return -1;
	if (ref.has_digest && !may_pin)
		return err_set(err, ERR_USAGE, "'%s' cannot be given as a name: it has a digest",
			       text);
	image_ref_format(&ref, &name);
	strlist_add(out, name.data);
	return 0;
}

static int choose_names(const struct image_reader *reader, const char *source, const char *name,
			struct strlist *out, struct err *err)
{
	bool may_pin = reader->place && strncmp(reader->place, "docker://", 9) == 0;

	if (name)
		return canonical_name(name, false, out, err);
	for (size_t i = 0; i < reader->names.count; i++)
		if (canonical_name(reader->names.items[i], may_pin, out, err) < 0)
			return err_prefix(err, "%s", source);
	if (out->count == 0)
		return err_set(err, ERR_USAGE,
			       "'%s' has no name for the image: give one, as in 'imgpull %s NAME'",
			       source, source);
	return 0;
}

/* ---- documents ---- */

int pull_document(struct image_reader *reader, const struct descriptor *blob, const char *kind,
		  size_t limit, struct strbuf *out, struct err *err)
{
	auto_source struct source *source = NULL;
	auto_sink struct sink *sink = sink_to_strbuf(out);
	char digest[DIGEST_NAME_MAX];
	auto_free char *what = str_format("%s %s", kind, digest_name(&blob->digest, digest));
	struct source_digest_options options = {
		.expect = &blob->digest,
		.expect_len = blob->size_bytes,
		.what = what,
	};

	if (blob->size_bytes > limit)
		return err_set(err, ERR_INPUT, "%s is said to have %llu bytes, more than %zu", what,
			       (unsigned long long)blob->size_bytes, limit);
	source = reader->open_blob(reader, blob, err);
	if (!source)
		return -1;
	source = source_digest(source, &options);
	if (stream_copy(source, sink, err) < 0)
		return -1;
	return sink_finish(sink, err);
}

int pull_load_manifest(struct pull *pull, const struct platform *platform, const char *source,
		       struct err *err)
{
	auto_descriptor struct descriptor current = { .media_type = NULL };
	char digest[DIGEST_NAME_MAX];
	size_t position = 0;

	if (pull->reader->roots.manifest_count > 1 &&
	    index_choose(&pull->reader->roots, platform, source, &position, err) < 0)
		return -1;
	descriptor_copy(&current, &pull->reader->roots.manifests[position]);
	for (int depth = 0; depth <= INDEX_DEPTH_MAX; depth++) {
		auto_index struct index index = { .manifests = NULL };
		auto_free char *what =
			str_format("manifest %s", digest_name(&current.digest, digest));
		enum media_kind kind = MEDIA_UNKNOWN;

		strbuf_truncate(&pull->manifest_bytes, 0);
		if (pull_document(pull->reader, &current, "manifest", MANIFEST_MAX_BYTES,
				  &pull->manifest_bytes, err) < 0 ||
		    manifest_detect(pull->manifest_bytes.data, pull->manifest_bytes.len,
				    current.media_type, what, &kind, err) < 0)
			return -1;
		if (kind == MEDIA_MANIFEST)
			return manifest_parse(pull->manifest_bytes.data, pull->manifest_bytes.len,
					      current.media_type, what, &pull->manifest, err);
		if (index_parse(pull->manifest_bytes.data, pull->manifest_bytes.len,
				current.media_type, what, &index, err) < 0 ||
		    index_choose(&index, platform, what, &position, err) < 0)
			return -1;
		descriptor_copy(&current, &index.manifests[position]);
	}
	return err_set(err, ERR_INPUT, "'%s': an index in an index, more than %d deep", source,
		       INDEX_DEPTH_MAX);
}

static int load_config(struct pull *pull, struct err *err)
{
	const struct descriptor *blob = &pull->manifest.config;
	char digest[DIGEST_NAME_MAX];
	auto_free char *what = str_format("config %s", digest_name(&blob->digest, digest));
	size_t count = pull->manifest.layer_count;

	if (pull_document(pull->reader, blob, "config", CONFIG_MAX_BYTES, &pull->config_bytes,
			  err) < 0 ||
	    image_config_parse(pull->config_bytes.data, pull->config_bytes.len, what, &pull->config,
			       err) < 0)
		return -1;
	if (pull->config.diff_id_count != count)
		return err_set(err, ERR_INPUT, "%s names %zu layers, its manifest %zu", what,
			       pull->config.diff_id_count, count);
	pull->chains = mem_array(count + 1, sizeof(*pull->chains));
	for (size_t i = 0; i < count; i++)
		digest_chain(i > 0 ? &pull->chains[i - 1] : NULL, &pull->config.diff_ids[i],
			     &pull->chains[i]);
	return 0;
}

/* An image for another machine: an error when one was asked for, else worth a word. */
static int check_platform(const struct pull *pull, const struct pull_options *options,
			  const struct platform *want, const char *source, struct err *err)
{
	const struct platform *have = &pull->config.platform;
	auto_strbuf struct strbuf wanted = STRBUF_INIT;
	auto_strbuf struct strbuf there = STRBUF_INIT;

	if (!have->os || !have->architecture || platform_match(want, have) >= 0)
		return 0;
	platform_format(want, &wanted);
	platform_format(have, &there);
	if (options->platform)
		return err_set(err, ERR_INPUT, "'%s' is an image for %s, not for %s", source,
			       there.data, wanted.data);
	log_warn("'%s' is an image for %s; this machine is %s", source, there.data, wanted.data);
	return 0;
}

/* Where the config and the layers were seen. */
static int record_origin(struct pull *pull, struct err *err)
{
	size_t count = pull->manifest.layer_count + 1;
	auto_free struct digest *blobs = mem_array(count, sizeof(*blobs));

	if (!pull->reader->place)
		return 0;
	blobs[0] = pull->manifest.config.digest;
	for (size_t i = 1; i < count; i++)
		blobs[i] = pull->manifest.layers[i - 1].digest;
	return origin_record(pull->store, pull->reader->place, blobs, count, err);
}

static int record(struct pull *pull, struct digest *out_id, struct err *err)
{
	bool keep = !pull->reader->is_manifest_made;

	if (interrupt_check(err) < 0 || record_origin(pull, err) < 0)
		return -1;
	return image_put(pull->store, pull->config_bytes.data, pull->config_bytes.len,
			 keep ? pull->manifest_bytes.data : NULL,
			 keep ? pull->manifest_bytes.len : 0, out_id, err);
}

int pull_by_manifest(struct pull *pull, const struct pull_options *options,
		     const struct platform *want, const char *source, struct digest *out_id,
		     struct err *err)
{
	char digest[DIGEST_NAME_MAX];

	digest_name(&pull->manifest.config.digest, digest);
	if (manifest_check_image(&pull->manifest, digest, err) < 0 || load_config(pull, err) < 0 ||
	    (want && check_platform(pull, options, want, source, err) < 0) ||
	    pull_layers(pull, err) < 0)
		return -1;
	return record(pull, out_id, err);
}

/* One image, the one for the platform. */
static int pull_one(struct store *store, struct image_reader *reader,
		    const struct pull_options *options, const char *source, struct digest *out_id,
		    struct err *err)
{
	auto_pull struct pull pull = { .store = store,
				       .reader = reader,
				       .transfers = options->transfers,
				       .manifest_bytes = STRBUF_INIT,
				       .config_bytes = STRBUF_INIT };
	auto_platform struct platform host = { .os = NULL };
	const struct platform *platform = options->platform ? options->platform : &host;

	platform_host(&host);
	if (pull_load_manifest(&pull, platform, source, err) < 0)
		return -1;
	return pull_by_manifest(&pull, options, platform, source, out_id, err);
}

static int pull_from(struct store *store, struct image_reader *reader,
		     const struct pull_options *options, const char *source,
		     const struct strlist *names, struct digest *out_id, struct err *err)
{
	bool is_index = false;

	if ((options->all_platforms &&
	     pull_index(store, reader, options->transfers, &is_index, out_id, err) < 0) ||
	    (!is_index && pull_one(store, reader, options, source, out_id, err) < 0))
		return -1;
	for (size_t i = 0; i < names->count; i++)
		if (image_tag(store, out_id, names->items[i], err) < 0)
			return -1;
	return 0;
}

int pull_open(struct store *store, const char *source, struct registry *registry,
	      struct image_reader **out, struct err *err)
{
	const struct transport *transport;
	const char *rest;

	if (registry)
		return registry_read(registry, out, err);
	transport = transport_find(source, &rest, err);
	if (!transport)
		return -1;
	if (!transport->read)
		return err_set(err, ERR_USAGE, "'%s': %s", source, transport->instead);
	return transport->read(rest, store, out, err);
}

int pull_image(struct store *store, const char *source, const struct pull_options *options,
	       struct digest *out_id, struct strlist *out_names, struct err *err)
{
	auto_image_reader struct image_reader *reader = NULL;
	auto_strlist struct strlist names = STRLIST_INIT;

	if (pull_open(store, source, options->registry, &reader, err) < 0)
		return options->registry ? err_prefix(err, "pull '%s'", source) : -1;
	if (choose_names(reader, source, options->name, &names, err) < 0)
		return -1;
	if (pull_from(store, reader, options, source, &names, out_id, err) < 0)
		return err_prefix(err, "pull '%s'", source);

	strlist_release(out_names);
	*out_names = names;
	names = (struct strlist)STRLIST_INIT;
	return 0;
}
