/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_COPY_H
#define REGISTRY_COPY_H

#include "common/err.h"
#include "layers/descriptor.h"
#include "registry/transport.h"
#include "storage/store.h"

/*
 * From one place to another without unpacking anything: every byte stays, and so does every
 * digest. The blobs come into the store on the way, as blobs alone, where they are nobody's
 * and go with the next prune; until then a copy that broke off need not fetch them again.
 */

/*
 * Bring what @reader offers into the store: all of an index, or with @platform one image of it.
 * Nothing that it names is missing then. *out_root: what to hand on.
 */
int copy_gather(struct store *store, struct image_reader *reader, const struct platform *platform,
		const char *source, struct descriptor *out_root, struct err *err);

#endif
