/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_CHANGES_H
#define LAYERS_CHANGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "layers/entry.h"

/*
 * What differs between two merged trees, as people ask for it: which files were
 * added, deleted, changed, and in what.
 */
enum change_kind {
	CHANGE_ADDED,
	CHANGE_CHANGED,
	CHANGE_DELETED,
};

enum change_field {
	CHANGE_TYPE = 1 << 0,
	CHANGE_CONTENT = 1 << 1, /* of a file; where a link leads; a device's number */
	CHANGE_MODE = 1 << 2,
	CHANGE_OWNER = 1 << 3,
	CHANGE_MTIME = 1 << 4,
	CHANGE_XATTRS = 1 << 5,
};
#define CHANGE_FIELD_COUNT 6

/* "type", "content", …: the name of bit @index. */
const char *change_field_name(unsigned index);

struct change {
	enum change_kind kind;
	const char *path; /* relative to the root */
	unsigned fields;  /* enum change_field; 0 unless CHANGE_CHANGED */
	mode_t old_mode;  /* type and permissions; 0: there was none */
	mode_t new_mode;
	uint64_t old_bytes; /* of regular files */
	uint64_t new_bytes;
};

struct changes_input {
	int old_fd; /* merged views */
	int new_fd;
	/*
	 * The layers, in overlay form, that one of the two trees has and the other has not: what
	 * none of them speaks of is not looked at. None: everything is.
	 */
	const int *layers;
	size_t layer_count;
	enum overlay_ns ns;
};

typedef int (*change_fn)(void *context, const struct change *change, struct err *err);

/*
 * Parents first, siblings by name bytes; every file below a directory that came or
 * went has its own call. Content is read only where size, and all that is known of the inode, does
 * not tell.
 */
int changes_find(const struct changes_input *input, change_fn fn, void *context, struct err *err);

#endif
