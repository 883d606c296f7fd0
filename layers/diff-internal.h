/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_DIFF_INTERNAL_H
#define LAYERS_DIFF_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "layers/diff.h"
#include "layers/xattrs-internal.h"

enum diff_mode {
	DIFF_UPPER, /* what differs from the lower view */
	DIFF_LAYER, /* all that a directory in overlay form holds */
	DIFF_PLAIN, /* all of a tree to which overlay's conventions mean nothing */
};

/* Inodes with several names in the upper, by device and number. */
struct diff_link;
struct diff_links {
	struct diff_link *table;
	bool is_complete; /* every name in the upper was looked at */
};

void diff_links_release(struct diff_links *links);
/* A name of this inode was seen; @is_given if it must be given for its own sake. */
void diff_links_note(struct diff_links *links, const struct stat *st, bool is_given);
bool diff_links_is_given(const struct diff_links *links, const struct stat *st);
/* The name that was given as the file; NULL when none was yet, and then it is @path. */
const char *diff_links_first(struct diff_links *links, const struct stat *st, const char *path);

/* What was decided of replaced directories, by device and number. */
struct diff_decision;
struct diff_decisions {
	struct diff_decision *table;
};

/* A directory of the upper that is being walked, with what lies below it. */
struct diff_level {
	struct diff_level *parent; /* NULL: the root */
	const char *name;          /* in the parent; "" for the root */
	size_t path_len;           /* of its own path */
	int fd;
	int lower_fd; /* the same directory below, -1: nothing shows from below here */
	int init_fd;  /* the same of the init layer, or -1 */
	struct stat st;
	struct xattrs xattrs;
	struct xattr_marks marks;
	size_t depth;
	bool is_lower_parked; /* lower_fd is closed for a while; it was lower_ino */
	ino_t lower_ino;
	bool is_given;  /* nothing left to do before a child is given */
	bool is_replaced; /* nothing shows from below, here and further down */
	bool is_opaque;   /* and the layer says so as a whole: its mark hides something */
	bool has_whiteouts;
};

/* A file of the upper that is no directory. */
struct diff_node {
	const char *name;
	struct stat st;
	int fd; /* -1 until it was needed; O_PATH unless it is a regular file */
	struct xattrs xattrs;
	struct xattr_marks marks;
};

/* What the upper's file is compared with. */
struct diff_base {
	bool exists;
	bool is_init; /* nothing in the lower view, but the init layer has it */
	int dir_fd;   /* borrowed */
	struct stat st;
	enum xattr_form form;
};

#define DIFF_CHUNK_BYTES ((size_t)128 * 1024)

struct diff {
	enum diff_mode mode;
	const struct diff_options *options;
	diff_fn fn;
	void *context;
	bool is_scanning; /* looks for names of inodes and gives nothing */
	struct diff_level *root;
	struct diff_links *links;
	struct diff_decisions *decisions;
	enum xattr_form upper_form;
	enum xattr_form lower_form;
	struct strbuf path; /* of what is being visited */
	struct strbuf target;
	struct strbuf base_target;
	char *chunks; /* two of DIFF_CHUNK_BYTES, when content was compared */
};

static inline const char *diff_shown_path(const struct diff *diff)
{
	return diff->path.len ? diff->path.data : "/";
}

/* ---- diff-compare.c ---- */
struct timespec diff_published_mtime(const struct diff *diff, const struct stat *st);
/* Open the file and read its attributes, once. */
int diff_node_open(struct diff *diff, const struct diff_level *level, struct diff_node *node,
		   struct err *err);
void diff_node_release(struct diff_node *node);
/* Attributes of an open file; refuses one whose content overlay keeps elsewhere. */
int diff_scan_upper(struct diff *diff, int fd, struct xattrs *out, struct xattr_marks *out_marks,
		    struct err *err);
/* Read the link @name into @out. */
int diff_read_link(const struct diff *diff, int dir_fd, const char *name, const struct stat *st,
		   struct strbuf *out, struct err *err);
int diff_find_base(const struct diff *diff, const struct diff_level *level, const char *name,
		   struct diff_base *out, struct err *err);
/* Type, mode, owner, time, size: all that stat(2) tells. */
bool diff_is_same_stat(const struct diff *diff, const struct stat *upper, const struct stat *base);
int diff_is_same_file(struct diff *diff, const struct diff_level *level, struct diff_node *node,
		      const struct diff_base *base, bool *out_same, struct err *err);
/* @base_fd: the base's directory itself. */
int diff_is_same_directory(const struct diff *diff, const struct diff_level *level,
			   const struct diff_base *base, int base_fd, bool *out_same,
			   struct err *err);

/* ---- diff-level.c ---- */
/* Open level->name in level->parent and read its attributes. */
int diff_level_open(struct diff *diff, struct diff_level *level, struct err *err);
void diff_level_release(struct diff_level *level);
/* Open what lies below it and say whether it is the same; sets is_opaque. */
int diff_level_compare(struct diff *diff, struct diff_level *level, bool *out_same,
		       struct err *err);
int diff_level_compare_root(struct diff *diff, struct diff_level *root, bool *out_same,
			    struct timespec *out_base_mtime, struct err *err);
/* Before going below @level; and before leaving it. */
void diff_level_park_ancestor(struct diff_level *level);
int diff_level_unpark_parent(const struct diff *diff, struct diff_level *level, struct err *err);

/* ---- diff-replaced.c ---- */
void diff_decisions_release(struct diff_decisions *decisions);
/* Of a replaced directory with one below it: is it told as a whole that what is there is hidden? */
int diff_decide_opaque(struct diff *diff, const struct diff_level *level, bool *out_is_opaque,
		       struct err *err);

/* ---- diff-settle.c: each does nothing unless the upper is to be settled ---- */
int diff_settle_given(const struct diff *diff, const struct diff_level *level,
		      const struct diff_node *node, struct err *err);
int diff_settle_dropped(const struct diff *diff, const struct diff_level *level, const char *name,
			struct err *err);
int diff_settle_socket(const struct diff *diff, const struct diff_level *level, const char *name,
		       struct err *err);
/* What is below, and was not hidden by a name of the upper, is. */
int diff_settle_gone(const struct diff *diff, const struct diff_level *level, const char *name,
		     struct err *err);
int diff_settle_directory(const struct diff *diff, const struct diff_level *level, struct err *err);
/* @base_mtime: that of the lower root when the upper's is not given, else NULL. */
int diff_settle_root(const struct diff *diff, const struct diff_level *level,
		     const struct timespec *base_mtime, struct err *err);

/*
 * All entries of a layer's directory, in the order in which diff_upper gave
 * them: whiteouts and opaque marks whatever lies below.
 */
int diff_layer(int layer_fd, const struct diff_options *options, diff_fn fn, void *context,
	       struct err *err);

#endif
