/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for bringing one layer into the store: in one pass the bytes are
 * digested and kept as they came, decompressed, digested again as a tar, and
 * unpacked. What the store already has, and is known to be true, is not read
 * again.
 *
 * A layer that depends on those below (it has implicit parents, or devices that
 * a user may not make) shows itself when it is unpacked, perhaps before these
 * are there. Of such a one only the bytes are kept at first; when those below are
 * in the store, it is unpacked from these onto what they show. A thread holds one lock at a
 * time, so nobody waits for a layer with the lock of another. Which is brought when is
 * pull-layers.c's.
 */
#include <stdio.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/userns.h"
#include "layers/codec.h"
#include "layers/unpack.h"
#include "registry/interrupt.h"
#include "registry/pull-internal.h"
#include "registry/region.h"
#include "storage/blob.h"
#include "storage/layer.h"
#include "storage/mount.h"

/* One layer on its way. */
struct arrival {
	struct pull *pull;
	const struct descriptor *blob;
	const struct digest *diff_id;
	const struct digest *parent_chain;
	int below_fd;                    /* what the layers below show, or -1 */
	char what[DIGEST_NAME_MAX + 16]; /* "layer sha256:…" */
	unsigned transfer;               /* its number among those that are shown */
	bool is_shown;

	bool is_whole; /* whatever it depends on */

	/* what is there already */
	bool has_layer;
	bool has_blob;

	/* what is being made of it */
	struct blob_writer writer;
	uint64_t resumed_from; /* so much of the blob had come before */
	struct sink *keep;     /* into the writer */
	struct layer_draft draft;

	/* what was measured */
	struct digest blob_digest;
	struct digest tar_digest;
	uint64_t tar_bytes;
	enum codec codec;
	struct unpack_result unpacked;
};

static void arrival_release(struct arrival *arrival)
{
	fd_close(&arrival->below_fd);
	sink_free(arrival->keep);
	blob_writer_release(&arrival->writer);
	layer_draft_release(&arrival->draft);
}
#define auto_arrival __attribute__((cleanup(arrival_release)))

/* Whether the store knows a packed form of the layer; *out_is_same: this very blob. */
static int look_up_forms(struct arrival *arrival, bool *out_has_form, bool *out_is_same,
			 struct err *err)
{
	static const enum codec codecs[] = { CODEC_GZIP, CODEC_ZSTD, CODEC_NONE };

	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		struct layer_blob form;
		bool found = false;

		if (layer_blob_find(arrival->pull->store, arrival->diff_id, false, codecs[i],
				    CODEC_LEVEL_DEFAULT, &found, &form, err) < 0)
			return -1;
		*out_has_form |= found;
		*out_is_same |= found && digest_equal(&form.digest, &arrival->blob->digest);
	}
	return 0;
}

/*
 * Whether nothing need be read: the layer is there and so is what packs it
 * again. A blob that is there without being known as a form of this layer is
 * read: that the two belong together is only what the image says.
 */
static int look_up(struct arrival *arrival, bool *out_done, struct err *err)
{
	struct store *store = arrival->pull->store;
	struct layer layer = { .is_ours = false };
	bool has_form = false;
	bool is_same = false;

	if (layer_find(store, arrival->parent_chain, arrival->diff_id, &arrival->has_layer, &layer,
		       err) < 0 ||
	    blob_find(store, &arrival->blob->digest, &arrival->has_blob, NULL, err) < 0 ||
	    look_up_forms(arrival, &has_form, &is_same, err) < 0)
		return -1;
	if (arrival->pull->reader->is_manifest_made)
		is_same |= has_form || layer.is_ours;
	*out_done = arrival->has_layer && is_same;
	return 0;
}

/* It is on its way: once, however often it is begun. */
static void show(struct arrival *arrival)
{
	char digest[DIGEST_NAME_MAX];

	if (arrival->is_shown)
		return;
	arrival->is_shown = true;
	arrival->transfer = transfers_begin(arrival->pull->transfers,
					    digest_name(&arrival->blob->digest, digest),
					    arrival->blob->size_bytes, arrival->resumed_from);
}

/*
 * From a place that is far away: what has come before, then the rest, which is kept as it
 * comes, whatever happens then.
 */
static struct source *open_rest(struct arrival *arrival,
				const struct source_digest_options *options, struct err *err)
{
	struct image_reader *reader = arrival->pull->reader;
	uint64_t size = arrival->blob->size_bytes;
	struct source *source = source_from_memory("", 0);
	struct region before = { .size_bytes = 0 };

	if (blob_writer_resume(arrival->pull->store, &arrival->blob->digest, &arrival->writer,
			       &arrival->resumed_from, err) < 0) {
		source_free(source);
		return NULL;
	}
	show(arrival);
	before.fd = arrival->writer.tmp.fd;
	before.size_bytes = arrival->resumed_from;
	arrival->keep = sink_to_fd(arrival->writer.tmp.fd, arrival->what);
	if (arrival->resumed_from < size) {
		source_free(source);
		source = reader->open_blob_at(reader, arrival->blob, arrival->resumed_from, err);
		if (!source)
			return NULL;
	}
	source = source_transfer(source, arrival->pull->transfers, arrival->transfer);
	source = source_tee(source, arrival->keep);
	return source_digest(source_chain(source_region(&before, arrival->what), source), options);
}

/* The compressed bytes: the store's own, or the place's, which are kept as they pass. */
static struct source *open_bytes(struct arrival *arrival, struct err *err)
{
	struct store *store = arrival->pull->store;
	struct image_reader *reader = arrival->pull->reader;
	struct source_digest_options options = {
		.expect = &arrival->blob->digest,
		.expect_len = arrival->blob->size_bytes,
		.out_digest = &arrival->blob_digest,
		.what = arrival->what,
	};
	struct source *source;

	if (!reader->open_blob_at || arrival->has_blob)
		show(arrival);
	if (arrival->has_blob) {
		struct region region = { .owns_fd = true, .size_bytes = arrival->blob->size_bytes };

		region.fd = blob_open(store, &arrival->blob->digest, err);
		if (region.fd < 0)
			return NULL;
		return source_digest(source_transfer(source_region(&region, arrival->what),
						     arrival->pull->transfers, arrival->transfer),
				     &options);
	}
	if (reader->open_blob_at)
		return open_rest(arrival, &options, err);
	if (blob_writer_open(store, &arrival->writer, err) < 0)
		return NULL;
	arrival->keep = sink_to_fd(arrival->writer.tmp.fd, arrival->what);
	source = reader->open_blob(reader, arrival->blob, err);
	if (!source)
		return NULL;
	source = source_transfer(source, arrival->pull->transfers, arrival->transfer);
	return source_tee(source_digest(source, &options), arrival->keep);
}

/* The tar: bytes that are its own diff ID need no second digest, and no guess at their codec. */
static struct source *open_tar(struct arrival *arrival, struct err *err)
{
	struct source *source = open_bytes(arrival, err);
	struct source_digest_options options = {
		.expect = arrival->diff_id,
		.expect_len = UINT64_MAX,
		.out_digest = &arrival->tar_digest,
		.out_len = &arrival->tar_bytes,
		.what = arrival->what,
	};

	if (!source)
		return NULL;
	if (digest_equal(&arrival->blob->digest, arrival->diff_id)) {
		arrival->codec = CODEC_NONE;
		return source;
	}
	source = unpack_open(source, arrival->what, &arrival->codec, err);
	/* whoever unpacks has enough to do with making files */
	return source ? source_ahead(source_digest(source, &options)) : NULL;
}

static int receive(struct arrival *arrival, struct err *err)
{
	struct unpack_options options = {
		.whiteouts = UNPACK_TO_OVERLAY,
		.ns = store_overlay_ns(arrival->pull->store),
		.what = arrival->what,
		.below_fd = arrival->below_fd >= 0 ? &arrival->below_fd : NULL,
		.stops_at_implicit =
			arrival->parent_chain && arrival->below_fd < 0 && !arrival->is_whole,
		.skip_devices = userns_is_nested(),
	};
	auto_source struct source *source = open_tar(arrival, err);

	if (!source)
		return -1;
	if (arrival->has_layer)
		return source_drain(source, err);
	if (layer_draft_open(arrival->pull->store, &arrival->draft, err) < 0)
		return -1;
	return unpack_tar(source, arrival->draft.fs_fd, &options, &arrival->unpacked, err);
}

/* Both streams ended, and with the right digests: only then were these set. */
static int check_digests(struct arrival *arrival, struct err *err)
{
	if (!digest_equal(&arrival->blob_digest, &arrival->blob->digest))
		return err_set(err, ERR_INPUT, "%s goes on after the end of its compressed stream",
			       arrival->what);
	if (digest_equal(&arrival->blob->digest, arrival->diff_id)) {
		arrival->tar_bytes = arrival->blob->size_bytes;
		return 0;
	}
	if (!digest_equal(&arrival->tar_digest, arrival->diff_id))
		return err_set(err, ERR_BUG, "the tar of %s was not read to its end",
			       arrival->what);
	return 0;
}

/* Once it was unpacked onto the layers below, it may have no implicit parent any more. */
static bool depends_on_below(const struct arrival *arrival)
{
	return arrival->below_fd >= 0 || arrival->unpacked.has_implicit_parents ||
	       arrival->unpacked.devices_skipped > 0;
}

/* It depends on the layers below, and was unpacked without them. */
static bool must_wait(const struct arrival *arrival)
{
	return !arrival->has_layer && arrival->parent_chain && arrival->below_fd < 0 &&
	       depends_on_below(arrival);
}

static int publish(struct arrival *arrival, struct err *err)
{
	struct store *store = arrival->pull->store;
	struct layer_facts facts = {
		.diff_id = arrival->diff_id,
		.parent_chain = arrival->parent_chain,
		.tar_bytes = arrival->tar_bytes,
		.content_bytes = arrival->unpacked.content_bytes,
		.entries = arrival->unpacked.entries,
		.implicit_parents = depends_on_below(arrival),
	};
	struct layer_blob blob = {
		.digest = arrival->blob->digest,
		.size_bytes = arrival->blob->size_bytes,
		.codec = arrival->codec,
		.level = CODEC_LEVEL_DEFAULT,
	};
	struct layer layer;

	if (!arrival->has_blob &&
	    (sink_finish(arrival->keep, err) < 0 ||
	     blob_writer_commit(&arrival->writer, &blob.digest, blob.size_bytes, err) < 0))
		return -1;
	if (!arrival->has_layer && !must_wait(arrival) && !arrival->unpacked.is_cut) {
		if (layer_draft_commit(store, &arrival->draft, &facts, &layer, err) < 0)
			return -1;
		unpack_warn_devices(arrival->what, arrival->unpacked.devices_skipped);
	}
	return layer_blob_record(store, arrival->diff_id, &blob, err);
}

static int take_lock(struct arrival *arrival, struct layer_lock *lock, struct err *err)
{
	int result;

	/* another process may be busy with this layer for minutes */
	interrupt_let_through();
	result = layer_lock_take(arrival->pull->store, arrival->diff_id, lock, err);
	interrupt_hold_again();
	return result;
}

static struct arrival arrival_of(struct pull *pull, size_t position)
{
	char digest[DIGEST_NAME_MAX];
	struct arrival arrival = {
		.pull = pull,
		.blob = &pull->manifest.layers[position],
		.diff_id = &pull->config.diff_ids[position],
		.parent_chain = position > 0 ? &pull->chains[position - 1] : NULL,
		.below_fd = -1,
		.writer = BLOB_WRITER_INIT,
		.draft = LAYER_DRAFT_INIT,
	};

	snprintf(arrival.what, sizeof(arrival.what), "layer %s",
		 digest_name(&arrival.blob->digest, digest));
	return arrival;
}

/* What came is good as far as it goes: whoever pulls next goes on from there. */
static void keep_for_later(struct arrival *arrival)
{
	struct err ignored = ERR_INIT;

	if (arrival->keep)
		(void)sink_finish(arrival->keep, &ignored);
	blob_writer_keep(&arrival->writer);
}

static int bring_once(struct arrival *arrival, struct err *err)
{
	if (receive(arrival, err) < 0 || check_digests(arrival, err) < 0) {
		if (arrival->pull->reader->open_blob_at && err->kind != ERR_INPUT)
			keep_for_later(arrival);
		return -1;
	}
	return publish(arrival, err);
}

static void show_present(const struct arrival *arrival)
{
	char digest[DIGEST_NAME_MAX];

	transfers_present(arrival->pull->transfers, digest_name(&arrival->blob->digest, digest),
			  arrival->blob->size_bytes);
}

static void show_end(const struct arrival *arrival, bool is_there)
{
	if (arrival->is_shown)
		transfers_end(arrival->pull->transfers, arrival->transfer,
			      is_there ? TRANSFER_DONE : TRANSFER_FAILED);
}

/* What had come before may be damaged (by a power cut, say): then it is not gone on with. */
static int bring_shown(struct arrival *arrival, struct err *err)
{
	if (bring_once(arrival, err) == 0)
		return 0;
	if (err->kind != ERR_INPUT || arrival->resumed_from == 0)
		return -1;
	log_info("%s: from the beginning again, for %s", arrival->what, err->text);
	err_clear(err);
	arrival_release(arrival);
	arrival->keep = NULL;
	arrival->resumed_from = 0;
	arrival->unpacked = (struct unpack_result){ .entries = 0 };
	return bring_once(arrival, err);
}

static int bring(struct arrival *arrival, struct err *err)
{
	int result = bring_shown(arrival, err);

	show_end(arrival, result == 0);
	return result;
}

/*
 * A parent that was taken for an implicit one got its entry later: the layer depends on nothing,
 * and is unpacked by itself from the bytes that were kept. With the layer's lock.
 */
static int bring_whole(struct pull *pull, size_t position, bool *out_is_put_off, struct err *err)
{
	auto_arrival struct arrival arrival = arrival_of(pull, position);
	bool is_done = false;

	arrival.is_whole = true;
	if (look_up(&arrival, &is_done, err) < 0 || bring(&arrival, err) < 0)
		return -1;
	*out_is_put_off = must_wait(&arrival);
	return 0;
}

int pull_layer(struct pull *pull, size_t position, bool *out_is_put_off, struct err *err)
{
	auto_layer_lock struct layer_lock lock = LAYER_LOCK_INIT;
	auto_arrival struct arrival arrival = arrival_of(pull, position);
	bool is_done = false;

	if (interrupt_check(err) < 0 || look_up(&arrival, &is_done, err) < 0)
		return -1;
	if (!is_done) {
		if (take_lock(&arrival, &lock, err) < 0 || look_up(&arrival, &is_done, err) < 0)
			return -1;
	}
	if (is_done) {
		show_present(&arrival);
		return 0;
	}
	if (bring(&arrival, err) < 0)
		return -1;
	*out_is_put_off = must_wait(&arrival);
	if (arrival.unpacked.is_cut && !*out_is_put_off)
		return bring_whole(pull, position, out_is_put_off, err);
	return 0;
}

/* ---- those that depend on the layers below ---- */

static int find_below(struct pull *pull, size_t count, struct layer *out, struct err *err)
{
	char digest[DIGEST_NAME_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct digest *diff_id = &pull->config.diff_ids[i];
		bool found = false;

		if (layer_find(pull->store, i > 0 ? &pull->chains[i - 1] : NULL, diff_id, &found,
			       &out[i], err) < 0)
			return -1;
		if (!found)
			return err_set(err, ERR_SYSTEM, "layer %s is gone from the store",
				       digest_name(diff_id, digest));
	}
	return 0;
}

/* The lowest @count layers as one tree. */
static int open_below(struct pull *pull, size_t count, struct err *err)
{
	auto_free struct layer *layers = mem_array(count, sizeof(*layers));

	if (find_below(pull, count, layers, err) < 0)
		return -1;
	return mount_view(pull->store, layers, count, err);
}

int pull_onto_below(struct pull *pull, size_t position, struct err *err)
{
	auto_layer_lock struct layer_lock lock = LAYER_LOCK_INIT;
	auto_arrival struct arrival arrival = arrival_of(pull, position);
	bool is_done = false;

	if (interrupt_check(err) < 0 || take_lock(&arrival, &lock, err) < 0 ||
	    look_up(&arrival, &is_done, err) < 0)
		return -1;
	if (is_done)
		return 0;
	arrival.below_fd = open_below(pull, position, err);
	if (arrival.below_fd < 0)
		return err_prefix(err, "%s: look at the layers below", arrival.what);
	log_info("%s goes onto the layers below", arrival.what);
	return bring(&arrival, err);
}
