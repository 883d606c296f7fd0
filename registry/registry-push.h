/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REGISTRY_PUSH_H
#define REGISTRY_REGISTRY_PUSH_H

#include "common/err.h"
#include "layers/ref.h"
#include "registry/endpoint.h"
#include "registry/transport.h"

/* A place in a registry, with all that is needed to write there. */
struct destination {
	struct image_ref ref;
	struct endpoints endpoints;
};
void destination_release(struct destination *destination);
#define auto_destination __attribute__((cleanup(destination_release)))

/* @place: as the user wrote it, "docker://…" or a bare name. Best before userns_enter. */
int destination_find(const char *place, const struct access_options *options,
		     struct destination *out, struct err *err);

/*
 * Send job's image or index to job->destination: blobs first, several at a time, each as
 * registry/upload.h says; then the manifests, what is named before what names it.
 * @rest is of no use here: destination_find has read it.
 */
int registry_write(const char *rest, struct push_job *job, struct err *err);

#endif
