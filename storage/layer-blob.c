/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the packed forms of a layer: which blobs are known for it, its tar
 * written again and held against its diff ID, and its compressed blob made when
 * somebody asks for one.
 */
#include "storage/layer.h"

#include "common/fd.h"
#include "common/mem.h"
#include "layers/pack.h"
#include "storage/blob.h"
#include "storage/layer-internal.h"
#include "storage/reading-internal.h"
#include "storage/store-internal.h"

static int find_in(struct store *store, const struct digest *diff_id, bool any_codec,
		   enum codec codec, int level, bool *out_found, struct layer_blob *out,
		   struct err *err)
{
	struct layer_blob blob;
	bool row = false;

	{
		auto_query struct query query = QUERY_INIT;

		/* of several the one first stored, so that the answer is always the same */
		if (query_open(&query, store->db,
			       "SELECT b.digest, b.size, l.codec, l.level FROM layer_blobs l"
			       " JOIN blobs b ON b.digest=l.blob WHERE l.diff_id=?1 AND"
			       " (?2 OR (l.codec=?3 AND (?4=-1 OR l.level=?4))) ORDER BY b.seq",
			       err) < 0)
			return -1;
		bind_digest(&query, diff_id);
		bind_int(&query, any_codec);
		bind_int(&query, codec);
		bind_int(&query, level);
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (row) {
			if (column_digest(&query, 0, &blob.digest, err) < 0)
				return -1;
			blob.size_bytes = (uint64_t)column_int(&query, 1);
			blob.codec = (enum codec)column_int(&query, 2);
			blob.level = (int)column_int(&query, 3);
		}
	}
	/* into the lease; gone meanwhile is as if it had never been */
	if (row && blob_find(store, &blob.digest, &row, NULL, err) < 0)
		return -1;
	*out_found = row;
	if (row)
		*out = blob;
	return 0;
}

int layer_blob_find(struct store *store, const struct digest *diff_id, bool any_codec,
		    enum codec codec, int level, bool *out_found, struct layer_blob *out,
		    struct err *err)
{
	if (find_in(store, diff_id, any_codec, codec, level, out_found, out, err) < 0)
		return -1;
	for (size_t i = 0; i < store->added_count && !*out_found; i++)
		if (find_in(store->added[i], diff_id, any_codec, codec, level, out_found, out,
			    err) < 0)
			return -1;
	return 0;
}

int layer_blob_record(struct store *store, const struct digest *diff_id,
		      const struct layer_blob *blob, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR REPLACE INTO layer_blobs(diff_id, blob, codec, level)"
		       " VALUES(?, ?, ?, ?)",
		       err) < 0)
		return -1;
	bind_digest(&query, diff_id);
	bind_digest(&query, &blob->digest);
	bind_int(&query, blob->codec);
	bind_int(&query, blob->level);
	return query_run(&query, err);
}

/* ---- a sink that ends here: passes bytes on, neither finishes nor frees ----- */

struct borrowed_sink {
	struct sink sink;
	struct sink *next;
};

static int borrowed_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct borrowed_sink *borrowed = (struct borrowed_sink *)sink;

	return sink_write(borrowed->next, data, len, err);
}

static int borrowed_room(struct sink *sink, char **out, size_t *out_len, struct err *err)
{
	return sink_room(((struct borrowed_sink *)sink)->next, out, out_len, err);
}

static int borrowed_finish(struct sink *sink, struct err *err)
{
	return 0;
}

static void borrowed_free(struct sink *sink)
{
	free(sink);
}

static struct sink *sink_borrowed(struct sink *next)
{
	struct borrowed_sink *borrowed = mem_alloc(sizeof(*borrowed));

	borrowed->sink = (struct sink){ .write = borrowed_write,
					.finish = borrowed_finish,
					.free = borrowed_free,
					.room = borrowed_room };
	borrowed->next = next;
	return &borrowed->sink;
}

/* ---- the tar --------------------------------------------------------------- */

static int write_packed(struct store *store, const struct layer *layer, struct sink *sink,
			struct err *err)
{
	auto_close int fd = layer_open(store, layer, err);

	if (fd < 0)
		return -1;
	return pack_layer(fd, store->ns, sink, err);
}

struct source *layer_kept_open(struct store *store, const struct layer *layer, int *out_fd,
			       struct err *err)
{
	struct source_digest_options options = { .expect_len = UINT64_MAX };
	auto_close int fd = -1;
	struct source *source;
	struct layer_blob blob;
	char hex[DIGEST_HEX_MAX];
	bool found = false;

	if (layer_blob_find(store, &layer->diff_id, true, CODEC_NONE, CODEC_LEVEL_DEFAULT, &found,
			    &blob, err) < 0)
		return NULL;
	if (!found) {
		err_set(err, ERR_INPUT, "layer %s was not made here and its blob is no longer kept",
			digest_hex(&layer->diff_id, hex));
		return NULL;
	}
	fd = blob_open(store, &blob.digest, err);
	if (fd < 0)
		return NULL;
	options.expect = &blob.digest;
	options.what = digest_hex(&blob.digest, hex);
	source = source_digest(source_from_fd(fd, UINT64_MAX, hex), &options);
	source = codec_decompress(source, blob.codec, hex, err);
	if (source)
		*out_fd = fd_steal(&fd);
	return source;
}

static int write_kept(struct store *store, const struct layer *layer, struct sink *sink,
		      struct err *err)
{
	auto_close int fd = -1;
	auto_source struct source *source = layer_kept_open(store, layer, &fd, err);

	if (!source)
		return -1;
	return stream_copy(source, sink, err);
}

int layer_write_tar(struct store *store, const struct layer *layer, struct sink *sink,
		    struct err *err)
{
	auto_sink struct sink *digester = NULL;
	char hex[DIGEST_HEX_MAX];
	char got_hex[DIGEST_HEX_MAX];
	struct digest got;

	digester = sink_digest(sink_borrowed(sink), &got, NULL);
	if ((layer->is_ours ? write_packed(store, layer, digester, err)
			    : write_kept(store, layer, digester, err)) < 0 ||
	    sink_finish(digester, err) < 0)
		return -1;
	if (!digest_equal(&got, &layer->diff_id))
		return err_set(err, ERR_INPUT,
			       "the store is damaged: layer %s has the content of %s",
			       digest_hex(&layer->diff_id, hex), digest_hex(&got, got_hex));
	return 0;
}

/* ---- the blob -------------------------------------------------------------- */

/* Into a descriptor, telling somebody how far it is. */
struct watched_sink {
	struct sink sink;
	const struct layer_blob_watch *watch;
	int fd;
	uint64_t written_bytes;
};

static int watched_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct watched_sink *self = (struct watched_sink *)sink;

	if (fd_write_all(self->fd, data, len, "blob", err) < 0)
		return -1;
	self->written_bytes += len;
	return self->watch->grown(self->watch->context, self->fd, self->written_bytes, err);
}

static int watched_finish(struct sink *sink, struct err *err)
{
	return 0;
}

static void watched_free(struct sink *sink)
{
	free(sink);
}

/* @watch NULL: the plain one. */
static struct sink *sink_watched(int fd, const struct layer_blob_watch *watch)
{
	struct watched_sink *self;

	if (!watch)
		return sink_to_kept_fd(fd, "blob");
	self = mem_alloc(sizeof(*self));
	self->sink = (struct sink){ .write = watched_write,
				    .finish = watched_finish,
				    .free = watched_free };
	self->watch = watch;
	self->fd = fd;
	return &self->sink;
}

static int make_blob(struct store *store, const struct layer *layer,
		     const struct layer_blob_watch *watch, struct layer_blob *blob, struct err *err)
{
	auto_blob_writer struct blob_writer writer = BLOB_WRITER_INIT;
	auto_sink struct sink *sink = NULL;

	if (blob_writer_open(store, &writer, err) < 0)
		return -1;
	sink = sink_digest(sink_watched(writer.tmp.fd, watch), &blob->digest, &blob->size_bytes);
	sink = codec_compress(sink, blob->codec, blob->level, err);
	if (!sink)
		return -1;
	if (layer_write_tar(store, layer, sink, err) < 0 || sink_finish(sink, err) < 0)
		return -1;
	return blob_writer_commit(&writer, &blob->digest, blob->size_bytes, err);
}

int layer_blob_make(struct store *store, const struct layer *layer, enum codec codec, int level,
		    struct layer_blob *out, struct err *err)
{
	return layer_blob_make_watched(store, layer, codec, level, NULL, out, err);
}

int layer_blob_make_watched(struct store *store, const struct layer *layer, enum codec codec,
			    int level, const struct layer_blob_watch *watch, struct layer_blob *out,
			    struct err *err)
{
	auto_layer_lock struct layer_lock lock = LAYER_LOCK_INIT;
	struct layer_blob blob = { .codec = codec, .level = level };
	char hex[DIGEST_HEX_MAX];
	bool found = false;

	if (layer_blob_find(store, &layer->diff_id, false, codec, level, &found, out, err) < 0)
		return -1;
	if (found)
		return 0;
	if (store->is_read_only)
		return reading_refuse(store, "compress a layer", err);
	/* two pushes of one image: the second waits and finds the first one's work */
	if (layer_lock_take(store, &layer->id, &lock, err) < 0 ||
	    layer_blob_find(store, &layer->diff_id, false, codec, level, &found, out, err) < 0)
		return -1;
	if (found)
		return 0;
	if (make_blob(store, layer, watch, &blob, err) < 0 ||
	    layer_blob_record(store, &layer->diff_id, &blob, err) < 0)
		return err_prefix(err, "compress layer %s", digest_hex(&layer->diff_id, hex));
	*out = blob;
	return 0;
}
