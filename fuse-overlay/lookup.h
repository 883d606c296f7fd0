/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_LOOKUP_H
#define FUSE_OVERLAY_LOOKUP_H

#include "fuse-overlay/node.h"

/* What a name stands for in the union. */
struct found {
	struct stat st; /* attr_load of the topmost */
	bool is_upper;
	uint16_t layer; /* the topmost */
	struct dir *dir;
	uint64_t ino;
};

#define FOUND_INIT           \
	{                    \
		.dir = NULL, \
	}
#define auto_found __attribute__((cleanup(found_release)))
void found_release(struct found *found);

/* Look @name up in the layers, from the top down. -ENOENT where there is none. */
int lookup_layers(struct overlay *overlay, struct node *parent, const char *name,
		  struct found *out);

/*
 * Whether one of the layers below the upper shows @name in @parent: whether it takes a whiteout
 * to make it vanish. 1, 0 or -errno.
 */
int lookup_is_below(struct overlay *overlay, struct node *parent, const char *name);

/* Hold the node of a name, without the table of nodes being asked first; its attributes are @st's. */
struct node *lookup_take(struct overlay *overlay, struct node *parent, const char *name,
			 struct found *found);

#endif
