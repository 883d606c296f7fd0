/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_OWNERS_INTERNAL_H
#define STORAGE_OWNERS_INTERNAL_H

#include "common/err.h"
#include "storage/mount.h"

/*
 * The directories of a request as mounts of their own that show their files' owners as a user
 * namespace has them (idmapped, detached). On disk nothing changes: what is written through such
 * an upper has the image's owners there.
 */
struct owned_dirs {
	struct mount_request request; /* like the one that was given, with other descriptors */
	int *fds;                     /* all of them */
	size_t count;
};
#define OWNED_DIRS_INIT     \
	{                   \
		.fds = NULL \
	}
#define auto_owned_dirs __attribute__((cleanup(owned_dirs_release)))
void owned_dirs_release(struct owned_dirs *dirs);

/* @request->owners is set. The upper and the work directory are in one directory. */
int owned_dirs_open(const struct mount_request *request, struct owned_dirs *out, struct err *err);

/*
 * While the union is made, its maker must be somebody who has an id in these mounts, for the kernel
 * makes work files and whiteouts in that name. Of the calling thread only.
 */
int owners_become(const struct mount_owners *owners, struct err *err);
void owners_unbecome(void);

#endif
