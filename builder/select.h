/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SELECT_H
#define BUILDER_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "builder/cachekey.h"
#include "builder/ignore.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/spool.h"
#include "common/strbuf.h"
#include "layers/entry.h"
#include "storage/stepcache.h"
#include "storage/store.h"

/*
 * What the sources of a COPY or ADD name: a list of files, made once, from which
 * both the cache key and the copy are made.
 */
struct select_tree {
	int fd;
	const struct ignore *ignore; /* NULL: nothing is left out */
	const char *ignore_name;
	/* of what a source names; paths are relative to it, to a single file by its name */
	const struct ignore *exclude;
	bool keeps_parents; /* sources keep their path, from "/./" on or all of it */
	bool is_context;    /* all belongs to 0:0; digests are remembered by stat */
	bool is_new;        /* made for this build: there is nothing to remember */
	enum overlay_ns ns;
	struct store *store;
	const char *what; /* "the context", "stage 'build'" */
};

struct select_item {
	uint64_t at; /* in the selection's spool */
	char *path;        /* in the tree, without links; "" is its root */
	const char *below; /* the end of path: below the named source; "" is that itself */
	mode_t mode;       /* with the type */
	uid_t uid;
	gid_t gid;
	uint64_t size;
	dev_t rdev;
	dev_t dev; /* with ino: for hard links, 0 when there is only one name */
	ino_t ino;
	struct timespec mtime;
	char *link; /* of a symlink */
	struct xattrs xattrs;
	bool is_way; /* a directory that only leads to others: one that is there stays as it is */
	bool has_digest; /* of a regular file */
	struct digest digest;
};

struct select_source {
	char *name;     /* the last part of its path as it was named; "" for the root */
	char *path;     /* in the tree, without links; that of its items begin with it */
	uint64_t first; /* its items: parents before children, siblings by name */
	size_t count;
	bool is_directory;
};

/*
 * The items are a spool and are read in order, one at a time: of a selection no more is in memory
 * than its sources, however many files these have.
 */
struct selection {
	struct spool items;
	size_t count;
	size_t way_count; /* of them only lead to others */
	struct select_source *sources;
	size_t source_count;
	size_t missing_digests;
	bool has_foreign; /* something belongs to somebody else than 0:0, whatever the items say */
	struct filecache_item *notes; /* files whose digests are to be looked for */
	uint64_t *note_places;        /* the items of the notes */
	size_t note_count;
	size_t note_cap;
};

#define SELECTION_INIT             \
	{                          \
		.items = SPOOL_INIT \
	}
#define auto_selection __attribute__((cleanup(selection_release)))
void selection_release(struct selection *selection);

/*
 * Append what @pattern names in the tree: one source, or one for each match of a
 * wildcard. With keeps_parents all matches are one source: a directory, from which on the
 * paths are kept. What the excludes leave out of it is not missed. ERR_INPUT, with a hint where one
 * can be given, when it names nothing.
 */
int select_pattern(const struct select_tree *tree, const char *pattern, struct selection *selection,
		   struct err *err);
/* Append the one source @path, taken as it is: without wildcards. */
int select_path(const struct select_tree *tree, const char *path, struct selection *selection,
		struct err *err);

/* Append a source that is one file, @item, whose path is the source's. */
int select_add_file(struct selection *selection, const char *name, const struct select_item *item,
		    struct err *err);

/* Reads the items of one source, while nothing is appended to the selection. */
struct select_reader {
	const struct select_source *source;
	struct spool_reader from;
	size_t left;
	struct select_item item;
	struct strbuf path;
	struct strbuf link;
};
#define SELECT_READER_INIT                              \
	{                                               \
		.path = STRBUF_INIT, .link = STRBUF_INIT \
	}
#define auto_select_reader __attribute__((cleanup(select_reader_release)))
void select_reader_init(struct select_reader *reader, const struct selection *selection,
			size_t source);
void select_reader_release(struct select_reader *reader);
/* The next item, the reader's own and good until the next call; NULL after the last. */
int select_next(struct select_reader *reader, struct select_item **out, struct err *err);

/* Open @path of the tree, as items have it, for reading. */
int select_open(const struct select_tree *tree, const char *path, struct err *err);

/*
 * Note the digest of @item, here and in the selection; @st is of the opened file, from before it
 * was read. Of the item only what tells which one it is and whether it has a digest is looked at.
 */
int select_set_digest(const struct select_tree *tree, struct selection *selection,
		      struct select_item *item, const struct stat *st, const struct digest *digest,
		      struct err *err);

/* The same of another name of a file whose digest was noted. */
int select_share_digest(struct selection *selection, struct select_item *item,
			const struct digest *digest, struct err *err);

/* Read the files whose digest is not known, of the sources from @first_source on. */
int select_digest_all(const struct select_tree *tree, struct selection *selection,
		      size_t first_source, struct err *err);

/* What of a file is the same in the copy, whatever it was before. */
struct select_key_options {
	bool has_owner;
	bool has_mode;
	bool with_content; /* digests of contents too; all must be known */
};
int select_key(const struct selection *selection, const struct select_key_options *options,
	       struct cachekey *key, struct err *err);

#endif
