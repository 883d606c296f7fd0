/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_H
#define STORAGE_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/tmpfile.h"
#include "layers/codec.h"
#include "layers/stream.h"
#include "storage/store.h"

/*
 * Unpacked layers. A layer's directory is named by its diff ID and shared by
 * every image that has it, unless it has implicit parents, or devices that were
 * left out of the directory: then it depends on what lies below and is kept once
 * per chain, named by the chain ID.
 */
struct layer {
	struct digest diff_id;
	struct digest id; /* names the directory: diff_id, or the chain ID */
	uint64_t tar_bytes;
	uint64_t content_bytes;
	uint64_t entries;
	bool is_ours;     /* packed by us: pack_layer gives its tar again, byte for byte */
	bool is_implicit; /* it depends on what lies below */
	const struct store *lies_in; /* borrowed: an added store; NULL: the store itself */
	bool is_out_of_reach;        /* its directory is in a store that was not added now */
};

/* Is there one for @diff_id on top of @parent_chain (NULL: lowest)? Takes it into this process's
 * lease. */
int layer_find(struct store *store, const struct digest *parent_chain, const struct digest *diff_id,
	       bool *out_found, struct layer *out, struct err *err);

/* Open the layer's fs/ directory (O_RDONLY | O_DIRECTORY). */
int layer_open(struct store *store, const struct layer *layer, struct err *err);

/*
 * A layer in the making: tmp/X/fs (an upper, or the target of unpack) and
 * tmp/X/work beside it. Gone unless committed.
 */
struct layer_draft {
	struct store *store; /* borrowed; removes what is not committed, at leisure */
	struct tmpdir tmp;
	int fs_fd;
	int work_fd;
};
#define LAYER_DRAFT_INIT                                       \
	{                                                      \
		.tmp = TMPDIR_INIT, .fs_fd = -1, .work_fd = -1 \
	}
#define auto_layer_draft __attribute__((cleanup(layer_draft_release)))
int layer_draft_open(struct store *store, struct layer_draft *out, struct err *err);
void layer_draft_release(struct layer_draft *draft);

struct layer_facts {
	const struct digest *diff_id;
	const struct digest *parent_chain; /* NULL: lowest; used when implicit_parents */
	uint64_t tar_bytes;
	uint64_t content_bytes;
	uint64_t entries;
	bool is_ours;
	bool implicit_parents; /* or what else makes it depend on the layers below */
};
/*
 * Publish: fs/ is renamed to layers/ID/fs and gets its row. When the layer is
 * already there, that one is used and the draft removed. Work/ goes in any
 * case. Not synced (store_sync does). *out is in this process's lease.
 */
int layer_draft_commit(struct store *store, struct layer_draft *draft,
		       const struct layer_facts *facts, struct layer *out, struct err *err);

/*
 * Remove layers of which this process was the only user: what an image, a step of the cache or
 * another process needs stays. They must not be open or mounted any more.
 */
int layer_discard(struct store *store, const struct layer *layers, size_t count, struct err *err);

/*
 * Were devices left out of the layer's directory, because an ordinary user may not make
 * them? Where that may be, its tar is read and unpacked once more.
 */
int layer_lacks_devices(struct store *store, const struct layer *layer, bool *out, struct err *err);

/* Pull of one layer by several processes: hold this while making it; others wait, then find it. */
struct layer_lock {
	int fd;
	int dir_fd; /* borrowed */
	char name[DIGEST_HEX_MAX + 8];
};
#define LAYER_LOCK_INIT                \
	{                              \
		.fd = -1, .dir_fd = -1 \
	}
#define auto_layer_lock __attribute__((cleanup(layer_lock_release)))
int layer_lock_take(struct store *store, const struct digest *id, struct layer_lock *out,
		    struct err *err);
void layer_lock_release(struct layer_lock *lock);

/* Compressed forms known for a diff ID: from a pull (kept as it came) or from a push of ours. */
struct layer_blob {
	struct digest digest;
	uint64_t size_bytes;
	enum codec codec;
	int level; /* CODEC_LEVEL_DEFAULT for a pulled one */
};
/* @codec and @level: what is wanted; with any_codec the first that is there. */
int layer_blob_find(struct store *store, const struct digest *diff_id, bool any_codec,
		    enum codec codec, int level, bool *out_found, struct layer_blob *out,
		    struct err *err);
int layer_blob_record(struct store *store, const struct digest *diff_id,
		      const struct layer_blob *blob, struct err *err);

/*
 * The compressed blob of a layer, made when there is none: pack (or inflate a
 * kept blob) → compress → digest → blob, in one pass; recorded.
 */
int layer_blob_make(struct store *store, const struct layer *layer, enum codec codec, int level,
		    struct layer_blob *out, struct err *err);

/*
 * The same for who sends the beginning on while the rest is still being made: @grown is told, in
 * another thread, whenever @written_bytes of the blob can be read from @fd; -1 from it stops the
 * work. Never told when the blob is found.
 */
struct layer_blob_watch {
	int (*grown)(void *context, int fd, uint64_t written_bytes, struct err *err);
	void *context;
};
int layer_blob_make_watched(struct store *store, const struct layer *layer, enum codec codec,
			    int level, const struct layer_blob_watch *watch,
			    struct layer_blob *out, struct err *err);

/* Write the uncompressed tar of a layer, whose digest is its diff ID (checked): from the directory
 * when is_ours, else from a kept blob. Does not finish @sink. */
int layer_write_tar(struct store *store, const struct layer *layer, struct sink *sink,
		    struct err *err);

#endif
