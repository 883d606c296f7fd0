/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_UPLOAD_H
#define REGISTRY_UPLOAD_H

#include "common/err.h"
#include "registry/making.h"
#include "registry/repository.h"
#include "storage/layer.h"

/*
 * Bringing one blob into a repository: not when it is there already, taken over from another
 * repository where it was seen, else sent. A long one goes in pieces, and where it
 * stands is remembered (registry/upload-state.h): after a broken connection, and in
 * a later process, the registry is asked how far it came, and gets the rest. A registry that
 * does not take pieces gets the blob in one.
 *
 * *out_sent_bytes (of all of these): what went over the wire; 0 when nothing had to.
 */
#define UPLOAD_PIECE_BYTES ((uint64_t)32 << 20)

/* A blob of the store. */
int upload_blob(const struct repository *repository, const struct digest *digest,
		uint64_t size_bytes, uint64_t *out_sent_bytes, struct err *err);

/* The compressed form of a layer, which is made for it: what there is of it is sent meanwhile. */
int upload_layer(const struct repository *repository, struct workshop *workshop,
		 const struct layer *layer, enum codec codec, int level, struct layer_blob *out,
		 uint64_t *out_sent_bytes, struct err *err);

#endif
