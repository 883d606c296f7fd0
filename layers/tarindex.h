/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_TARINDEX_H
#define LAYERS_TARINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/*
 * Where the files of a plain, seekable tar begin: for archives that are read
 * by name and not in order (docker's image archives). One pass over the
 * headers; no content is read, nothing is unpacked.
 *
 * Understood are ustar, PAX (path, linkpath, size) and GNU long names; sparse
 * files are refused. Names are kept without leading "./" and "/". Of two
 * entries of one name the later counts, as when both are unpacked.
 */
struct tarindex_entry {
	char *name;
	bool is_link;    /* hard or symbolic */
	char *link;      /* where it leads, seen from the top; NULL: out of the archive */
	uint64_t offset; /* of the content, in bytes from the start of the file */
	uint64_t size_bytes;
};

struct tarindex {
	struct tarindex_entry *entries; /* by name, each name once */
	size_t count;
};

#define TARINDEX_INIT           \
	{                       \
		.entries = NULL \
	}
#define auto_tarindex __attribute__((cleanup(tarindex_release)))
void tarindex_release(struct tarindex *index);

#define TARINDEX_MAX_ENTRIES 65536

/*
 * @fd is a regular file. ERR_INPUT names @what and the offset for what is no
 * tar, is cut off, or has more than TARINDEX_MAX_ENTRIES entries.
 */
int tarindex_load(int fd, const char *what, struct tarindex *out, struct err *err);

/*
 * The file at @path, through links (8 at most); NULL when there is none, when
 * a link leads out of the archive, or in a circle. Borrowed.
 */
const struct tarindex_entry *tarindex_find(const struct tarindex *index, const char *path);

#endif
