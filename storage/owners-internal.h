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

/* One directory, with all below it on that file system, as a detached mount. */
int owned_dir_clone(int dir_fd, int userns_fd, struct err *err);

/* @request->owners is set. The upper and the work directory are in one directory. */
int owned_dirs_open(const struct mount_request *request, struct owned_dirs *out, struct err *err);

#endif
