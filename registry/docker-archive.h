/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_DOCKER_ARCHIVE_H
#define REGISTRY_DOCKER_ARCHIVE_H

#include "registry/transport.h"

/*
 * What 'docker save' writes and 'docker load' reads: a tar with
 *
 *   manifest.json   [{"Config":FILE,"RepoTags":[REF,…],"Layers":[FILE,…]},…]
 *
 * and the files named there: image configurations and layers as tars. Layers
 * may be links to each other, and compressed; so may the whole archive.
 */
#define DOCKER_ARCHIVE_FORM "docker-archive:FILE[:REF]"

/* Functions of the transport's row. */
int docker_archive_read(const char *rest, struct store *store, struct image_reader **out,
			struct err *err);
/*
 * The same image always gives the same bytes. A regular file is replaced when
 * the new one is complete; into a pipe or device it is written as it comes.
 */
int docker_archive_write(const char *rest, struct push_job *job, struct err *err);

#endif
