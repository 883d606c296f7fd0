/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PUSH_H
#define REGISTRY_PUSH_H

#include <stdbool.h>

#include "common/err.h"
#include "registry/registry-push.h"
#include "registry/registry-read.h"
#include "storage/image.h"
#include "storage/store.h"

/*
 * Write an image of the store to another place (registry/transport.h). An
 * image that was pulled goes out with the manifest and the bytes it came with,
 * unless @options ask for others. An index goes out whole where the place can hold one,
 * else this machine's image of it.
 */
struct push_result {
	struct digest id; /* of the image, or of the index; for a registry, of the manifest there */
	bool used_stdout; /* the image itself was written to standard output */
};

struct push_options {
	const struct manifest_options *manifest; /* NULL: as it came, or the defaults */
	const char *platform; /* as given: one image of an index; NULL: all, where the place can */
	/* for a place in a registry, and only then; @place is for messages then */
	const struct destination *destination;
	const struct client_options *client;
	unsigned jobs;               /* blobs at a time; 0: PUSH_JOBS_DEFAULT */
	struct transfers *transfers; /* NULL: nothing is shown */
};

/*
 * @image: a name, an ID or a prefix of one. ERR_INPUT when there is none;
 * ERR_USAGE for a place that is not known, or options that it cannot honour.
 * What is half-written never gets its name.
 */
int push_image(struct store *store, const char *image, const char *place,
	       const struct push_options *options, struct push_result *out, struct err *err);

/*
 * The same for an image that is in another place and does not become one of the store's
 * (registry/copy.h): all stays as it is, so that ERR_USAGE is what asks for other
 * manifests. @source_registry: that of a source in one, else NULL.
 */
int push_place(struct store *store, const char *source, struct registry *source_registry,
	       const char *place, const struct push_options *options, struct push_result *out,
	       struct err *err);

#endif
