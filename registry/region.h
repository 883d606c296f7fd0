/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REGION_H
#define REGISTRY_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include "layers/stream.h"

/*
 * A part of a regular file as a source. Reads by offset, so several threads
 * can read regions of one descriptor. The end of the file before the end of
 * the region is ERR_INPUT. Every read looks for an interrupt.
 */
struct region {
	int fd;
	bool owns_fd; /* closed when the source is freed */
	uint64_t offset;
	uint64_t size_bytes;
};

/* @what names it in errors (copied). */
struct source *source_region(const struct region *region, const char *what);

/* All of @first, then all of @second (both taken). */
struct source *source_chain(struct source *first, struct source *second);

/* What is read from @from (taken) also goes to @to (borrowed, not finished). */
struct source *source_tee(struct source *from, struct sink *to);

#endif
