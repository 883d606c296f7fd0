/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_INTERNAL_H
#define STORAGE_LAYER_INTERNAL_H

#include "layers/stream.h"
#include "layers/unpack.h"
#include "storage/layer.h"

/* The row of the layer @id, without taking it into the lease. */
int layer_load(struct store *store, const struct digest *id, bool *out_found, bool *out_implicit,
	       struct layer *out, struct err *err);

/* The path of the store where a layer of this one lies; nothing is added when it is here. */
int layer_place(struct store *store, const struct layer *layer, struct strbuf *out,
		struct err *err);
/* In a transaction: a layer of an added store, which an image of this one has, gets its row. */
int layer_note_place(struct store *store, const struct layer *layer, struct err *err);

/* As layer_find, without taking it into the lease. */
int layer_lookup(struct store *store, const struct digest *parent_chain,
		 const struct digest *diff_id, bool *out_found, struct layer *out, struct err *err);

/*
 * The tar of a layer from its kept blob, whose digest is checked at its end; ERR_INPUT when none
 * is kept. *out_fd, the caller's, is read from until the source is freed.
 */
struct source *layer_kept_open(struct store *store, const struct layer *layer, int *out_fd,
			       struct err *err);

/* ---- layer-mend.c ---- */

/*
 * Unpack a layer's kept blob into @draft, which is open and empty, as it was when the layer came
 * here: what a pull of it would make. ERR_INPUT when no blob is kept, or it is not the layer's.
 */
int layer_kept_unpack(struct store *store, const struct layer *layer, struct layer_draft *draft,
		      struct err *err);

/*
 * Put @draft in the place of the directory of @layer, whose row stays. On disk before and after.
 * *out_in_use: a living process uses the layer, nothing was done.
 */
int layer_draft_replace(struct store *store, struct layer_draft *draft, const struct layer *layer,
			bool *out_in_use, struct err *err);

#endif
