/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_WALK_INTERNAL_H
#define LAYERS_WALK_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/err.h"
#include "common/strbuf.h"

/*
 * The names of one directory in byte order, in one piece of memory. `type` is
 * a DT_* value, DT_UNKNOWN where the file system does not say.
 */
struct dir_name {
	size_t offset; /* into `bytes` */
	uint8_t type;
};

struct dir_names {
	struct strbuf bytes; /* NUL-terminated names, one after the other */
	struct dir_name *items;
	size_t count;
	size_t room;
};

#define DIR_NAMES_INIT               \
	{                            \
		.bytes = STRBUF_INIT \
	}
#define auto_dir_names __attribute__((cleanup(dir_names_release)))
void dir_names_release(struct dir_names *names);

static inline const char *dir_names_at(const struct dir_names *names, size_t i)
{
	return names->bytes.data + names->items[i].offset;
}

/* Which of the two comes first, as strcmp; what is beyond the end comes last. */
static inline int dir_names_order(const struct dir_names *a, size_t i, const struct dir_names *b,
				  size_t k)
{
	if (i >= a->count || k >= b->count)
		return i < a->count ? -1 : k < b->count;
	return strcmp(dir_names_at(a, i), dir_names_at(b, k));
}

/* All but "." and ".."; @dir_fd is O_RDONLY, its position is moved. @path is for messages. */
int dir_names_read(int dir_fd, struct dir_names *out, const char *path, struct err *err);

#endif
