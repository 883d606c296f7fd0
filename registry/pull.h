/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PULL_H
#define REGISTRY_PULL_H

#include <stdbool.h>

#include "common/err.h"
#include "common/strlist.h"
#include "layers/descriptor.h"
#include "registry/registry-read.h"
#include "registry/transfers.h"
#include "storage/store.h"

/*
 * Bring an image into the store. Every document and layer is held against the
 * digest and the size that name it, each layer's tar against the diff ID in the
 * config, from the very bytes that are used. The bytes are kept as they came,
 * so that the image goes on with the same digests. Of an index one image is taken,
 * unless all of it is asked for; *out_id is then the index's digest.
 */
struct pull_options {
	const struct platform *platform; /* NULL: this machine's */
	bool all_platforms;              /* an index whole, with all that it holds */
	const char *name;                /* in the store; NULL: as the source calls it */
	struct transfers *transfers;     /* where layers are shown; or NULL */
	struct registry *registry;       /* the source, when it is in a registry; else NULL */
};

/*
 * @source: see registry/transport.h, or what @options->registry was opened with. *out_names: the names it got. Nothing is
 * named unless all of it is there. ERR_USAGE when the source has no name for it and @options
 * gives none; ERR_INPUT for what does not match its digest or is no image.
 */
int pull_image(struct store *store, const char *source, const struct pull_options *options,
	       struct digest *out_id, struct strlist *out_names, struct err *err);

#endif
