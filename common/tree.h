/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_TREE_H
#define COMMON_TREE_H

#include "common/err.h"

/*
 * Remove @name below @dir_fd with all it holds; not there is success. Never
 * follows a link (on the way to @name neither: ELOOP) and never crosses into
 * another file system (a mount point inside is an error, EBUSY). Directories
 * without permissions are opened up first. Any depth; the stack and the number
 * of descriptors stay small.
 */
int tree_remove(int dir_fd, const char *name, struct err *err);

/* Remove all that directory @dir_fd holds, not itself. */
int tree_empty(int dir_fd, struct err *err);

#endif
