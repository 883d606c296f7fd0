/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_PLACE_H
#define FUSE_OVERLAY_PLACE_H

#include "fuse-overlay/node.h"

/*
 * From a node to a descriptor. A directory in one layer is a place; some hundred places stay
 * open, for what was used is used again, and no more, whatever the size of the tree.
 */
struct place {
	int fd; /* O_PATH; borrowed until place_put */
	struct place_shared *shared;
};

#define PLACE_INIT        \
	{                 \
		.fd = -1, \
	}

#define auto_place __attribute__((cleanup(place_put)))
void place_put(struct place *place);

/* The directory @node in @layer, which is one of those it consists of. */
int place_get(struct overlay *overlay, struct node *node, uint16_t layer, struct place *out);

/*
 * The path of a directory below the root of a layer; with NO_LAYER below that of the union of all
 * lower layers. The caller frees. Under shape.
 */
char *place_path(struct node *node, uint16_t layer);

struct places *places_new(void);
void places_free(struct places *places);

/*
 * Where a node is for *at(2) calls: a directory and a name, or a descriptor with the name "".
 * `flags` is AT_SYMLINK_NOFOLLOW or AT_EMPTY_PATH accordingly. Of a file it is valid while its
 * latch is held.
 */
struct where {
	int fd;
	const char *name;
	int flags;
	struct place place;
};

#define WHERE_INIT                             \
	{                                      \
		.fd = -1, .place = PLACE_INIT, \
	}

#define auto_where __attribute__((cleanup(where_release)))
void where_release(struct where *where);

/* The layer that a node's own data and attributes are in: the topmost one. */
uint16_t node_layer(const struct node *node);

/* Where @node is in its topmost layer. The latch of a file is held. */
int where_get(struct overlay *overlay, struct node *node, struct where *out);

/* A path for calls that have no *at form; does not follow a final link. */
#define WHERE_PATH_MAX 320
const char *where_path(const struct where *where, char *buf);
/* Open it; @flags as open(2). */
int where_open(const struct where *where, int flags);

/* Extended attributes, as *xattr(2) but with -errno. The list is whole; the caller frees it. */
ssize_t where_getxattr(const struct where *where, const char *name, void *value, size_t size);
ssize_t where_listxattr(const struct where *where, char **out);
int where_setxattr(const struct where *where, const char *name, const void *value, size_t size,
		   int flags);
int where_removexattr(const struct where *where, const char *name);

#endif
