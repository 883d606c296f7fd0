/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_APART_H
#define FUSE_OVERLAY_APART_H

#include <stdbool.h>

/*
 * Directories that must not lie in one another. Both descriptors may be O_PATH. Where the way up
 * cannot be walked, the answer is no.
 */
bool apart_is_same(int fd, int other_fd);
/* @fd is @dir_fd or somewhere below it. */
bool apart_is_within(int fd, int dir_fd);

#endif
