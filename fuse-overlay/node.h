/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_NODE_H
#define FUSE_OVERLAY_NODE_H

#include "fuse-overlay/overlay-internal.h"

/*
 * What the kernel knows of: a file or directory with a parent and a name and no path. It lives as
 * long as it is held: by the kernel's lookups, by the names below it, by handles.
 */
struct name {
	struct node *parent; /* held */
	struct node *node;
	struct name *next_in_table;
	struct name *next_of_node;
	uint32_t hash;
	char text[];
};

/* A lower directory that a merged one consists of. */
struct spot {
	uint16_t layer;
	char *path; /* from the layer's root, where a redirect leads elsewhere than parent and name */
};

struct dir {
	/* where the union of the lower layers has it, if a redirect in the upper says so */
	char *redirect;
	_Atomic uint32_t version; /* changes with what the directory holds */
	uint32_t changing;        /* changes under way */
	int32_t subdirs;          /* directories in it, or UNKNOWN_SUBDIRS */
	struct latch latch;       /* the two */
	uint16_t lower_count;
	struct spot lowers[];
};

#define UNKNOWN_SUBDIRS (-1)

/* What few files have at a time: those that are open, and those of the upper with several names. */
struct file_state {
	/* of its handles, for what the kernel wants to be the same in all of them */
	unsigned int cached;
	unsigned int direct;
	int backing_id;
	/* in the table by its inode in the upper */
	bool is_indexed;
	struct node *next_by_ino;
	dev_t upper_dev;
	ino_t upper_ino;
};

#define NO_LAYER UINT16_MAX

struct node {
	_Atomic uint64_t holds;
	uint64_t id;  /* never used twice */
	_Atomic uint64_t ino; /* what stat shows */
	struct latch latch;
	_Atomic bool is_upper;   /* set once, by copy-up, or from the start */
	uint16_t lower;          /* of what is no directory: its layer while not is_upper */
	mode_t type;             /* S_IFMT bits */
	_Atomic int fd;          /* O_PATH, once it has lost its last name; else -1 */
	struct name *names;      /* one for a directory, more for hard links, none when unlinked */
	union {
		struct dir *dir;         /* of directories */
		struct file_state *file; /* of all else, or NULL; under the latch */
	};
};

_Static_assert(sizeof(struct node) <= 56, "what malloc gives in 64 bytes");

static inline bool node_is_dir(const struct node *node)
{
	return S_ISDIR(node->type);
}

static inline bool node_is_upper(const struct node *node)
{
	return atomic_load_explicit(&node->is_upper, memory_order_acquire);
}

/* What a new node is to be. */
struct node_draft {
	mode_t type;
	uint64_t ino;
	bool is_upper;
	uint16_t lower;
	struct dir *dir; /* taken over */
	const struct stat *upper_st; /* of a file in the upper that has, or will have, other names */
};

struct table *table_new(void);
void table_free(struct table *table);
/* All nodes, whoever holds them; but not the root. */
void table_free_nodes(struct overlay *overlay);

/* Held once. The root has no name and is not in the table; a temporary file is. */
struct node *node_new(const struct node_draft *draft);
struct node *node_new_nameless(struct overlay *overlay, const struct node_draft *draft);

/* The node of that name, held once more for the caller, or NULL. */
struct node *node_find(struct overlay *overlay, struct node *parent, const char *name);
/*
 * The same, made as @draft says if there is none. A file of the upper with several names
 * is one node, whichever of them is found first. Takes draft->dir in either case.
 */
struct node *node_find_or_make(struct overlay *overlay, struct node *parent, const char *name,
			       const struct node_draft *draft);

struct node *node_hold(struct node *node);
void node_drop(struct overlay *overlay, struct node *node, uint64_t count);

#define auto_node __attribute__((cleanup(node_auto_drop)))
struct held_node {
	struct overlay *overlay;
	struct node *node;
};
void node_auto_drop(struct held_node *held);

/* The caller holds the latch of a file, or shape exclusively for a directory. */
void node_add_name(struct overlay *overlay, struct node *node, struct node *parent,
		   const char *text);
/* False: it has no such name. */
bool node_remove_name(struct overlay *overlay, struct node *node, struct node *parent,
		      const char *text);
/* The state of a file, made if there is none; and let go if nothing needs it. Under the latch. */
struct file_state *node_file_state(struct node *node);
void node_file_settle(struct node *node);

/* From now on other names may lead to this upper inode; under the latch. */
void node_index(struct overlay *overlay, struct node *node, const struct stat *upper_st);

/* The parent (one of them, of hard links), held; NULL for the root and for what was removed. */
struct node *node_parent(struct overlay *overlay, struct node *node);

struct dir *dir_new(uint16_t lower_count);
void dir_free(struct dir *dir);
/*
 * Around each change of what a directory holds: so that who lists it meanwhile does not take what
 * was found for what is there. @subdirs: how many more directories are in it.
 */
void dir_change_begin(struct node *node);
void dir_change_end(struct node *node, int subdirs);
/* The number counted while nothing changed since @version is the directory's. */
void dir_count_known(struct node *node, uint32_t version, int subdirs);
int dir_count(struct node *node);

#endif
