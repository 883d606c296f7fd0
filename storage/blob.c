/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for blobs: files named by the digest of their content. Every blob that
 * a process finds or makes is in its lease. Which of them an image needs is left
 * to image.c and layer.c.
 */
#include "storage/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "storage/lease-internal.h"
#include "storage/store-internal.h"

static int load_row(struct store *store, const struct digest *digest, bool *out_found,
		    uint64_t *out_size, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "SELECT size FROM blobs WHERE digest=?1 AND seq<=?2",
		       err) < 0)
		return -1;
	bind_digest(&query, digest);
	bind_int(&query, store->trusted_seq);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	if (*out_found && out_size)
		*out_size = (uint64_t)column_int(&query, 0);
	return 0;
}

/* In this store, and in its lease then. */
static int find_here(struct store *store, const struct digest *digest, bool *out_found,
		     uint64_t *out_size, struct err *err)
{
	uint64_t size = 0;
	bool found = false;

	if (load_row(store, digest, &found, &size, err) < 0)
		return -1;
	if (found && !lease_has(store, LEASE_BLOB, digest)) {
		/* it may have gone between the look and the lease: look again under it */
		if (lease_take(store, LEASE_BLOB, digest, err) < 0 ||
		    load_row(store, digest, &found, &size, err) < 0)
			return -1;
	}
	*out_found = found;
	if (found && out_size)
		*out_size = size;
	return 0;
}

/* Where the blob is: in this store, or one that was added; *out NULL: nowhere. */
static int find_home(struct store *store, const struct digest *digest, struct store **out,
		     uint64_t *out_size, struct err *err)
{
	bool found = false;

	*out = NULL;
	if (find_here(store, digest, &found, out_size, err) < 0)
		return -1;
	if (found)
		*out = store;
	for (size_t i = 0; i < store->added_count && !*out; i++) {
		if (load_row(store->added[i], digest, &found, out_size, err) < 0)
			return -1;
		if (found)
			*out = store->added[i];
	}
	return 0;
}

int blob_find(struct store *store, const struct digest *digest, bool *out_found, uint64_t *out_size,
	      struct err *err)
{
	struct store *home;

	if (find_home(store, digest, &home, out_size, err) < 0)
		return -1;
	*out_found = home;
	return 0;
}

int blob_open(struct store *store, const struct digest *digest, struct err *err)
{
	char hex[DIGEST_HEX_MAX];
	struct store *home;
	int fd;

	if (find_home(store, digest, &home, NULL, err) < 0)
		return -1;
	if (!home)
		return err_set(err, ERR_INPUT, "blob %s is not in the store",
			       digest_hex(digest, hex));
	fd = openat(home->blobs_fd, digest_hex(digest, hex), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_INPUT, "the store is damaged: blob %s has no file", hex);
	if (fd < 0)
		return err_sys(err, "open blob %s", hex);
	return fd;
}

int blob_load(struct store *store, const struct digest *digest, size_t limit, struct strbuf *out,
	      struct err *err)
{
	auto_close int fd = blob_open(store, digest, err);
	char what[DIGEST_NAME_MAX];
	struct digest got;
	size_t before = out->len;

	if (fd < 0)
		return -1;
	if (fd_read_all(fd, limit, out, digest_name(digest, what), err) < 0)
		return -1;
	digest_of(out->data + before, out->len - before, &got);
	if (!digest_equal(&got, digest)) {
		strbuf_truncate(out, before);
		return err_set(err, ERR_INPUT,
			       "the store is damaged: blob %s has other content than its name says",
			       digest_hex(digest, what));
	}
	return 0;
}

int blob_writer_open(struct store *store, struct blob_writer *out, struct err *err)
{
	out->store = store;
	return tmpfile_open(&out->tmp, store->blobs_fd, err);
}

void blob_writer_release(struct blob_writer *writer)
{
	tmpfile_release(&writer->tmp);
}

static int insert_row(struct store *store, const struct digest *digest, uint64_t size,
		      struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t seq;

	if (sync_next_seq(store, &seq, err) < 0 ||
	    query_open(&query, store->db, "INSERT INTO blobs(seq, digest, size) VALUES(?, ?, ?)",
		       err) < 0)
		return -1;
	bind_int(&query, seq);
	bind_digest(&query, digest);
	bind_int(&query, (int64_t)size);
	return query_run(&query, err);
}

/* The file got its name but not its row: without one it is rubbish. */
static void unpublish(struct store *store, const char *name)
{
	struct err ignored = ERR_INIT;

	(void)sweep_discard(store->blobs_fd, name, store->tmp_fd, &ignored);
}

int blob_writer_commit(struct blob_writer *writer, const struct digest *digest, uint64_t size_bytes,
		       struct err *err)
{
	struct store *store = writer->store;
	auto_txn struct txn txn = TXN_INIT;
	char hex[DIGEST_HEX_MAX];
	bool found = false;

	if (lease_open(store, err) < 0 || txn_begin(&txn, store->db, TXN_FAST, err) < 0 ||
	    load_row(store, digest, &found, NULL, err) < 0 ||
	    lease_add(store, LEASE_BLOB, digest, err) < 0)
		return err_prefix(err, "store a blob");
	if (!found) {
		/* a file without a row is what a killed process left: ours takes its place */
		if (insert_row(store, digest, size_bytes, err) < 0 ||
		    tmpfile_replace(&writer->tmp, digest_hex(digest, hex), err) < 0)
			return err_prefix(err, "store a blob");
	}
	if (txn_commit(&txn, err) < 0) {
		if (!found)
			unpublish(store, hex);
		return err_prefix(err, "store a blob");
	}
	lease_note(store, LEASE_BLOB, digest);
	return 0;
}

int blob_put(struct store *store, const void *data, size_t len, struct digest *out_digest,
	     struct err *err)
{
	auto_blob_writer struct blob_writer writer = BLOB_WRITER_INIT;
	struct digest digest;
	bool found = false;

	digest_of(data, len, &digest);
	/* small, and without it an added store's absence would be a loss */
	if (find_here(store, &digest, &found, NULL, err) < 0)
		return -1;
	if (!found) {
		if (blob_writer_open(store, &writer, err) < 0 ||
		    fd_write_all(writer.tmp.fd, data, len, "blob", err) < 0 ||
		    blob_writer_commit(&writer, &digest, len, err) < 0)
			return -1;
	}
	*out_digest = digest;
	return 0;
}
