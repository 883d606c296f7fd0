/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_BLOB_H
#define STORAGE_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strbuf.h"
#include "common/tmpfile.h"
#include "storage/store.h"

/*
 * Blobs by digest: manifests, configs, compressed layers. Never changed once there. Those of added
 * stores are found as if they were this store's own.
 */

int blob_find(struct store *store, const struct digest *digest, bool *out_found, uint64_t *out_size,
	      struct err *err);
/* Open for reading; ERR_INPUT when it is not there. */
int blob_open(struct store *store, const struct digest *digest, struct err *err);
/* Read whole (documents only) and check its digest; ERR_INPUT beyond @limit. Appends to @out. */
int blob_load(struct store *store, const struct digest *digest, size_t limit, struct strbuf *out,
	      struct err *err);
/* Store bytes; *out_digest is theirs. */
int blob_put(struct store *store, const void *data, size_t len, struct digest *out_digest,
	     struct err *err);

/* A big one, written through tmp.fd; commit gives it its name. The caller has digested what it
 * wrote. */
struct blob_writer {
	struct store *store;
	struct tmpfile tmp;
};
#define BLOB_WRITER_INIT            \
	{                           \
		.tmp = TMPFILE_INIT \
	}
#define auto_blob_writer __attribute__((cleanup(blob_writer_release)))
int blob_writer_open(struct store *store, struct blob_writer *out, struct err *err);
int blob_writer_commit(struct blob_writer *writer, const struct digest *digest, uint64_t size_bytes,
		       struct err *err);
void blob_writer_release(struct blob_writer *writer);

/*
 * The same for a blob that comes from afar and may come in pieces. *out_have bytes of it have come
 * before; the file's offset is behind them. What they are worth shows only when all are
 * digested. Waits for another process that is at this blob; whoever waited looks by blob_find whether
 * it is there by now. Killed, the writer leaves what has come.
 */
int blob_writer_resume(struct store *store, const struct digest *digest, struct blob_writer *out,
		       uint64_t *out_have, struct err *err);
/* Instead of release: leave what has come for who comes next. */
void blob_writer_keep(struct blob_writer *writer);
/* Files in cache/ that say how far an upload came begin so (registry/upload-state.h). */
#define BLOB_UPLOAD_PREFIX "upload-"
/* Remove all of these, and of those, that nobody is at. */
int blob_partial_sweep(struct store *store, struct err *err);

#endif
