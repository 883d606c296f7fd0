/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_MEMFILE_H
#define SANDBOX_MEMFILE_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

/*
 * A file in memory that a container sees at some path: the only one in a file
 * system made for it, gone when the container ends and its descriptor is closed.
 */
struct memfile_spec {
	const void *data;
	size_t len;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* Its name in the mount: the data of a SANDBOX_MOUNT_TREE. */
#define MEMFILE_NAME "file"

/* A detached mount. ERR_INPUT for an owner that this user namespace does not have. */
int memfile_mount(const struct memfile_spec *spec, struct err *err);

#endif
