/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PULL_INTERNAL_H
#define REGISTRY_PULL_INTERNAL_H

#include "layers/config.h"
#include "layers/manifest.h"
#include "registry/pull.h"
#include "registry/registry-read.h"
#include "registry/transport.h"
#include "storage/store.h"

/* An image on its way into the store. */
struct pull {
	struct store *store;
	struct image_reader *reader;
	struct transfers *transfers;
	struct strbuf manifest_bytes;
	struct manifest manifest;
	struct strbuf config_bytes;
	struct image_config config; /* as many diff IDs as the manifest has layers */
	struct digest *chains;      /* the chain ID up to each layer */
};

/* All but the reader, which is borrowed. */
void pull_release(struct pull *pull);
#define auto_pull __attribute__((cleanup(pull_release)))

/* ---- pull-layers.c ---- */
/* All layers, several at a time; after an error no further one is begun. */
int pull_layers(struct pull *pull, struct err *err);

/* ---- pull-layer.c ---- */
/* The layer at @position. *out_is_put_off: its bytes are kept, and it waits for those below. */
int pull_layer(struct pull *pull, size_t position, bool *out_is_put_off, struct err *err);
/* One that was put off, once those below are there. */
int pull_onto_below(struct pull *pull, size_t position, struct err *err);

/* ---- pull.c ---- */
/* Load the document that @blob names, checked. */
int pull_document(struct image_reader *reader, const struct descriptor *blob, const char *kind,
		  size_t limit, struct strbuf *out, struct err *err);
/* pull->manifest is there: config, layers and record of it. @options and @want may be NULL: for
 * whatever platform it is. */
int pull_by_manifest(struct pull *pull, const struct pull_options *options,
		     const struct platform *want, const char *source, struct digest *out_id,
		     struct err *err);

/*
 * pull->manifest and its bytes: of the one root, or of one that is chosen, through indexes to the
 * manifest for @platform. @source is for messages.
 */
int pull_load_manifest(struct pull *pull, const struct platform *platform, const char *source,
		       struct err *err);

/* What offers the images of @source; @registry is that of a place in one, else NULL. */
int pull_open(struct store *store, const char *source, struct registry *registry,
	      struct image_reader **out, struct err *err);

/* ---- pull-index.c ---- */
/* A blob into the store, as it is, unless it is there. */
int pull_blob(struct store *store, struct image_reader *reader, const struct descriptor *blob,
	      struct err *err);
/*
 * The index that is the reader's root, or made of its roots, whole. *out_found false when
 * the root is one image.
 */
int pull_index(struct store *store, struct image_reader *reader, struct transfers *transfers,
	       bool *out_found, struct digest *out_id, struct err *err);

#endif
