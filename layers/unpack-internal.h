/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_UNPACK_INTERNAL_H
#define LAYERS_UNPACK_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <uthash.h>

#include "common/err.h"
#include "layers/entry.h"
#include "layers/stream.h"
#include "layers/unpack.h"

/* ---- unpack-read: the framing of a tar, by libarchive ---- */

struct tar_reader;

/* An entry as the archive says it, names being the archive's own bytes. */
struct tar_entry {
	struct entry entry; /* never ENTRY_WHITEOUT or ENTRY_OPAQUE; `path` is cleaned */
	bool is_sparse;     /* size_bytes is more than the data that comes */
};

/* Borrows @from and @what. */
struct tar_reader *tar_reader_new(struct source *from, const char *what);
void tar_reader_free(struct tar_reader *reader);

/*
 * The next entry into *out (released first). The data of the one before need
 * not have been read. Errors name the archive and the entry.
 */
int tar_reader_next(struct tar_reader *reader, struct tar_entry *out, bool *out_end,
		    struct err *err);

/* A piece of the entry's data, valid until the next call; *out_len is 0 at its end. */
int tar_reader_data(struct tar_reader *reader, const void **out, size_t *out_len,
		    uint64_t *out_offset, struct err *err);

/* So many of the tar were read, headers included. */
uint64_t tar_reader_bytes(const struct tar_reader *reader);

/* Read what follows the end mark, to the end of the source. */
int tar_reader_drain(struct tar_reader *reader, struct err *err);

/* An error came from the reader, and so has the archive's name in it (or is the source's own). */
bool tar_reader_has_failed(const struct tar_reader *reader);

/* ---- unpack-acl: access control lists ---- */

struct archive_entry; /* libarchive's */

/* Lists that the archive has as text become attributes, where it has not the attributes, too. */
void unpack_take_acls(struct archive_entry *from, struct entry *out);

/* ---- unpack-tree: where an entry goes ---- */

/* What is to be set on a directory at the end, when nothing in it changes any more. */
struct unpack_dir {
	char *path;       /* with no link in it */
	bool is_explicit; /* the archive has an entry for it */
	bool is_opaque;   /* what it holds below does not show */
	bool is_new;      /* nor does the directory itself that is below */
	bool has_whiteouts;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool has_mtime;
	struct timespec mtime;
	struct xattrs xattrs;
	dev_t dev; /* which directory was meant: it can have been replaced since */
	ino_t ino;
	UT_hash_handle hh;
};

struct unpack_device; /* one that was left out */

struct unpack_made; /* a file this archive made, in a tree that was not empty */

struct unpack_tree {
	int root_fd; /* O_RDONLY | O_DIRECTORY; ours */
	const struct unpack_options *options;
	bool started_empty; /* all that is here is this archive's */
	struct unpack_made *made;
	struct unpack_dir *dirs;       /* by path */
	struct unpack_device *devices; /* by path */
	size_t device_number;          /* of the last one */
	bool has_implied;              /* some directory was made for what is in it */

	/* the directory of the last entry: most entries are in the same one as the one before */
	char *last_parent; /* as the archive names it; NULL: none */
	char *last_path;   /* with no link in it */
	int last_fd;
};

/* The place of an entry: a directory and a name in it, which need not exist. */
struct place {
	int dir_fd;           /* borrowed from the tree until the next place is looked for */
	const char *dir_path; /* the same */
	char name[NAME_MAX + 1];
};

int unpack_tree_open(struct unpack_tree *tree, int dir_fd, const struct unpack_options *options,
		     struct err *err);
void unpack_tree_release(struct unpack_tree *tree);

static inline int unpack_set_xattrs(const struct unpack_tree *tree, int fd,
				    const struct xattrs *xattrs, const char *path, struct err *err)
{
	return tree->options->is_mounted ? xattrs_apply_mounted(fd, xattrs, path, err)
					 : xattrs_apply(fd, tree->options->ns, xattrs, path, err);
}

static inline bool unpack_is_layer(const struct unpack_tree *tree)
{
	return tree->options->whiteouts == UNPACK_TO_OVERLAY;
}

/* Find where @path (cleaned, not "") goes; directories on the way that are missing are made. */
int unpack_place(struct unpack_tree *tree, const char *path, struct place *out, struct err *err);
char *unpack_place_path(const struct place *place); /* the caller's to free */

enum stood { STOOD_NOTHING, STOOD_DIRECTORY, STOOD_OTHER };
/* Remove what is at @place (a directory with all it holds), and say what it was. */
int unpack_clear(struct unpack_tree *tree, const struct place *place, enum stood *out,
		 struct err *err);

/* Note a file just made, and ask whether one was made by this archive. */
int unpack_note_made(struct unpack_tree *tree, const struct place *place, struct err *err);
bool unpack_is_made(const struct unpack_tree *tree, const struct stat *st);

/* The directory @name of @place (or of the root, with place NULL) is there: its record. */
struct unpack_dir *unpack_dir_find(const struct unpack_tree *tree, const char *path);
/* In a layer: the record of the directory that @place is in. */
int unpack_dir_of(struct unpack_tree *tree, const struct place *place, struct unpack_dir **out,
		  struct err *err);
/* Is the directory @path of the layer, or one above it, cut off from the layers below? */
bool unpack_is_hidden(const struct unpack_tree *tree, const char *path);
int unpack_dir_record(struct unpack_tree *tree, const struct place *place, struct unpack_dir **out,
		      struct err *err);
/* Make a directory at @place, which is free; one that replaces something hides what is below. */
int unpack_make_dir(struct unpack_tree *tree, const struct place *place, bool replaces,
		    struct unpack_dir **out, struct err *err);

/* ---- unpack-devices: what is left out ---- */

int unpack_skip_device(struct unpack_tree *tree, const struct entry *entry, struct err *err);
/* A hard link is left out with the device that it names; *out is false when it names none. */
int unpack_skip_link(struct unpack_tree *tree, const struct entry *entry, bool *out,
		     struct err *err);
/* Count those whose place was not taken by anything else, and list them when options ask for it. */
int unpack_devices_finish(struct unpack_tree *tree, uint64_t *out_count, struct err *err);
void unpack_devices_forget(struct unpack_tree *tree);

/* ---- unpack-dirs: the end ---- */

bool unpack_has_implicit(const struct unpack_tree *tree);
int unpack_dirs_finish(struct unpack_tree *tree, struct err *err);

/* ---- unpack-content: what is in a file ---- */

/* The room that the limits leave. */
struct unpack_budget {
	uint64_t bytes_left;
	uint64_t holes; /* made so far */
	uint64_t max_ratio;
};
/* Take the entry's file off @budget; ERR_INPUT when it needs more than is left. */
int unpack_take_room(struct unpack_budget *budget, const struct tar_entry *entry,
		     const struct tar_reader *reader, struct err *err);
/* Write the entry's data into the new, empty file @fd. */
int unpack_fill(int fd, const struct tar_entry *entry, struct tar_reader *reader, struct err *err);

/* ---- unpack-write: making what an entry says ---- */

int unpack_put_dir(struct unpack_tree *tree, const struct entry *entry, struct err *err);
int unpack_put_file(struct unpack_tree *tree, const struct tar_entry *entry,
		    struct tar_reader *reader, struct unpack_budget *budget, struct err *err);
int unpack_put_hardlink(struct unpack_tree *tree, const struct entry *entry, struct err *err);
int unpack_put_symlink(struct unpack_tree *tree, const struct entry *entry, struct err *err);
int unpack_put_special(struct unpack_tree *tree, const struct entry *entry, struct err *err);
int unpack_put_whiteout(struct unpack_tree *tree, const char *path, struct err *err);
/* @path is that of the mark. */
int unpack_put_opaque(struct unpack_tree *tree, const char *path, struct err *err);

/* Of @name in @fd, which is not followed, or with "" of @fd itself. Explains an id without a
 * mapping. */
int unpack_set_owner(const struct unpack_tree *tree, int fd, const char *name, uid_t uid, gid_t gid,
		     const char *path, struct err *err);

#endif
