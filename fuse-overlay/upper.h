/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_UPPER_H
#define FUSE_OVERLAY_UPPER_H

#include "fuse-overlay/place.h"

/* What those share that change names in the upper. */

/* Copy the directory up and open it in the upper. */
int upper_open(struct overlay *overlay, struct node *dir, struct place *out);

/* The child of that name, held, or NULL with 0. */
int upper_child(struct overlay *overlay, struct node *parent, const char *name, struct node **out);

/* What stands at a name in the upper directory itself. */
enum standing {
	STANDING_NOTHING,
	STANDING_WHITEOUT,
	STANDING_FILE,
	STANDING_DIR,
};
int upper_standing(const struct overlay *overlay, int dir_fd, const char *name, enum standing *out);

/* Whether a name of @parent must be hidden when it goes: lookup_is_below where there is anything. */
int upper_needs_whiteout(struct overlay *overlay, struct node *parent, const char *name);

/* Before its last name goes: a descriptor for who still uses it. Its latch is held. */
int upper_keep(struct overlay *overlay, struct node *node, int *out_fd);
/* Take the name away; @fd, which is taken, is what is left when it was the last. */
void upper_lost_name(struct overlay *overlay, struct node *node, struct node *parent,
		     const char *name, int fd);

/* Remove a directory of the work directory, with all the marks that it holds. */
void upper_discard(struct overlay *overlay, const char *work_name);

/* Run with the umask of who asks: which the file system below applies as its ACLs say. */
void upper_use_umask(mode_t mask);

#endif
