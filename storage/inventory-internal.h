/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_INVENTORY_INTERNAL_H
#define STORAGE_INVENTORY_INTERNAL_H

#include "common/err.h"
#include "layers/entry.h"
#include "storage/kin-internal.h"
#include "storage/mount.h"

/*
 * What is in a plain tree before somebody works in it (inode, ctime, size and mode of each
 * file), and from that afterwards what was changed. Memory does not grow with the tree: the
 * inventory is a file, in the order of a walk, read again beside a second walk.
 */

/*
 * Take it, of @tree_fd into @file_fd (empty, O_RDWR). Returns when the clock of the file system has
 * gone on, so that no later change can have the ctime of the last file.
 */
int inventory_take(int tree_fd, int file_fd, struct err *err);

/*
 * Move what is new or changed since then out of the tree into the upper of @request, an empty
 * directory on the same file system, in overlay form: whiteouts where something is gone, an opaque
 * mark on a directory that took the place of another. Directories on the way are made like those of
 * the tree; what a rename took along is joined (@kin). Nobody works in the tree any more, which is
 * worth nothing afterwards. One that was killed is done again with what it has left in both.
 */
int inventory_collect(int tree_fd, int file_fd, struct kin *kin,
		      const struct mount_request *request, enum overlay_ns ns, struct err *err);

#endif
