/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REGISTRY_READ_H
#define REGISTRY_REGISTRY_READ_H

#include <stdbool.h>

#include "common/err.h"
#include "registry/client.h"
#include "registry/endpoint.h"
#include "registry/transport.h"

/* An image in a registry, to be read: "docker://REF", or REF alone. */
struct registry;

struct registry_options {
	struct access_options access;
	struct client_options client;
	unsigned jobs; /* layers at a time; 0: REGISTRY_JOBS */
};
#define REGISTRY_JOBS 6

/* Whether @place is in a registry by the way it is written, not one of the other transports. */
bool registry_is_place(const char *place);

/*
 * Find out where it is and who we are there, and start what speaks with registries: best
 * before userns_enter. Nothing is asked of the network yet.
 */
int registry_open(const char *place, const struct registry_options *options, struct registry **out,
		struct err *err);
void registry_free(struct registry *registry);
#define auto_registry __attribute__((cleanup(registry_auto_free)))
void registry_auto_free(struct registry **registry);

/*
 * Ask for the manifest or index, of the mirrors in their order and of the registry itself last.
 * The reader lives no longer than @registry. ERR_REMOTE when nobody has it, ERR_INPUT when it is not
 * what its digest says.
 */
int registry_read(struct registry *registry, struct image_reader **out, struct err *err);

#endif
