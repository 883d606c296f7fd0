/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PLAIN_DIR_H
#define REGISTRY_PLAIN_DIR_H

#include "registry/transport.h"

/*
 * skopeo's "dir:", one image in a directory:
 *
 *   version               "Directory Transport Version: 1.1\n"
 *   manifest.json         the manifest, or the index
 *   HEX                   a layer or config, by its digest
 *   HEX.manifest.json     what the index names
 */
#define PLAIN_DIR_FORM "dir:DIR"

/* Functions of the transport's row. */
int plain_dir_read(const char *rest, struct store *store, struct image_reader **out,
		   struct err *err);
int plain_dir_write(const char *rest, struct push_job *job, struct err *err);

#endif
