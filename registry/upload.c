/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the way of one blob into a repository: in which pieces, what is
 * done when the registry loses track, and when to begin anew. The requests are repository's.
 */
#include "registry/upload.h"

#include <inttypes.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "registry/interrupt.h"
#include "registry/upload-state.h"
#include "storage/blob.h"

#define ATTEMPTS_MAX 4 /* from the beginning */
#define ASKS_MAX     5 /* how far it is, without a step in between */

/* Of what is still being made so much goes at once, for the registry to work meanwhile. */
#define LEAST_PIECE_BYTES ((uint64_t)8 << 20)

/* One blob on its way. */
struct sending {
	const struct repository *repository;
	struct making *making; /* NULL: all of it is there */
	int fd;                /* when it is */
	bool is_all;
	uint64_t bytes;       /* that can be read */
	struct digest digest; /* of all of it */
	bool in_one;          /* pieces are not wanted */
	struct upload_state state;
	struct upload upload;
	uint64_t sent_bytes;
	const char *name; /* what it is shown as: its digest, or its layer's */
	bool is_shown;
	unsigned transfer;
};

static void sending_release(struct sending *sending)
{
	fd_close(&sending->fd);
	upload_state_release(&sending->state);
	upload_release(&sending->upload);
}
#define auto_sending __attribute__((cleanup(sending_release)))

/* Wait for @wanted bytes behind the offset, or all. */
static int wait_for(struct sending *sending, uint64_t wanted, struct err *err)
{
	if (interrupt_check(err) < 0)
		return -1;
	if (sending->is_all)
		return 0;
	if (making_wait(sending->making, sending->upload.offset + wanted, &sending->bytes,
			&sending->is_all, err) < 0)
		return -1;
	if (sending->is_all)
		sending->digest = making_blob(sending->making)->digest;
	return 0;
}

static int bytes_fd(const struct sending *sending)
{
	return sending->making ? making_fd(sending->making) : sending->fd;
}

/* ---- what is shown ---- */

static struct transfers *transfers_of(const struct sending *sending)
{
	return sending->repository->transfers;
}

/* Once it is known where it begins. The length of what is still being made is not known. */
static void show_begin(struct sending *sending)
{
	if (sending->is_shown)
		return;
	sending->is_shown = true;
	sending->transfer =
		transfers_begin(transfers_of(sending), sending->name,
				sending->is_all ? sending->bytes : 0, sending->upload.offset);
}

static void count_sent(struct sending *sending, uint64_t bytes)
{
	sending->sent_bytes += bytes;
	transfers_move(transfers_of(sending), sending->transfer, bytes);
}

static void show_end(struct sending *sending, bool is_sent)
{
	if (sending->is_shown)
		transfers_end(transfers_of(sending), sending->transfer,
			      is_sent ? TRANSFER_DONE : TRANSFER_FAILED);
}

/* ---- pieces ---- */

/* No more at a time. */
static uint64_t piece_bytes(const struct sending *sending)
{
	if (sending->in_one)
		return UINT64_MAX / 2;
	return UPLOAD_PIECE_BYTES > sending->upload.min_chunk ? UPLOAD_PIECE_BYTES
							      : sending->upload.min_chunk;
}

/* And no fewer, but for the last. */
static uint64_t least_bytes(const struct sending *sending)
{
	if (sending->in_one)
		return UINT64_MAX / 2;
	return LEAST_PIECE_BYTES > sending->upload.min_chunk ? LEAST_PIECE_BYTES
							     : sending->upload.min_chunk;
}

/* The end, with all that is left. */
static int finish(struct sending *sending, enum upload_answer *out, struct err *err)
{
	const uint64_t rest = sending->bytes - sending->upload.offset;

	if (upload_finish(sending->repository, &sending->upload, bytes_fd(sending), rest,
			  &sending->digest, out, err) < 0)
		return -1;
	if (*out == UPLOAD_OK)
		count_sent(sending, rest);
	return 0;
}

static int send_piece(struct sending *sending, enum upload_answer *out, struct err *err)
{
	uint64_t length = sending->bytes - sending->upload.offset;

	if (length > piece_bytes(sending))
		length = piece_bytes(sending);
	if (upload_send(sending->repository, &sending->upload, bytes_fd(sending), length, out,
			err) < 0)
		return -1;
	if (*out == UPLOAD_OK) {
		count_sent(sending, length);
		upload_state_save(&sending->state, &sending->upload);
	}
	return 0;
}

/* Whether what is left, or nothing, goes with the request that ends the upload. */
static bool is_at_end(const struct sending *sending)
{
	const uint64_t rest = sending->bytes - sending->upload.offset;

	return sending->is_all && (rest == 0 || (!sending->in_one && rest <= piece_bytes(sending)));
}

/* One request further. *out_is_done: the blob is there. */
static int step(struct sending *sending, enum upload_answer *out, bool *out_is_done,
		struct err *err)
{
	sending->upload.has_note = sending->state.fd >= 0;
	sending->upload.note_fd = sending->state.fd;
	if (!is_at_end(sending))
		return send_piece(sending, out, err);
	if (finish(sending, out, err) < 0)
		return -1;
	*out_is_done = *out == UPLOAD_OK;
	return 0;
}

/* All that is missing. Ends with UPLOAD_OK when the blob is there, else with what was in the way.
 */
static int send_rest(struct sending *sending, enum upload_answer *out, struct err *err)
{
	unsigned asks = 0;
	bool is_done = false;

	*out = UPLOAD_OK;
	while (*out == UPLOAD_OK && !is_done) {
		if (wait_for(sending, least_bytes(sending), err) < 0)
			return -1;
		if (sending->upload.offset > sending->bytes) {
			*out = UPLOAD_GONE; /* more than there is: it was of something else */
			err_set(err, ERR_REMOTE, "the registry has more of the blob than there is");
			return 0;
		}
		if (step(sending, out, &is_done, err) < 0)
			return -1;
		if (*out == UPLOAD_OK)
			asks = 0;
		if (*out == UPLOAD_BEHIND && asks++ < ASKS_MAX &&
		    upload_ask(sending->repository, &sending->upload, out, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- attempts ---- */

/* The upload of an earlier process, where the registry still knows it. */
static int resume(struct sending *sending, enum upload_answer *out, struct err *err)
{
	*out = UPLOAD_GONE;
	if (upload_state_load(&sending->state, &sending->upload, err) < 0)
		return -1;
	if (!sending->upload.location)
		return 0;
	if (upload_ask(sending->repository, &sending->upload, out, err) < 0)
		return -1;
	if (*out == UPLOAD_OK)
		log_info("the upload goes on at byte %" PRIu64, sending->upload.offset);
	else
		upload_release(&sending->upload);
	return 0;
}

static int begin(struct sending *sending, bool *out_mounted, struct err *err)
{
	upload_release(&sending->upload);
	if (repository_begin_upload(sending->repository, sending->is_all ? &sending->digest : NULL,
				    &sending->upload, out_mounted, err) < 0)
		return -1;
	if (!*out_mounted)
		upload_state_save(&sending->state, &sending->upload);
	return 0;
}

static int try_all(struct sending *sending, struct err *err)
{
	enum upload_answer answer;
	bool mounted = false;

	if (resume(sending, &answer, err) < 0)
		return -1;
	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		if (!sending->upload.location && begin(sending, &mounted, err) < 0)
			return -1;
		if (mounted)
			break;
		show_begin(sending);
		if (send_rest(sending, &answer, err) < 0)
			return -1;
		if (answer == UPLOAD_OK)
			break;
		log_debug("an upload begins anew: %s", err->text);
		if (answer == UPLOAD_REFUSED)
			sending->in_one = true;
		upload_release(&sending->upload);
	}
	upload_state_forget(&sending->state);
	/* the error is the last answer's */
	if (!mounted && !sending->upload.location)
		return -1;
	err_clear(err);
	if (mounted)
		transfers_present(transfers_of(sending), sending->name, sending->bytes);
	return 0;
}

static int send_all(struct sending *sending, struct err *err)
{
	int result = try_all(sending, err);

	show_end(sending, result == 0);
	return result;
}

/* What was sent is remembered across processes if it is worth it. */
static int open_state(struct sending *sending, const char *what, struct err *err)
{
	return upload_state_open(sending->repository->store, sending->repository->endpoint->place,
				 what, &sending->state, err);
}

/* The same layer gives the same bytes, so the name of the one is that of the other. */
static char *layer_state_name(const struct layer *layer, enum codec codec, int level)
{
	char name[DIGEST_NAME_MAX];

	return str_format("%s %s %d", digest_name(&layer->diff_id, name), codec_name(codec), level);
}

/* @what: the name of its state. */
static int send_stored(const struct repository *repository, const struct digest *digest,
		       uint64_t size_bytes, const char *what, uint64_t *out_sent_bytes,
		       struct err *err)
{
	auto_sending struct sending sending = {
		.repository = repository,
		.fd = -1,
		.is_all = true,
		.bytes = size_bytes,
		.digest = *digest,
		.state = UPLOAD_STATE_INIT,
	};
	char name[DIGEST_NAME_MAX];
	bool has = false;

	*out_sent_bytes = 0;
	digest_name(digest, name);
	if (interrupt_check(err) < 0 ||
	    (size_bytes > UPLOAD_PIECE_BYTES && open_state(&sending, what, err) < 0) ||
	    repository_has_blob(repository, digest, &has, err) < 0)
		return -1;
	sending.name = name;
	if (has) {
		transfers_present(repository->transfers, name, size_bytes);
		upload_state_forget(&sending.state);
		return 0;
	}
	sending.fd = blob_open(repository->store, digest, err);
	if (sending.fd < 0)
		return -1;
	if (send_all(&sending, err) < 0)
		return err_prefix(err, "blob %s", name);
	*out_sent_bytes = sending.sent_bytes;
	return 0;
}

int upload_blob(const struct repository *repository, const struct digest *digest,
		uint64_t size_bytes, uint64_t *out_sent_bytes, struct err *err)
{
	char name[DIGEST_NAME_MAX];

	return send_stored(repository, digest, size_bytes, digest_name(digest, name),
			   out_sent_bytes, err);
}

int upload_layer(const struct repository *repository, struct workshop *workshop,
		 const struct layer *layer, enum codec codec, int level, struct layer_blob *out,
		 uint64_t *out_sent_bytes, struct err *err)
{
	auto_making struct making *making = NULL;
	auto_sending struct sending sending = { .repository = repository,
						.fd = -1,
						.state = UPLOAD_STATE_INIT };
	auto_free char *what = NULL;
	char name[DIGEST_NAME_MAX];

	digest_name(&layer->diff_id, name);
	what = layer_state_name(layer, codec, level);
	if (making_start(repository->store, workshop, layer, codec, level, &making, err) < 0)
		return -1;
	sending.making = making;
	/* a short one is sent when its digest is known: perhaps it need not be */
	if (wait_for(&sending, UPLOAD_PIECE_BYTES + 1, err) < 0)
		return -1;
	if (sending.is_all) {
		*out = *making_blob(making);
		return send_stored(repository, &out->digest, out->size_bytes, what, out_sent_bytes,
				   err);
	}
	sending.name = name;
	if (open_state(&sending, what, err) < 0)
		return -1;
	if (send_all(&sending, err) < 0)
		return err_prefix(err, "layer %s", name);
	*out = *making_blob(making);
	*out_sent_bytes = sending.sent_bytes;
	return 0;
}
