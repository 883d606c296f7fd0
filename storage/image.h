/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_H
#define STORAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/config.h"
#include "layers/manifest.h"
#include "storage/layer.h"
#include "storage/store.h"

/*
 * Images: a config, the layers it names, and the names people gave it. What is looked up is found
 * in added stores, too (storage/store.h); what is changed is the store's own.
 */
struct image {
	struct digest id;           /* digest of the config's bytes */
	struct image_config config; /* parsed */
	struct layer *layers;       /* lowest first; config.diff_id_count of them */
	bool has_manifest; /* pulled, or pushed once: the exact manifest is kept as a blob */
	struct digest manifest_digest;
	bool is_annotated; /* these are what its manifests carry, not what the kept one does */
	struct strlist annotations;
	bool has_index; /* it was found as one of several */
	struct digest index_digest;
};
#define IMAGE_INIT             \
	{                      \
		.layers = NULL \
	}
#define auto_image __attribute__((cleanup(image_release)))
void image_release(struct image *image);

/*
 * Record an image whose layers are all in the store (ERR_BUG else). Writes the
 * config (and manifest) as blobs. The same config twice is one image. Not named yet.
 */
int image_put(struct store *store, const void *config, size_t config_len, const void *manifest,
	      size_t manifest_len, struct digest *out_id, struct err *err);

/*
 * What manifests of the image are to carry from here on, "key=value" by key, until it comes
 * again with a manifest. Lives as long as the image.
 */
int image_annotate(struct store *store, const struct digest *id, const struct strlist *annotations,
		   struct err *err);
/* The same of an image: what was asked for, else what the kept manifest carries. */
int image_annotations(struct store *store, const struct image *image, struct strlist *out,
		      struct err *err);

/*
 * Look up by reference ("debian", "localhost/bb:1"), by "sha256:<id>", or by a
 * unique prefix (≥ 4 hex digits) of the ID; a name wins over a prefix.
 * *out_found false when there is none. ERR_INPUT when a prefix is ambiguous.
 * Of an index it is the image for @platform (NULL: this machine's), or ERR_INPUT
 * that says what there is; what is one image is that one, whatever it is for.
 * Its layers are in this process's lease until store_close.
 */
int image_find(struct store *store, const char *text, const struct platform *platform,
	       bool *out_found, struct image *out, struct err *err);
/* The same, but not there is ERR_INPUT with a hint. */
int image_get(struct store *store, const char *text, const struct platform *platform,
	      struct image *out, struct err *err);

/*
 * As image_get, for an option --platform as it was given, or NULL. What is no index must be
 * for that platform then, or it is ERR_INPUT.
 */
int image_get_for(struct store *store, const char *text, const char *platform, struct image *out,
		  struct err *err);

/* Give an image or an index a name (normalised by image_ref; moves it when another had it). Syncs
 * the store once. */
int image_tag(struct store *store, const struct digest *id, const char *name, struct err *err);

struct image_removal {
	struct strlist untagged; /* names taken away */
	bool image_removed;
	uint64_t layers_removed;
};
/*
 * By name: takes the name away, and removes the image when that was its last
 * one. By ID: all names; ERR_INPUT when it has several and @force is false. A
 * container or a mount that uses the image is ERR_INPUT; with @force the names go
 * and the image stays, nameless, as with docker.
 * Of its layers and blobs, those that no image, cache entry or lease needs any
 * more are removed. Works on a full disk.
 */
int image_remove(struct store *store, const char *text, bool force, struct image_removal *out,
		 struct err *err);
#define IMAGE_REMOVAL_INIT               \
	{                                \
		.untagged = STRLIST_INIT \
	}
#define auto_image_removal __attribute__((cleanup(image_removal_release)))
void image_removal_release(struct image_removal *removal);

struct image_summary {
	struct digest id;
	bool is_index;            /* of several images; id is its digest */
	struct strlist platforms; /* "linux/arm64", of each image; may be none */
	struct strlist names;     /* familiar form */
	char *created;            /* RFC 3339 or NULL */
	uint64_t size_bytes;      /* content of all its layers, each once */
	size_t layer_count;
	const char *place; /* borrowed: path of the added store it is in; NULL: this one */
};
struct image_list {
	struct image_summary *items; /* newest first */
	size_t count;
};
#define IMAGE_LIST_INIT       \
	{                     \
		.items = NULL \
	}
#define auto_image_list __attribute__((cleanup(image_list_release)))
int image_list(struct store *store, struct image_list *out, struct err *err);
/* The same with those of added stores. */
int image_list_all(struct store *store, struct image_list *out, struct err *err);
void image_list_release(struct image_list *list);

/* The names of one image or index, canonical form. */
int image_names(struct store *store, const struct digest *id, struct strlist *out, struct err *err);

struct manifest_options {
	enum image_format format;
	enum codec codec;
	int level;
	bool force_compression; /* even layers that have a blob of another codec */
};
/*
 * The manifest for pushing or exporting: the kept one when it fits @options
 * (or options is NULL), else made: each layer's blob is found or made. *out_bytes are exact.
 */
int image_manifest(struct store *store, const struct image *image,
		   const struct manifest_options *options, struct strbuf *out_bytes,
		   struct manifest *out, struct err *err);

/*
 * The blob of each layer that image_manifest with these @options would name: made already, or still to be
 * made with blob.codec and blob.level. For who makes them in another way (layer_blob_make_watched)
 * before the manifest is asked for. @out: config.diff_id_count of them.
 */
struct image_layer_form {
	bool is_made;
	struct layer_blob blob;
};
int image_layer_forms(struct store *store, const struct image *image,
		      const struct manifest_options *options, struct image_layer_form *out,
		      struct err *err);

/* A root file system tar (any codec) as an image of one layer: `imgstore import`. */
struct import_options {
	const char *comment;
	const struct image_config *config; /* NULL: empty config of this host's platform */
	int64_t created_epoch;             /* SOURCE_DATE_EPOCH or now, seconds */
};
int image_import_rootfs(struct store *store, int tar_fd, const char *what,
			const struct import_options *options, struct digest *out_id,
			struct err *err);

#endif
