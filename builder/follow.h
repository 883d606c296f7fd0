/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_FOLLOW_H
#define BUILDER_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/strbuf.h"

/*
 * Paths in an image or a context, with their links followed as chroot(2) would:
 * absolute links begin at the root, ".." stops there.
 *
 * The tree is what several directories show together, the first that has a
 * name wins: an upper and the view below it. There are no whiteouts in the upper.
 */
struct follow_tree {
	int fds[2];
	size_t count;
};

/*
 * The same file by a path without links, relative to the root ("" is the root
 * itself). What does not exist is kept as it was written, and *out_found is false.
 * ERR_INPUT when there are too many links. *out_st (may be NULL) is set when found.
 */
int follow_path(const struct follow_tree *tree, const char *path, struct strbuf *out,
		bool *out_found, struct stat *out_st, struct err *err);

/* lstat of a path without links; *out_found false when there is none. */
int follow_stat(const struct follow_tree *tree, const char *path, bool *out_found,
		struct stat *out_st, struct err *err);

#endif
