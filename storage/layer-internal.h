/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_INTERNAL_H
#define STORAGE_LAYER_INTERNAL_H

#include "storage/layer.h"

/* The row of the layer @id, without taking it into the lease. */
int layer_load(struct store *store, const struct digest *id, bool *out_found, bool *out_implicit,
	       struct layer *out, struct err *err);

/* As layer_find, without taking it into the lease. */
int layer_lookup(struct store *store, const struct digest *parent_chain,
		 const struct digest *diff_id, bool *out_found, struct layer *out, struct err *err);

#endif
