/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_COLDFILE_INTERNAL_H
#define LAYERS_COLDFILE_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A large file that is not in memory and is read once, from its beginning to its end: the disk is
 * asked for some MiB ahead of the reader, far more than the kernel asks for by itself, and the
 * pages are given back when they were read.
 */
struct coldfile {
	int fd; /* borrowed */
	bool is_open;
	bool is_last_look;
	off_t at;
	off_t asked; /* up to here */
	off_t given_back;
};

#define COLDFILE_INIT    \
	{                \
		.fd = -1 \
	}

/* @fd stands at its beginning. Not open afterwards: it is small, or in memory already. */
void coldfile_open(struct coldfile *file, int fd, off_t size, bool is_last_look);
/* As read(2), of the descriptor itself. */
ssize_t coldfile_read(struct coldfile *file, void *data, size_t len);
/* Give back the rest; the descriptor is left where it is. */
void coldfile_close(struct coldfile *file);

#endif
