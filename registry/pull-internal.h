/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PULL_INTERNAL_H
#define REGISTRY_PULL_INTERNAL_H

#include "layers/config.h"
#include "layers/manifest.h"
#include "registry/transport.h"
#include "storage/store.h"

/* An image on its way into the store. */
struct pull {
	struct store *store;
	struct image_reader *reader;
	struct strbuf manifest_bytes;
	struct manifest manifest;
	struct strbuf config_bytes;
	struct image_config config; /* as many diff IDs as the manifest has layers */
	struct digest *chains;      /* the chain ID up to each layer */
	bool *are_put_off;          /* which layers wait for those below */
};

/* All layers, several at a time; after an error no further one is begun. */
int pull_layers(struct pull *pull, struct err *err);

#endif
