/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a union without a union mount: one layer after the other laid on a plain directory.
 * The walk goes through the layer; one descriptor goes beside it through the tree.
 */
#include "storage/flatten-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/tree.h"
#include "layers/node.h"
#include "layers/walk.h"
#include "layers/whiteout.h"
#include "storage/kin-internal.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct flatten {
	enum overlay_ns ns;
	enum flatten_how how;
	int kin_fd;
	struct timespec root_mtime; /* of the tree, before */
	int at_fd;                  /* the directory of the tree that the walk is in */
};

/* An opaque directory shows nothing of what was there. */
static int clear_below(const struct flatten *flatten, const struct walk_item *item, struct err *err)
{
	bool is_opaque = false;

	if (opaque_get(item->fd, flatten->ns, &is_opaque, err) < 0)
		return -1;
	return is_opaque ? tree_empty(flatten->at_fd, err) : 0;
}

static int enter(struct flatten *flatten, const struct walk_item *item, struct err *err)
{
	int fd;

	if (!*item->name)
		return clear_below(flatten, item, err);
	fd = openat(flatten->at_fd, item->name, DIR_FLAGS);
	if (fd < 0) {
		if (tree_remove(flatten->at_fd, item->name, err) < 0)
			return -1;
		if (mkdirat(flatten->at_fd, item->name, 0700) < 0)
			return err_sys(err, "make directory '%s'", item->path);
		fd = openat(flatten->at_fd, item->name, DIR_FLAGS);
	}
	if (fd < 0)
		return err_sys(err, "open directory '%s'", item->path);
	fd_close(&flatten->at_fd);
	flatten->at_fd = fd;
	return clear_below(flatten, item, err);
}

/* A root of which the layer says nothing is what it was, with its time. */
static int look_as_before(const struct flatten *flatten, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, flatten->root_mtime };

	return futimens(flatten->at_fd, times) < 0 ? err_sys(err, "set the time of '/'") : 0;
}

static bool is_for_people(const struct flatten *flatten)
{
	return flatten->how == FLATTEN_SHOW || flatten->how == FLATTEN_SHOW_COPY;
}

/* Of something in the tree, which has them as on disk. */
static int show_names(const struct flatten *flatten, int fd, const char *path, struct err *err)
{
	struct xattrs xattrs = { .items = NULL };
	int result = xattrs_load(fd, flatten->ns, &xattrs, path, err);

	if (result == 0)
		result = xattrs_clear(fd, flatten->ns, path, err);
	if (result == 0)
		result = xattrs_apply_mounted(fd, &xattrs, path, err);
	xattrs_release(&xattrs);
	return result;
}

static int show_names_of(const struct flatten *flatten, const struct walk_item *item,
			 struct err *err)
{
	auto_close int fd = openat(flatten->at_fd, item->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, "open the copy of '%s'", item->path)
		      : show_names(flatten, fd, item->path, err);
}

static bool is_linked(const struct flatten *flatten, const struct walk_item *item)
{
	return flatten->how == FLATTEN_LINK ||
	       (flatten->how == FLATTEN_SHOW &&
		!xattrs_have_escaped(item->dir_fd, item->name, flatten->ns));
}

/* What a directory has of a layer below, and not of this one, must not stay. */
static int dress(const struct flatten *flatten, const struct walk_item *item, const char *path,
		 struct err *err)
{
	if (xattrs_clear(flatten->at_fd, flatten->ns, path, err) < 0)
		return -1;
	if (entry_copy_on_disk(item->fd, flatten->at_fd, flatten->ns, path, err) < 0)
		return -1;
	return is_for_people(flatten) ? show_names(flatten, flatten->at_fd, path, err) : 0;
}

static int leave_root(const struct flatten *flatten, const struct walk_item *item, struct err *err)
{
	bool is_implied = false;

	if (implied_root_get(item->fd, flatten->ns, &is_implied, err) < 0)
		return -1;
	return is_implied ? look_as_before(flatten, err) : dress(flatten, item, "/", err);
}

/* The looks of a directory come last: what was put into it has changed its time. */
static int leave(struct flatten *flatten, const struct walk_item *item, struct err *err)
{
	int parent_fd;

	if (!*item->name)
		return leave_root(flatten, item, err);
	if (dress(flatten, item, item->path, err) < 0)
		return -1;
	parent_fd = openat(flatten->at_fd, "..", DIR_FLAGS);
	if (parent_fd < 0)
		return err_sys(err, "leave directory '%s'", item->path);
	fd_close(&flatten->at_fd);
	flatten->at_fd = parent_fd;
	return 0;
}

static int put(const struct flatten *flatten, const struct walk_item *item, struct err *err)
{
	struct stat copy;

	if (tree_remove(flatten->at_fd, item->name, err) < 0)
		return -1;
	if (whiteout_is(item->dir_fd, item->name, item->st, flatten->ns))
		return 0;
	if (is_linked(flatten, item)) {
		if (linkat(item->dir_fd, item->name, flatten->at_fd, item->name, 0) == 0)
			return 0;
		/* it has as many names as the file system can keep, or is on another one */
		if (errno != EMLINK && errno != EXDEV)
			return err_sys(err, "link '%s'", item->path);
	}
	if (node_copy(item->dir_fd, item->name, flatten->at_fd, flatten->ns, item->path, err) < 0 ||
	    (is_for_people(flatten) && show_names_of(flatten, item, err) < 0))
		return -1;
	if (flatten->kin_fd < 0 || item->st->st_nlink < 2 || !S_ISREG(item->st->st_mode))
		return 0;
	if (fstatat(flatten->at_fd, item->name, &copy, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat the copy of '%s'", item->path);
	return kin_note(flatten->kin_fd, &copy, item->st, err);
}

static int visit(void *context, const struct walk_item *item, struct err *err)
{
	switch (item->event) {
	case WALK_ENTER:
		return enter(context, item, err);
	case WALK_LEAVE:
		return leave(context, item, err);
	case WALK_FILE:
		return put(context, item, err);
	}
	return 0;
}

int flatten_root(int layer_fd, int tree_fd, enum overlay_ns ns, enum flatten_how how,
		 struct err *err)
{
	struct flatten flatten = { .ns = ns, .how = how, .kin_fd = -1 };
	struct walk_item item = { .name = "", .path = "" };
	auto_close int from_fd = openat(layer_fd, ".", DIR_FLAGS);
	int result;

	flatten.at_fd = openat(tree_fd, ".", DIR_FLAGS);
	if (from_fd < 0 || flatten.at_fd < 0) {
		fd_close(&flatten.at_fd);
		return err_sys(err, "open the root of a layer");
	}
	item.fd = from_fd;
	result = dress(&flatten, &item, "/", err);
	fd_close(&flatten.at_fd);
	return result;
}

int flatten_layer(int layer_fd, int tree_fd, enum overlay_ns ns, enum flatten_how how, int kin_fd,
		  struct err *err)
{
	struct flatten flatten = { .ns = ns, .how = how, .kin_fd = kin_fd };
	auto_close int walk_fd = openat(layer_fd, ".", DIR_FLAGS);
	struct stat st;
	int result;

	if (walk_fd < 0 || fstat(tree_fd, &st) < 0)
		return err_sys(err, "open a layer to flatten it");
	flatten.root_mtime = st.st_mtim;
	flatten.at_fd = openat(tree_fd, ".", DIR_FLAGS);
	if (flatten.at_fd < 0)
		return err_sys(err, "open a tree to flatten a layer into it");
	result = walk_tree(walk_fd, visit, &flatten, err);
	fd_close(&flatten.at_fd);
	return result;
}
