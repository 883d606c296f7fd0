/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_WALK_H
#define LAYERS_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * Reading directories in one fixed order: names by bytes, so that the same tree
 * is always walked the same way, on every file system.
 */

/* All names in @dir_fd but "." and "..", sorted by bytes. */
int walk_names(int dir_fd, struct strlist *out, const char *path, struct err *err);

/*
 * Walk the tree below @root_fd: parents before children, siblings by name
 * bytes. Each call gets the directory's descriptor and the name in it, so that
 * it needs no path walk; @path is the whole path for messages and values.
 * Directories get a second call (WALK_LEAVE) after their children.
 * The callback returns -1 to stop with its error; out_descend (only for
 * WALK_ENTER on a directory, true at the call) can be cleared to skip below it. Never follows
 * links. Works to any depth that PATH_MAX-free descriptors allow (directories are opened relative).
 */
enum walk_event {
	WALK_FILE,  /* anything but a directory */
	WALK_ENTER, /* a directory, before its children; the root itself with name "" */
	WALK_LEAVE, /* the same directory, after them; dir_fd/name as at WALK_ENTER */
};

struct walk_item {
	enum walk_event event;
	int dir_fd;            /* directory that holds it; for the root: the root itself */
	int fd;                /* WALK_ENTER, WALK_LEAVE: the directory itself, O_RDONLY; else -1 */
	const char *name;      /* "" for the root */
	const char *path;      /* relative to the root, "" for it */
	const struct stat *st; /* fstatat without following */
	bool *out_descend;
};

typedef int (*walk_fn)(void *context, const struct walk_item *item, struct err *err);

int walk_tree(int root_fd, walk_fn fn, void *context, struct err *err);

#endif
