/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_ATTR_H
#define FUSE_OVERLAY_ATTR_H

#include "fuse-overlay/place.h"

/* What stat shows of a file, made of what a layer holds. */

/* The number that is shown for inode @ino of the file system that @layer is on. */
uint64_t attr_ino(const struct overlay *overlay, const struct layer *layer, ino_t ino);

/*
 * fstatat with the owner and mode that are kept in an attribute, where the options say so. The
 * owner is the layer's, not yet what is shown. 0 or -errno.
 */
int attr_load(struct overlay *overlay, int fd, const char *name, int flags, struct stat *st);

/*
 * Engines may give a map of ids and, through an id-mapped mount, lower layers to which it has been
 * applied already: what attr_load gave of such a layer becomes what it holds.
 */
void attr_unshift(const struct overlay *overlay, uint16_t layer, struct stat *st);

/* What attr_load gave of @node becomes what is shown. */
void attr_show(struct overlay *overlay, struct node *node, struct stat *st);

/* attr_load and attr_show of a node where it is. The latch of a file is held. */
int attr_get(struct overlay *overlay, struct node *node, struct stat *out);

#endif
