/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for laying one layer beneath others, in overlay form: what of it still
 * shows, and what it hides of the layers that come after it.
 */
#include "layers/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/node.h"
#include "layers/walk.h"
#include "layers/whiteout.h"

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A file of several names that was copied. */
struct copied {
	struct {
		uint64_t device;
		uint64_t inode;
	} key;
	char *path; /* of its copy */
	UT_hash_handle hh;
};

/* A directory on the way to where the walk is. */
struct merge_level {
	bool is_new; /* made of this layer's; else that of a higher one stays as it is */
	struct timespec mtime;
};

struct merge {
	enum overlay_ns ns;
	int upper_fd;
	int dir_fd; /* in the upper, where the walk is in the layer */
	struct merge_level *levels;
	size_t depth;
	bool is_skipping; /* the directory that was just looked at does not show */
	struct copied *copied;
};

static void merge_release(struct merge *merge)
{
	struct copied *copied;
	struct copied *next;

	HASH_ITER (hh, merge->copied, copied, next) {
		HASH_DEL(merge->copied, copied);
		free(copied->path);
		free(copied);
	}
	free(merge->levels);
	fd_close(&merge->dir_fd);
}

/* ---- copies ---- */

/* The copy of the same inode, if there is one; else a row in which the caller notes it. */
static struct copied *find_copied(struct merge *merge, const struct stat *st)
{
	struct copied *copied = mem_alloc(sizeof(*copied));
	struct copied *found = NULL;

	copied->key.device = st->st_dev;
	copied->key.inode = st->st_ino;
	HASH_FIND(hh, merge->copied, &copied->key, sizeof(copied->key), found);
	if (found) {
		free(copied);
		return found;
	}
	HASH_ADD(hh, merge->copied, key, sizeof(copied->key), copied);
	return copied;
}

static int link_copied(struct merge *merge, const struct copied *copied, const char *name,
		       struct err *err)
{
	char first[NAME_MAX + 1];
	auto_close int dir_fd =
		beneath_parent(merge->upper_fd, copied->path, BENEATH_NO_LINKS, first, err);

	if (dir_fd < 0)
		return -1;
	if (linkat(dir_fd, first, merge->dir_fd, name, 0) < 0)
		return err_sys(err, "link '%s'", copied->path);
	return 0;
}

static int copy_file(struct merge *merge, const struct walk_item *item, struct err *err)
{
	struct copied *copied = item->st->st_nlink > 1 ? find_copied(merge, item->st) : NULL;

	if (copied && copied->path)
		return link_copied(merge, copied, item->name, err);
	if (node_copy(item->dir_fd, item->name, merge->dir_fd, merge->ns, item->path, err) < 0)
		return -1;
	if (copied)
		copied->path = str_dup(item->path);
	return 0;
}

/* ---- what shows ---- */

/* What the upper has at @name; *out_mode is 0 when it has nothing. */
static int look(const struct merge *merge, const struct walk_item *item, mode_t *out_mode,
		struct err *err)
{
	struct stat st;

	*out_mode = 0;
	if (fstatat(merge->dir_fd, item->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*out_mode = st.st_mode;
	else if (errno != ENOENT)
		return err_sys(err, "stat '%s' in the layer that is made", item->path);
	return 0;
}

static int open_in_upper(const struct merge *merge, const struct walk_item *item, struct err *err)
{
	int fd = openat(merge->dir_fd, item->name[0] ? item->name : ".", DIRECTORY_FLAGS);

	return fd < 0 ? err_sys(err, "open directory '%s' in the layer that is made", item->path)
		      : fd;
}

/* A directory took the place of this: what is below shows in it no more. */
static int hide_below(struct merge *merge, const struct walk_item *item, struct err *err)
{
	auto_close int fd = open_in_upper(merge, item, err);

	return fd < 0 ? -1 : opaque_set(fd, merge->ns, err);
}

static int merge_file(struct merge *merge, const struct walk_item *item, struct err *err)
{
	mode_t above;

	if (look(merge, item, &above, err) < 0)
		return -1;
	if (S_ISDIR(above))
		return hide_below(merge, item, err);
	if (above != 0)
		return 0;
	if (whiteout_is(item->dir_fd, item->name, item->st, merge->ns))
		return whiteout_make(merge->dir_fd, item->name, merge->ns, err);
	return copy_file(merge, item, err);
}

/* ---- directories ---- */

/* Does the layer's directory show in that of the upper, which may be new? Opens the latter. */
static int open_shown(struct merge *merge, const struct walk_item *item, bool *out_is_new,
		      int *out_fd, struct err *err)
{
	mode_t above = S_IFDIR;
	bool is_opaque = false;
	auto_close int fd = -1;

	if (item->name[0] && look(merge, item, &above, err) < 0)
		return -1;
	*out_is_new = above == 0;
	if (above != 0 && !S_ISDIR(above))
		return 0;
	if (above == 0 && mkdirat(merge->dir_fd, item->name, 0700) < 0)
		return err_sys(err, "make directory '%s'", item->path);
	fd = open_in_upper(merge, item, err);
	if (fd < 0 || opaque_get(fd, merge->ns, &is_opaque, err) < 0)
		return -1;
	if (!is_opaque)
		*out_fd = fd_steal(&fd);
	return 0;
}

static int enter(struct merge *merge, const struct walk_item *item, struct err *err)
{
	struct merge_level level = { .is_new = false };
	auto_close int fd = -1;
	struct stat st;

	if (open_shown(merge, item, &level.is_new, &fd, err) < 0)
		return -1;
	merge->is_skipping = fd < 0;
	*item->out_descend = fd >= 0;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", item->path);
	level.mtime = st.st_mtim;
	merge->levels = mem_resize(merge->levels, merge->depth + 1, sizeof(level));
	merge->levels[merge->depth++] = level;
	fd_close(&merge->dir_fd);
	merge->dir_fd = fd_steal(&fd);
	return 0;
}

/* All in it is done: its times can be set, and what is below can be hidden. */
static int settle(struct merge *merge, const struct walk_item *item,
		  const struct merge_level *level, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, level->mtime };
	bool is_opaque = false;

	if (opaque_get(item->fd, merge->ns, &is_opaque, err) < 0 ||
	    (is_opaque && opaque_set(merge->dir_fd, merge->ns, err) < 0))
		return -1;
	if (level->is_new)
		return entry_copy_on_disk(item->fd, merge->dir_fd, merge->ns, item->path, err);
	if (futimens(merge->dir_fd, times) < 0)
		return err_sys(err, "set the time of '%s'", item->path);
	return 0;
}

static int leave(struct merge *merge, const struct walk_item *item, struct err *err)
{
	int fd;

	/* one that was not entered is left at once */
	if (merge->is_skipping) {
		merge->is_skipping = false;
		return 0;
	}
	if (settle(merge, item, &merge->levels[--merge->depth], err) < 0)
		return -1;
	if (merge->depth == 0)
		return 0;
	/* nobody else moves directories of a draft */
	fd = openat(merge->dir_fd, "..", DIRECTORY_FLAGS);
	if (fd < 0)
		return err_sys(err, "open the directory above '%s'", item->path);
	fd_close(&merge->dir_fd);
	merge->dir_fd = fd;
	return 0;
}

static int visit(void *context, const struct walk_item *item, struct err *err)
{
	struct merge *merge = context;
	int result = -1;

	switch (item->event) {
	case WALK_FILE:
		result = merge_file(merge, item, err);
		break;
	case WALK_ENTER:
		result = enter(merge, item, err);
		break;
	case WALK_LEAVE:
		result = leave(merge, item, err);
		break;
	}
	return result;
}

int merge_layer(int layer_fd, int upper_fd, enum overlay_ns ns, struct err *err)
{
	__attribute__((cleanup(merge_release))) struct merge merge = {
		.ns = ns,
		.upper_fd = upper_fd,
		.dir_fd = openat(upper_fd, ".", DIRECTORY_FLAGS),
	};

	if (merge.dir_fd < 0)
		return err_sys(err, "open the layer that is made");
	return walk_tree(layer_fd, visit, &merge, err);
}
