/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REMOTE_H
#define REGISTRY_REMOTE_H

#include <stdbool.h>

#include "common/err.h"
#include "registry/client.h"
#include "registry/endpoint.h"
#include "registry/transport.h"

/* An image in a registry, to be read: "docker://REF", or REF alone. */
struct remote;

struct remote_options {
	struct access_options access;
	struct client_options client;
	unsigned jobs; /* layers at a time; 0: REMOTE_JOBS */
};
#define REMOTE_JOBS 6

/* Whether @place is in a registry by the way it is written, not one of the other transports. */
bool remote_is_place(const char *place);

/*
 * Find out where it is and who we are there, and start what speaks with registries: best
 * before userns_enter. Nothing is asked of the network yet.
 */
int remote_open(const char *place, const struct remote_options *options, struct remote **out,
		struct err *err);
void remote_free(struct remote *remote);
#define auto_remote __attribute__((cleanup(remote_auto_free)))
void remote_auto_free(struct remote **remote);

/*
 * Ask for the manifest or index, of the mirrors in their order and of the registry itself last.
 * The reader lives no longer than @remote. ERR_REMOTE when nobody has it, ERR_INPUT when it is not
 * what its digest says.
 */
int remote_read(struct remote *remote, struct image_reader **out, struct err *err);

#endif
