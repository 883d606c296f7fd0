/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_ROOTDIR_INTERNAL_H
#define STORAGE_ROOTDIR_INTERNAL_H

#include "common/err.h"
#include "storage/mount.h"

/*
 * In an overlay the topmost root directory's metadata is what is seen. A layer
 * whose tar has no entry for its root says nothing of it, but its directory
 * has some metadata, that of the first image it was made for. When such a layer
 * is the topmost of @request and looks otherwise than the topmost layer with an
 * entry (or, without any, than 0755, 0:0, time 0), *out_fd is an empty directory
 * that looks right, to be put on top; else it is -1.
 */
int rootdir_open(struct store *store, const struct mount_request *request, int *out_fd,
		 struct err *err);

#endif
