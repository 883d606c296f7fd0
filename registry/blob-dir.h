/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_BLOB_DIR_H
#define REGISTRY_BLOB_DIR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "layers/descriptor.h"
#include "layers/manifest.h"
#include "storage/store.h"

/* Blobs by their hex digests; documents that name others have @suffix behind that. */
struct blob_dir {
	const char *path; /* for messages */
	const char *suffix;
	int fd; /* borrowed */
};

/* A file, at once or not at all; without @replace one that is there stays. */
int blob_dir_put_bytes(int dir_fd, const char *name, const char *data, size_t len, bool replace,
		       struct err *err);
int blob_dir_put_document(const struct blob_dir *dir, const struct digest *digest,
			  const struct strbuf *bytes, struct err *err);
/* All that a manifest names, not itself. What is there with the right length stays. */
int blob_dir_put_blobs(const struct blob_dir *dir, struct store *store,
		       const struct manifest *manifest, struct err *err);
/* All that an index names, not itself. */
int blob_dir_put_parts(const struct blob_dir *dir, struct store *store, const struct index *index,
		       struct err *err);
/* All below what @part names, not itself; its bytes are appended to @out_bytes. */
int blob_dir_put_below(const struct blob_dir *dir, struct store *store,
		       const struct descriptor *part, struct strbuf *out_bytes, struct err *err);
/* What @part names, of the store, with all below it: an image, an attestation, or an index. */
int blob_dir_put_part(const struct blob_dir *dir, struct store *store,
		      const struct descriptor *part, struct err *err);

#endif
