/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CHAIN_H
#define BUILDER_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "common/err.h"
#include "storage/layer.h"
#include "storage/store.h"

/*
 * The layers that a stage has so far, and what is open of them. Layers are
 * opened and put together only when somebody wants to see them, so a build that
 * finds all its steps in the cache opens none. A layer without entries adds nothing to
 * be seen: it counts for the chain ID, but is not mounted.
 */
struct chain {
	struct store *store;
	struct layer *layers; /* lowest first */
	size_t count;
	struct digest id; /* the chain ID, when count > 0 */
	int *fds;         /* of the layers with entries, lowest first */
	size_t fd_count;
	size_t opened; /* layers that were looked at for fds */
	int view_fd;   /* all of it, read-only; or -1 */
};

#define CHAIN_INIT            \
	{                     \
		.view_fd = -1 \
	}
#define auto_chain __attribute__((cleanup(chain_release)))
void chain_init(struct chain *chain, struct store *store);
void chain_release(struct chain *chain);
void chain_add(struct chain *chain, const struct layer *layer);
/* The same layers; nothing of it open yet. */
void chain_copy(struct chain *to, const struct chain *from);

/* The chain ID, or NULL when there is no layer. */
const struct digest *chain_id(const struct chain *chain);

/*
 * Open what is to be mounted: chain->fds and fd_count afterwards. As long as
 * fd_count stays the same, so does what is seen.
 */
int chain_open(struct chain *chain, struct err *err);

/* Close the layers: their view, if there is one, goes on without them. */
void chain_close_layers(struct chain *chain);

/* Close what is open; it is opened again when somebody wants to see it. */
void chain_close(struct chain *chain);

/* The merged tree, borrowed until the next chain_add; an empty one when there are no layers. */
int chain_view(struct chain *chain, struct err *err);

#endif
