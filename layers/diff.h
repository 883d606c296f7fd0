/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_DIFF_H
#define LAYERS_DIFF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "common/err.h"
#include "common/strlist.h"
#include "layers/entry.h"

/*
 * What an upper directory changes with respect to the tree below it, as
 * entries in their final order: parents first; in a directory the opaque mark,
 * then whiteouts by name bytes, then entries by name bytes. Streamed: memory does not grow with the
 * number of files, except for files with more than one name in the upper (one path per inode).
 *
 * An entry is given if and only if it differs from what the lower view shows
 * at that path (type, mode, owner, size, mtime, link target, device, xattrs
 * and, where all these are equal, content), or is a directory on the way to
 * such an entry. A whiteout is given only if the lower view has something
 * there. A directory through which nothing shows from below (opaque in the upper, or in one that is)
 * is given with the opaque mark and all it holds only where that is shorter than to give what
 * differs in it, with a whiteout for each name that is gone. Trees deeper than 2,048 directories are refused (ERR_INPUT). The root directory itself
 * ("") is given first when its metadata differs from the lower's (or when there is no lower at
 * all); else it is left out.
 *
 * Times: the published mtime of an upper file is its whole second (truncated
 * towards minus infinity), and not later than clamp_epoch, or that with sets_times. A file whose
 * full upper mtime equals the lower's counts as equal too (a copy-up that changed nothing of a
 * lower with nanoseconds).
 *
 * Hard links: the first name in walk order is the file, later ones are ENTRY_HARDLINK to it. If one
 * name of an inode is given, all names of it in the upper are given. A hard link whose other names
 * are only in the lower is a full file.
 */
struct diff_options {
	enum overlay_ns ns;
	int64_t clamp_epoch; /* SOURCE_DATE_EPOCH, or INT64_MAX for none */
	bool sets_times;     /* the published mtime of every file is clamp_epoch */
	const char *const
		*drop_files; /* ended by NULL, or NULL: paths ("etc/hosts") where a regular file in
			      * the upper is not given, and a whiteout only if the lower view has
			      * something there; a symlink there is given */
	int init_fd; /* the init layer's own directory, or -1: where the lower view has nothing,
			what is as the init layer made it is not given; of a directory mode, owner
			and attributes count, and what it holds */
	/* The descriptor by which a file of the upper, which is @st, is better read, standing at its
	 * beginning (borrowed); -1: by itself. NULL: all by themselves. */
	int (*content_of)(void *context, const struct stat *st);
	void *content_context;
	bool settle; /* make the upper itself what unpacking the entries would give: redundant
			copies, whiteouts and opaque marks removed, overlay's bookkeeping
			attributes stripped, published times set. The upper must not be mounted. */
};

/* No clamp, nothing dropped, no init layer, not settled. */
#define DIFF_OPTIONS_INIT                                                      \
	{                                                                      \
		.ns = OVERLAY_TRUSTED, .clamp_epoch = INT64_MAX, .init_fd = -1 \
	}

/*
 * Gets each entry. @content_fd is open for reading at offset 0 for ENTRY_FILE
 * (even when empty), else -1; borrowed. Sockets never come
 * (left out with a warning; where one took the place of a file below, that file is deleted).
 */
typedef int (*diff_fn)(void *context, const struct entry *entry, int content_fd, struct err *err);

/*
 * @lower_fd: the merged view of all lower layers, without the init layer (a
 * mount or a plain directory), or -1 for none. @upper_fd: the upper's root.
 * ERR_INPUT for a name that a layer cannot hold (beginning with ".wh.").
 */
int diff_upper(int lower_fd, int upper_fd, const struct diff_options *options, diff_fn fn,
	       void *context, struct err *err);

/* Every entry of a plain tree (no lower, no whiteouts, attributes as they stand): to export a root
 * file system. Never settles. */
int diff_whole_tree(int root_fd, const struct diff_options *options, diff_fn fn, void *context,
		    struct err *err);

#endif
