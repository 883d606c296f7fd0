/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COPY_INTERNAL_H
#define BUILDER_COPY_INTERNAL_H

#include "builder/copy.h"

#define COPY_BUFFER_BYTES ((size_t)256 * 1024)

struct copy_link; /* a file with several names, by inode */

/* The state of one copy. */
struct copier {
	const struct copy_target *target;
	const struct copy_request *request;
	const struct copy_options *options;
	const struct select_tree *tree;
	unsigned char *buffer; /* COPY_BUFFER_BYTES */
	struct copy_link *links;
	size_t done;        /* items, for looking after interrupts now and then */
	uint64_t unwritten; /* bytes that the disk was not told of */
};

/* Where one file goes. */
struct copy_place {
	int from_fd;         /* directory that holds the source */
	const char *from;    /* its name there */
	int to_fd;           /* directory of the target */
	int view_fd;         /* the same in the view, or -1 */
	const char *to;      /* the name there */
	const char *to_path; /* from the target's root: for hard links */
};

/* Copy one item that is no directory; what is at the place is replaced, unless a directory. */
int copy_file(struct copier *copier, struct select_item *item, const struct copy_place *place,
	      struct err *err);

/* Owner, mode, attributes of what was just made, by @fd (O_PATH works for none but links). */
int copy_set_owner(const struct copier *copier, const struct select_item *item, int fd,
		   struct err *err);

/* Remove what is at @name, so that a file can be made there; a directory is an error. */
int copy_clear_name(int dir_fd, const char *name, struct err *err);

void copy_links_release(struct copier *copier);

#endif
