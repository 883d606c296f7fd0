/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for writing images to registries: which blobs, and then which manifests in which
 * order. How a blob gets there is upload's.
 */
#include "registry/registry-push.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/crew.h"
#include "common/log.h"
#include "common/mem.h"
#include "registry/interrupt.h"
#include "registry/referrers.h"
#include "registry/repository.h"
#include "registry/upload.h"
#include "storage/blob.h"
#include "storage/origin.h"

void destination_release(struct destination *destination)
{
	image_ref_release(&destination->ref);
	endpoints_release(&destination->endpoints);
}

int destination_find(const char *place, const struct access_options *options,
		     struct destination *out, struct err *err)
{
	auto_destination struct destination found = { .ref = IMAGE_REF_INIT };

	if (endpoint_parse_ref(place, &found.ref, err) < 0) {
		err->kind = ERR_USAGE;
		return -1;
	}
	if (endpoints_find(&found.ref, options, ENDPOINT_PUSH, &found.endpoints, err) < 0)
		return -1;
	*out = found;
	found = (struct destination){ .ref = IMAGE_REF_INIT };
	return 0;
}

/* ---- what is to be sent ---- */

/* A blob, or the layer that one is to be made of. */
struct piece {
	bool is_layer;
	struct layer layer;
	struct layer_blob blob; /* codec and level, when it is one; the rest once it is sent */
};

/* What names blobs; in this order. */
struct paper {
	struct digest digest;
	char *media_type;
	struct strbuf bytes;
};

struct sheaf {
	struct repository repository;
	struct workshop workshop; /* for layers */
	struct piece *pieces;
	size_t piece_count;
	struct paper *papers;
	size_t paper_count;
};

static void sheaf_release(struct sheaf *sheaf)
{
	for (size_t i = 0; i < sheaf->paper_count; i++) {
		free(sheaf->papers[i].media_type);
		strbuf_release(&sheaf->papers[i].bytes);
	}
	free(sheaf->papers);
	free(sheaf->pieces);
	workshop_release(&sheaf->workshop);
}
#define auto_sheaf __attribute__((cleanup(sheaf_release)))

static struct piece *add_piece(struct sheaf *sheaf)
{
	sheaf->pieces = mem_resize(sheaf->pieces, sheaf->piece_count + 1, sizeof(sheaf->pieces[0]));
	sheaf->pieces[sheaf->piece_count] = (struct piece){ .is_layer = false };
	return &sheaf->pieces[sheaf->piece_count++];
}

/* Each blob once, however many images share it. */
static void add_blob(struct sheaf *sheaf, const struct digest *digest, uint64_t size_bytes)
{
	struct piece *piece;

	for (size_t i = 0; i < sheaf->piece_count; i++)
		if (!sheaf->pieces[i].is_layer &&
		    digest_equal(&sheaf->pieces[i].blob.digest, digest))
			return;
	piece = add_piece(sheaf);
	piece->blob.digest = *digest;
	piece->blob.size_bytes = size_bytes;
}

static void add_layer(struct sheaf *sheaf, const struct layer *layer,
		      const struct layer_blob *wanted)
{
	struct piece *piece;

	for (size_t i = 0; i < sheaf->piece_count; i++)
		if (sheaf->pieces[i].is_layer &&
		    digest_equal(&sheaf->pieces[i].layer.diff_id, &layer->diff_id))
			return;
	piece = add_piece(sheaf);
	piece->is_layer = true;
	piece->layer = *layer;
	piece->blob = *wanted;
}

static void add_paper(struct sheaf *sheaf, const struct digest *digest, const char *media_type,
		      const struct strbuf *bytes)
{
	struct paper *paper;

	for (size_t i = 0; i < sheaf->paper_count; i++)
		if (digest_equal(&sheaf->papers[i].digest, digest))
			return;
	sheaf->papers = mem_resize(sheaf->papers, sheaf->paper_count + 1, sizeof(sheaf->papers[0]));
	paper = &sheaf->papers[sheaf->paper_count++];
	*paper = (struct paper){ .digest = *digest,
				 .media_type = str_dup(media_type),
				 .bytes = STRBUF_INIT };
	strbuf_add(&paper->bytes, bytes->data, bytes->len);
}

/* ---- an index: all of it is in the store ---- */

static int gather_index(struct sheaf *sheaf, struct store *store, const struct index *index,
			const struct strbuf *bytes, const struct digest *digest, struct err *err);

static int gather_part(struct sheaf *sheaf, struct store *store, const struct descriptor *part,
		       struct err *err)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_index struct index index = { .manifests = NULL };
	enum media_kind kind = MEDIA_UNKNOWN;
	char name[DIGEST_NAME_MAX];

	digest_name(&part->digest, name);
	if (blob_load(store, &part->digest, MANIFEST_MAX_BYTES, &bytes, err) < 0 ||
	    manifest_detect(bytes.data, bytes.len, part->media_type, name, &kind, err) < 0)
		return -1;
	if (kind == MEDIA_INDEX)
		return index_parse(bytes.data, bytes.len, part->media_type, name, &index, err) < 0
			       ? -1
			       : gather_index(sheaf, store, &index, &bytes, &part->digest, err);
	if (manifest_parse(bytes.data, bytes.len, part->media_type, name, &manifest, err) < 0)
		return -1;
	for (size_t i = 0; i < manifest.layer_count; i++)
		add_blob(sheaf, &manifest.layers[i].digest, manifest.layers[i].size_bytes);
	add_blob(sheaf, &manifest.config.digest, manifest.config.size_bytes);
	add_paper(sheaf, &part->digest, manifest_media_type(&manifest), &bytes);
	return 0;
}

/* The store took it in no deeper than it may be. */
static int gather_index(struct sheaf *sheaf, struct store *store, const struct index *index,
			const struct strbuf *bytes, const struct digest *digest, struct err *err)
{
	for (size_t i = 0; i < index->manifest_count; i++)
		if (gather_part(sheaf, store, &index->manifests[i], err) < 0)
			return -1;
	add_paper(sheaf, digest, index_media_type(index), bytes);
	return 0;
}

/* ---- an image: its layers may have to be compressed ---- */

static int gather_image(struct sheaf *sheaf, const struct push_job *job, struct err *err)
{
	const struct image *image = job->image;
	const size_t count = image->config.diff_id_count;
	auto_free struct image_layer_form *forms = mem_array(count + 1, sizeof(*forms));
	uint64_t size = 0;
	bool found = false;

	if (image_layer_forms(job->store, image, job->options, forms, err) < 0 ||
	    blob_find(job->store, &image->id, &found, &size, err) < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_INPUT, "the store is damaged: the image has no config");
	for (size_t i = 0; i < count; i++) {
		/* a layer whose blob was made here goes by the layer, before and after */
		if (forms[i].is_made && !(image->layers[i].is_ours && !image->has_manifest))
			add_blob(sheaf, &forms[i].blob.digest, forms[i].blob.size_bytes);
		else
			add_layer(sheaf, &image->layers[i], &forms[i].blob);
	}
	add_blob(sheaf, &image->id, size);
	return 0;
}

/* Once all layers are compressed. */
static int gather_manifest(struct sheaf *sheaf, const struct push_job *job, struct err *err)
{
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct digest digest;

	if (image_manifest(job->store, job->image, job->options, &bytes, &manifest, err) < 0)
		return -1;
	digest_of(bytes.data, bytes.len, &digest);
	add_paper(sheaf, &digest, manifest_media_type(&manifest), &bytes);
	return 0;
}

/* ---- sending ---- */

static uint64_t piece_bytes(const struct piece *piece)
{
	return piece->is_layer ? piece->layer.tar_bytes : piece->blob.size_bytes;
}

/* The largest first, so that none of them is alone at the end. */
static int compare_pieces(const void *a, const void *b)
{
	const uint64_t first = piece_bytes(a);
	const uint64_t second = piece_bytes(b);

	return (first < second) - (first > second);
}

static void sort_pieces(struct sheaf *sheaf)
{
	if (sheaf->piece_count > 0)
		qsort(sheaf->pieces, sheaf->piece_count, sizeof(sheaf->pieces[0]), compare_pieces);
}

static int send_piece(void *context, size_t index, struct err *err)
{
	struct sheaf *sheaf = context;
	struct piece *piece = &sheaf->pieces[index];
	uint64_t sent = 0;

	if (piece->is_layer)
		return upload_layer(&sheaf->repository, &sheaf->workshop, &piece->layer,
				    piece->blob.codec, piece->blob.level, &piece->blob, &sent, err);
	return upload_blob(&sheaf->repository, &piece->blob.digest, piece->blob.size_bytes, &sent,
			   err);
}

static int send_paper(const struct sheaf *sheaf, const struct paper *paper, const char *reference,
		      struct err *err)
{
	struct digest subject;
	bool has_subject = false;
	bool is_known = false;

	if (interrupt_check(err) < 0 ||
	    referrers_subject(&paper->bytes, reference, &has_subject, &subject, err) < 0 ||
	    repository_put_manifest(&sheaf->repository, reference, paper->media_type, &paper->bytes,
				    &paper->digest, &is_known, err) < 0)
		return -1;
	if (!has_subject || is_known)
		return 0;
	return referrers_add(&sheaf->repository, &subject, &paper->bytes, paper->media_type,
			     &paper->digest, err);
}

/* "NAME@sha256:…": then nothing else goes there. */
static int check_asked_for(const struct sheaf *sheaf, const struct image_ref *ref, struct err *err)
{
	const struct paper *last = &sheaf->papers[sheaf->paper_count - 1];
	char name[DIGEST_NAME_MAX];

	if (!ref->has_digest || digest_equal(&ref->digest, &last->digest))
		return 0;
	return err_set(err, ERR_INPUT,
		       "the manifest has the digest %s, not the one that was asked for",
		       digest_name(&last->digest, name));
}

/* The last one gets the tag; all others are known by their digests. */
static int send_papers(const struct sheaf *sheaf, const struct image_ref *ref, struct err *err)
{
	const struct paper *last = &sheaf->papers[sheaf->paper_count - 1];
	char name[DIGEST_NAME_MAX];

	for (size_t i = 0; i < sheaf->paper_count; i++) {
		const struct paper *paper = &sheaf->papers[i];
		const char *reference = digest_name(&paper->digest, name);

		if (paper == last && (ref->tag || !ref->has_digest))
			reference = ref->tag ? ref->tag : "latest";
		if (send_paper(sheaf, paper, reference, err) < 0)
			return -1;
	}
	return 0;
}

/* So that a push to another repository there can ask for them. */
static int remember(const struct sheaf *sheaf, struct store *store, struct err *err)
{
	auto_free struct digest *blobs = mem_array(sheaf->piece_count + 1, sizeof(*blobs));

	for (size_t i = 0; i < sheaf->piece_count; i++)
		blobs[i] = sheaf->pieces[i].blob.digest;
	return origin_record(store, sheaf->repository.endpoint->place, blobs, sheaf->piece_count,
			     err);
}

static int gather(struct sheaf *sheaf, const struct push_job *job, struct err *err)
{
	const struct image_index *index = job->index;

	if (job->root)
		return gather_part(sheaf, job->store, job->root, err);
	if (index)
		return gather_index(sheaf, job->store, &index->document, &index->bytes, &index->id,
				    err);
	return gather_image(sheaf, job, err);
}

/* Layers are compressed on the way: until then the manifest is not known. */
static bool has_layers(const struct sheaf *sheaf)
{
	for (size_t i = 0; i < sheaf->piece_count; i++)
		if (sheaf->pieces[i].is_layer)
			return true;
	return false;
}

static int gather_last(struct sheaf *sheaf, const struct push_job *job, struct err *err)
{
	if (job->image && gather_manifest(sheaf, job, err) < 0)
		return -1;
	return check_asked_for(sheaf, &job->destination->ref, err);
}

static int send_all(struct sheaf *sheaf, const struct push_job *job, struct err *err)
{
	const size_t threads = job->jobs ? job->jobs : PUSH_JOBS_DEFAULT;
	bool is_known;

	if (gather(sheaf, job, err) < 0)
		return -1;
	sort_pieces(sheaf);
	is_known = !has_layers(sheaf);
	if ((is_known && gather_last(sheaf, job, err) < 0) ||
	    crew_run(sheaf->piece_count, threads, send_piece, sheaf, err) < 0 ||
	    (!is_known && gather_last(sheaf, job, err) < 0) ||
	    send_papers(sheaf, &job->destination->ref, err) < 0)
		return -1;
	return remember(sheaf, job->store, err);
}

int registry_write(const char *rest, struct push_job *job, struct err *err)
{
	const struct endpoints *endpoints = &job->destination->endpoints;
	auto_client struct client *client = NULL;
	auto_sheaf struct sheaf sheaf = { .pieces = NULL };

	workshop_init(&sheaf.workshop);
	if (client_start(job->client, &client, err) < 0 ||
	    repository_open(job->store, client, &endpoints->items[endpoints->count - 1],
			    &sheaf.repository, err) < 0)
		return -1;
	sheaf.repository.transfers = job->transfers;
	if (send_all(&sheaf, job, err) < 0)
		return -1;
	job->out_digest = sheaf.papers[sheaf.paper_count - 1].digest;
	return 0;
}
