/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for reading an image from a registry: which of its mirrors is asked, what is asked for,
 * and whether the manifest that comes is the one that was meant. How requests travel is
 * client.h's; layers are held against their digests by who reads them.
 */
#include "registry/registry-read.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"

#define ACCEPT                                                                        \
	"Accept: " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST ", " MEDIA_OCI_INDEX \
	", " MEDIA_DOCKER_LIST

struct registry {
	struct image_ref ref;
	struct endpoints endpoints;
	unsigned *ids; /* of the endpoints, with the client */
	struct client *client;
	unsigned jobs;
};

struct registry_reader {
	struct image_reader reader;
	struct registry *registry;
	struct strlist accept;
	size_t serving; /* the endpoint that had the manifest, or is asked before it for digests */
	struct strbuf top;
	struct digest top_digest;
};

bool registry_is_place(const char *place)
{
	return strncmp(place, "docker://", 9) == 0 || !transport_is_named(place);
}

/* ---- before anything is asked ---- */

static int add_endpoints(struct registry *registry, struct err *err)
{
	registry->ids = mem_array(registry->endpoints.count, sizeof(*registry->ids));
	for (size_t i = 0; i < registry->endpoints.count; i++) {
		struct client_endpoint values = endpoint_for_client(&registry->endpoints.items[i]);

		if (client_add_endpoint(registry->client, &values, &registry->ids[i], err) < 0)
			return -1;
	}
	return 0;
}

int registry_open(const char *place, const struct registry_options *options, struct registry **out,
		  struct err *err)
{
	auto_registry struct registry *registry = mem_alloc(sizeof(*registry));

	registry->jobs = options->jobs ? options->jobs : REGISTRY_JOBS;
	if (endpoint_parse_ref(place, &registry->ref, err) < 0 ||
	    endpoints_find(&registry->ref, &options->access, ENDPOINT_PULL, &registry->endpoints,
			   err) < 0 ||
	    client_start(&options->client, &registry->client, err) < 0 ||
	    add_endpoints(registry, err) < 0)
		return -1;
	*out = ptr_steal(&registry);
	return 0;
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	client_free(registry->client);
	endpoints_release(&registry->endpoints);
	image_ref_release(&registry->ref);
	free(registry->ids);
	free(registry);
}

void registry_auto_free(struct registry **registry)
{
	registry_free(*registry);
	*registry = NULL;
}

/* ---- blobs ---- */

/* A blob as it comes; when an endpoint fails, the next one goes on where it stopped. */
struct registry_source {
	struct source source;
	struct registry_reader *reader;
	struct source *from; /* NULL: not begun */
	size_t endpoint;
	uint64_t done;
	uint64_t total;
	bool is_manifest;
	struct digest digest;
	char *what;
};

static int begin(struct registry_source *source, struct err *err)
{
	struct registry_reader *reader = source->reader;
	const struct endpoint *endpoint = &reader->registry->endpoints.items[source->endpoint];
	char digest[DIGEST_NAME_MAX];
	auto_free char *path =
		endpoint_path(endpoint, "/%s/%s", source->is_manifest ? "manifests" : "blobs",
			      digest_name(&source->digest, digest));
	struct client_request request = {
		.endpoint = reader->registry->ids[source->endpoint],
		.path = path,
		.repository = endpoint->repository,
		.headers = source->is_manifest ? &reader->accept : NULL,
		.max_bytes = source->total > 0 ? source->total : CLIENT_DOCUMENT_MAX,
		.offset = source->done,
		.total = source->total,
	};

	source->from = client_get(reader->registry->client, &request, source->what, err);
	return source->from ? 0 : -1;
}

/* After an error: whether somebody else is left to be asked. */
static bool turn_to_next(struct registry_source *source, const struct err *err)
{
	if (err->kind != ERR_REMOTE ||
	    source->endpoint + 1 >= source->reader->registry->endpoints.count)
		return false;
	log_info("%s; asking %s", err->text,
		 source->reader->registry->endpoints.items[source->endpoint + 1].host);
	source_free(source->from);
	source->from = NULL;
	source->endpoint++;
	return true;
}

static ssize_t registry_source_read(struct source *base, void *data, size_t len, struct err *err)
{
	struct registry_source *source = (struct registry_source *)base;
	ssize_t n = -1;

	do {
		err_clear(err);
		if (source->from || begin(source, err) == 0)
			n = source_read(source->from, data, len, err);
	} while (n < 0 && turn_to_next(source, err));
	if (n > 0)
		source->done += (uint64_t)n;
	return n;
}

static void registry_source_free(struct source *base)
{
	struct registry_source *source = (struct registry_source *)base;

	source_free(source->from);
	free(source->what);
	free(source);
}

static struct source *open_blob_at(struct image_reader *base, const struct descriptor *blob,
				   uint64_t offset, struct err *err)
{
	struct registry_reader *reader = (struct registry_reader *)base;
	enum media_kind kind = media_kind_of(blob->media_type);
	char digest[DIGEST_NAME_MAX];
	struct registry_source *source;

	if (offset == 0 && digest_equal(&blob->digest, &reader->top_digest))
		return source_from_memory(reader->top.data, reader->top.len);
	source = mem_alloc(sizeof(*source));
	source->source =
		(struct source){ .read = registry_source_read, .free = registry_source_free };
	source->reader = reader;
	source->endpoint = reader->serving;
	source->done = offset;
	source->total = blob->size_bytes;
	source->is_manifest = kind == MEDIA_MANIFEST || kind == MEDIA_INDEX;
	source->digest = blob->digest;
	source->what = str_format("%s %s", source->is_manifest ? "manifest" : "blob",
				  digest_name(&blob->digest, digest));
	/* the request goes out now, so that bytes come while others are still being made ready */
	if (begin(source, err) < 0) {
		source_free(&source->source);
		return NULL;
	}
	return &source->source;
}

static struct source *open_blob(struct image_reader *reader, const struct descriptor *blob,
				struct err *err)
{
	return open_blob_at(reader, blob, 0, err);
}

static void reader_free(struct image_reader *base)
{
	struct registry_reader *reader = (struct registry_reader *)base;

	strlist_release(&reader->accept);
	strbuf_release(&reader->top);
	free(reader);
}

/* ---- the manifest or index at the top ---- */

static int ask_for_top(struct registry_reader *reader, size_t position,
		       struct client_response *response, struct err *err)
{
	struct registry *registry = reader->registry;
	const struct endpoint *endpoint = &registry->endpoints.items[position];
	const struct image_ref *ref = &registry->ref;
	char digest[DIGEST_NAME_MAX];
	const char *which = ref->has_digest ? digest_name(&ref->digest, digest)
			    : ref->tag      ? ref->tag
					    : "latest";
	auto_free char *path = endpoint_path(endpoint, "/manifests/%s", which);
	auto_free char *what = str_format("manifest '%s' of '%s'", which, endpoint->place + 9);
	struct client_request request = {
		.endpoint = registry->ids[position],
		.path = path,
		.repository = endpoint->repository,
		.headers = &reader->accept,
		.max_bytes = MANIFEST_MAX_BYTES,
	};

	if (client_perform(registry->client, &request, response, err) < 0)
		return -1;
	if (response->status != 200)
		return client_refused(response, what, err);
	return 0;
}

/* The type that the registry gives to it, when that says anything. */
static const char *media_type_of(const struct client_response *response)
{
	const char *type = client_response_header(response, "content-type");

	return type ? type : "";
}

static int check_top(struct registry_reader *reader, const struct client_response *response,
		     struct err *err)
{
	const struct image_ref *ref = &reader->registry->ref;
	const char *said = client_response_header(response, "docker-content-digest");
	char name[DIGEST_NAME_MAX];

	digest_of(response->body.data, response->body.len, &reader->top_digest);
	digest_name(&reader->top_digest, name);
	if (ref->has_digest && !digest_equal(&ref->digest, &reader->top_digest))
		return err_set(
			err, ERR_INPUT,
			"the registry sent a manifest with the digest %s, not the one asked for",
			name);
	/* another algorithm than ours is not compared */
	if (said && strncmp(said, "sha256:", 7) == 0 && strcmp(said, name) != 0)
		return err_set(err, ERR_INPUT,
			       "the registry says that the manifest is %s, and sent %s", said,
			       name);
	return 0;
}

static void take_top(struct registry_reader *reader, struct client_response *response)
{
	auto_descriptor struct descriptor root = { .media_type = NULL };
	auto_strbuf struct strbuf name = STRBUF_INIT;
	const struct registry *registry = reader->registry;

	reader->top = response->body;
	response->body = (struct strbuf)STRBUF_INIT;
	descriptor_set(&root, media_type_of(response), &reader->top_digest, reader->top.len);
	index_add(&reader->reader.roots, &root);
	reader->reader.place = registry->endpoints.items[registry->endpoints.count - 1].place;
	reader->reader.jobs = registry->jobs;
	image_ref_format(&registry->ref, &name);
	strlist_add(&reader->reader.names, name.data);
}

/* The first one that is not asked for tags, but would have been before @position; or that. */
static size_t first_for_digests(const struct registry *registry, size_t position)
{
	for (size_t i = 0; i < position; i++)
		if (registry->endpoints.items[i].by_digest_only)
			return i;
	return position;
}

static bool is_asked_for_top(const struct registry *registry, size_t position)
{
	return registry->ref.has_digest || !registry->endpoints.items[position].by_digest_only;
}

int registry_read(struct registry *registry, struct image_reader **out, struct err *err)
{
	struct registry_reader *reader = mem_alloc(sizeof(*reader));
	auto_image_reader struct image_reader *base = &reader->reader;
	int result = -1;

	reader->reader.open_blob = open_blob;
	reader->reader.open_blob_at = open_blob_at;
	reader->reader.free = reader_free;
	reader->registry = registry;
	reader->top = (struct strbuf)STRBUF_INIT;
	strlist_add(&reader->accept, ACCEPT);
	for (size_t i = 0; i < registry->endpoints.count && result < 0; i++) {
		auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;

		if (!is_asked_for_top(registry, i))
			continue;
		if (err->kind != ERR_NONE) {
			if (err->kind == ERR_INTERRUPTED)
				return -1;
			log_info("%s; asking %s", err->text, registry->endpoints.items[i].host);
		}
		err_clear(err);
		if (ask_for_top(reader, i, &response, err) < 0 ||
		    check_top(reader, &response, err) < 0)
			continue;
		reader->serving = registry->ref.has_digest ? i : first_for_digests(registry, i);
		take_top(reader, &response);
		result = 0;
	}
	if (result == 0)
		*out = ptr_steal(&base);
	return result;
}
