/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CONTAINER_VOLUMES_H
#define SANDBOX_CONTAINER_VOLUMES_H

#include "common/err.h"
#include "sandbox/description.h"
#include "sandbox/volume.h"
#include "storage/container.h"
#include "storage/store.h"

/*
 * A container's volumes as mounts. Those of the store lie in ROOT/volumes/NAME and stay until
 * somebody removes them; one without a name, and what is written over an "O", lies in the
 * container's directory and goes with it. A new volume begins with what the image has there.
 */
struct volume_room {
	struct store *store;
	const struct container *container;
	int view_fd; /* the image's files */
};
/* Fill in the descriptors of @volumes, whose paths of the host are open. */
int container_volumes_open(const struct volume_room *room, struct volumes *volumes,
			   struct err *err);
void container_volumes_describe(const struct volumes *volumes, struct sandbox_description *out);

#endif
