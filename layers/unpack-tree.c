/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for where an entry goes: from a name of the archive to a directory's
 * descriptor and one name in it. Links on the way are followed inside the
 * root; what is missing is made; what this archive itself made there and is
 * no directory gives way to one.
 *
 * Every step is opened by beneath_open without links from the root, so a link
 * is only ever followed here, as text, on a path known to have none.
 */
#include "layers/unpack-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/tree.h"
#include "layers/whiteout.h"

#define LINKS_MAX 40 /* as the kernel */

struct unpack_made {
	struct {
		dev_t dev;
		ino_t ino;
	} key;
	UT_hash_handle hh;
};

/* ---- the tree ---- */

static int is_empty(int fd, bool *out, struct err *err)
{
	auto_close int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, "read the directory to unpack into");
	fd_steal(&copy);
	*out = true;
	while (*out && (entry = readdir(dir)))
		*out = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	return 0;
}

int unpack_tree_open(struct unpack_tree *tree, int dir_fd, const struct unpack_options *options,
		     struct err *err)
{
	*tree = (struct unpack_tree){ .root_fd = -1, .options = options, .last_fd = -1 };
	tree->root_fd = beneath_open(dir_fd, "", BENEATH_NO_LINKS, O_RDONLY | O_DIRECTORY, err);
	if (tree->root_fd < 0)
		return -1;
	if (is_empty(tree->root_fd, &tree->started_empty, err) < 0)
		return -1;
	if (unpack_is_layer(tree) && !tree->started_empty)
		return err_set(err, ERR_BUG,
			       "a layer is to be unpacked where something is already");
	return 0;
}

static void forget_place(struct unpack_tree *tree)
{
	free(ptr_steal(&tree->last_parent));
	free(ptr_steal(&tree->last_path));
	fd_close(&tree->last_fd);
}

void unpack_tree_release(struct unpack_tree *tree)
{
	struct unpack_dir *dir, *next_dir;
	struct unpack_made *made, *next_made;

	forget_place(tree);
	unpack_devices_forget(tree);
	HASH_ITER (hh, tree->dirs, dir, next_dir) {
		HASH_DEL(tree->dirs, dir);
		xattrs_release(&dir->xattrs);
		free(dir->path);
		free(dir);
	}
	HASH_ITER (hh, tree->made, made, next_made) {
		HASH_DEL(tree->made, made);
		free(made);
	}
	fd_close(&tree->root_fd);
}

/* ---- what is this archive's own ---- */

static struct unpack_made *made_find(const struct unpack_tree *tree, const struct stat *st)
{
	struct unpack_made want, *found;

	memset(&want, 0, sizeof(want));
	want.key.dev = st->st_dev;
	want.key.ino = st->st_ino;
	HASH_FIND(hh, tree->made, &want.key, sizeof(want.key), found);
	return found;
}

bool unpack_is_made(const struct unpack_tree *tree, const struct stat *st)
{
	return tree->started_empty || made_find(tree, st);
}

int unpack_note_made(struct unpack_tree *tree, const struct place *place, struct err *err)
{
	struct unpack_made *made;
	struct stat st;

	if (tree->started_empty)
		return 0;
	if (fstatat(place->dir_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s'", place->name);
	if (made_find(tree, &st))
		return 0;
	made = mem_alloc(sizeof(*made));
	made->key.dev = st.st_dev;
	made->key.ino = st.st_ino;
	HASH_ADD(hh, tree->made, key, sizeof(made->key), made);
	return 0;
}

/* ---- directories' records ---- */

struct unpack_dir *unpack_dir_find(const struct unpack_tree *tree, const char *path)
{
	struct unpack_dir *dir;

	HASH_FIND_STR(tree->dirs, path, dir);
	return dir;
}

/* What a directory gets that only stands on the way to an entry. */
static void dir_defaults(const struct unpack_tree *tree, struct unpack_dir *dir)
{
	const struct unpack_owner *owner = &tree->options->owner;

	dir->is_explicit = false;
	dir->is_opaque = false;
	dir->is_new = false;
	dir->has_whiteouts = false;
	dir->mode = 0755;
	if (tree->options->new_mode)
		dir->mode = tree->options->new_mode(tree->options->new_mode_context,
						    S_IFDIR | dir->mode);
	dir->uid = owner->set ? owner->uid : 0;
	dir->gid = owner->set ? owner->gid : 0;
	/* a layer is the same whenever it is unpacked */
	dir->has_mtime = unpack_is_layer(tree);
	dir->mtime = (struct timespec){ .tv_sec = 0 };
	xattrs_release(&dir->xattrs);
}

int unpack_dir_record(struct unpack_tree *tree, const struct place *place, struct unpack_dir **out,
		      struct err *err)
{
	auto_free char *path = place ? unpack_place_path(place) : str_dup("");
	int dir_fd = place ? place->dir_fd : tree->root_fd;
	const char *name = place ? place->name : ".";
	struct unpack_dir *dir = unpack_dir_find(tree, path);
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s'", path);
	if (!dir) {
		dir = mem_alloc(sizeof(*dir));
		dir->path = ptr_steal(&path);
		dir_defaults(tree, dir);
		HASH_ADD_KEYPTR(hh, tree->dirs, dir->path, strlen(dir->path), dir);
	} else if (dir->dev != st.st_dev || dir->ino != st.st_ino) {
		dir_defaults(tree, dir); /* of a directory that is gone */
	}
	dir->dev = st.st_dev;
	dir->ino = st.st_ino;
	*out = dir;
	return 0;
}

int unpack_dir_of(struct unpack_tree *tree, const struct place *place, struct unpack_dir **out,
		  struct err *err)
{
	*out = unpack_dir_find(tree, place->dir_path);
	if (*out)
		return 0;
	/* all others were made by this archive and noted then */
	if (*place->dir_path)
		return err_set(err, ERR_BUG, "'%s' has no record", place->dir_path);
	return unpack_dir_record(tree, NULL, out, err);
}

bool unpack_is_hidden(const struct unpack_tree *tree, const char *path)
{
	auto_free char *prefix = str_dup(path);
	char *slash;

	for (;;) {
		const struct unpack_dir *dir = unpack_dir_find(tree, prefix);

		if (dir && dir->is_opaque)
			return true;
		if (!*prefix)
			return false;
		slash = strrchr(prefix, '/');
		*(slash ? slash : prefix) = '\0';
	}
}

int unpack_make_dir(struct unpack_tree *tree, const struct place *place, bool replaces,
		    struct unpack_dir **out, struct err *err)
{
	/* for us alone until the end, when it gets its mode */
	if (mkdirat(place->dir_fd, place->name, 0700) < 0)
		return err_sys(err, "make directory '%s'", place->name);
	if (unpack_dir_record(tree, place, out, err) < 0)
		return -1;
	dir_defaults(tree, *out);
	(*out)->is_new = replaces && unpack_is_layer(tree);
	(*out)->is_opaque = (*out)->is_new;
	return 0;
}

int unpack_clear(struct unpack_tree *tree, const struct place *place, enum stood *out,
		 struct err *err)
{
	struct stat st;

	if (fstatat(place->dir_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_sys(err, "stat '%s'", place->name);
		*out = STOOD_NOTHING;
		return 0;
	}
	*out = S_ISDIR(st.st_mode) ? STOOD_DIRECTORY : STOOD_OTHER;
	/* the way to the last directory may have led through it; its descriptor stays @place's */
	if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
		free(ptr_steal(&tree->last_parent));
	return tree_remove(place->dir_fd, place->name, err);
}

/* ---- from a path to a place ---- */

char *unpack_place_path(const struct place *place)
{
	return str_format("%s%s%s", place->dir_path, *place->dir_path ? "/" : "", place->name);
}

struct walk {
	struct strbuf done; /* path of the directory we stand in, no links in it */
	struct strbuf rest; /* still to walk */
	size_t pos;
	unsigned links; /* followed so far */
};

static void walk_release(struct walk *walk)
{
	strbuf_release(&walk->done);
	strbuf_release(&walk->rest);
}

static void step_up(struct walk *walk)
{
	const char *slash = strrchr(walk->done.data, '/');

	strbuf_truncate(&walk->done, slash ? (size_t)(slash - walk->done.data) : 0);
}

/* The text of a link goes before what is left; an absolute one starts at the root again. */
static int follow(struct walk *walk, const char *text, const char *path, struct err *err)
{
	auto_strbuf struct strbuf rest = STRBUF_INIT;
	char *old;

	if (++walk->links > LINKS_MAX || strlen(text) + walk->rest.len > (size_t)16 * PATH_MAX)
		return err_set(err, ERR_INPUT, "too many symbolic links on the way to '%s'", path);
	if (text[0] == '/')
		strbuf_truncate(&walk->done, 0);
	strbuf_puts(&rest, text);
	strbuf_putc(&rest, '/');
	strbuf_puts(&rest, walk->rest.data + walk->pos);
	old = strbuf_steal(&walk->rest);
	free(old);
	strbuf_add(&walk->rest, rest.data, rest.len);
	walk->pos = 0;
	return 0;
}

/* What stands at @step, which has no links but perhaps at its end: 0 with *out_fd -1 if nothing. */
static int look(int root_fd, const char *step, struct stat *st, int *out_fd, struct err *err)
{
	auto_close int fd = beneath_open(root_fd, step, BENEATH_NO_LINKS, O_PATH | O_NOFOLLOW, err);

	if (fd < 0 && errno == ENOENT) {
		err_clear(err);
		*out_fd = -1;
		return 0;
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, st) < 0)
		return err_sys(err, "stat '%s'", step);
	*out_fd = fd_steal(&fd);
	return 0;
}

static int read_link(int fd, char *buf, size_t size, const char *step, struct err *err)
{
	ssize_t len = readlinkat(fd, "", buf, size);

	if (len < 0)
		return err_sys(err, "read the symbolic link '%s'", step);
	if (len == 0 || (size_t)len >= size)
		return err_set(err, ERR_INPUT, "the symbolic link '%s' leads nowhere", step);
	buf[len] = '\0';
	return 0;
}

/* Make the directory at @step, in place of what is there and is none. */
static int make_step(struct unpack_tree *tree, const char *step, bool replaces, struct err *err)
{
	struct place place = { .dir_fd = -1 };
	const char *slash = strrchr(step, '/');
	auto_free char *dir_path = str_ndup(step, slash ? (size_t)(slash - step) : 0);
	auto_close int dir_fd =
		beneath_parent(tree->root_fd, step, BENEATH_NO_LINKS, place.name, err);
	struct unpack_dir *dir;

	if (dir_fd < 0)
		return -1;
	place.dir_fd = dir_fd;
	place.dir_path = dir_path;
	if (replaces && unlinkat(dir_fd, place.name, 0) < 0)
		return err_sys(err, "remove '%s'", step);
	tree->has_implied = true;
	return unpack_make_dir(tree, &place, replaces, &dir, err);
}

/* Nothing is at @step: make it, unless the layers below have a link there, which is followed. */
static int step_missing(struct unpack_tree *tree, struct walk *walk, const char *step,
			const char *path, struct err *err)
{
	const int *below_fd = tree->options->below_fd;
	auto_close int fd = -1;
	char text[PATH_MAX];
	struct stat st;

	if (below_fd && !unpack_is_hidden(tree, walk->done.data)) {
		if (look(*below_fd, step, &st, &fd, err) < 0)
			return -1;
		if (fd >= 0 && S_ISLNK(st.st_mode)) {
			if (read_link(fd, text, sizeof(text), step, err) < 0)
				return -1;
			return follow(walk, text, path, err);
		}
	}
	if (make_step(tree, step, false, err) < 0)
		return -1;
	strbuf_truncate(&walk->done, 0);
	strbuf_puts(&walk->done, step);
	return 0;
}

static int take_step(struct unpack_tree *tree, struct walk *walk, const char *name,
		     const char *path, struct err *err)
{
	auto_free char *step =
		str_format("%s%s%s", walk->done.data, walk->done.len ? "/" : "", name);
	auto_close int fd = -1;
	char text[PATH_MAX];
	struct stat st;

	if (look(tree->root_fd, step, &st, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return step_missing(tree, walk, step, path, err);
	if (S_ISLNK(st.st_mode)) {
		if (read_link(fd, text, sizeof(text), step, err) < 0)
			return -1;
		return follow(walk, text, path, err);
	}
	if (!S_ISDIR(st.st_mode)) {
		/* only what the path itself names gives way, not what a link leads to */
		if (walk->links > 0 || !unpack_is_made(tree, &st))
			return err_set(err, ERR_INPUT,
				       "'%s' is not a directory, but '%s' is to be"
				       " in it",
				       step, path);
		if (make_step(tree, step, true, err) < 0)
			return -1;
	}
	strbuf_truncate(&walk->done, 0);
	strbuf_puts(&walk->done, step);
	return 0;
}

static int walk_all(struct unpack_tree *tree, struct walk *walk, const char *path, struct err *err)
{
	for (;;) {
		auto_free char *name = NULL;
		size_t len;

		walk->pos += strspn(walk->rest.data + walk->pos, "/");
		len = strcspn(walk->rest.data + walk->pos, "/");
		if (len == 0)
			return 0;
		name = str_ndup(walk->rest.data + walk->pos, len);
		walk->pos += len;
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0)
			step_up(walk); /* of a link; at the root it stays there */
		else if (take_step(tree, walk, name, path, err) < 0)
			return -1;
	}
}

/* The long way, for a parent that cannot be opened as it is. */
static int resolve_parent(struct unpack_tree *tree, const char *parent, const char *path,
			  struct err *err)
{
	struct walk walk = { .done = STRBUF_INIT, .rest = STRBUF_INIT };
	int r;

	strbuf_puts(&walk.rest, parent);
	r = walk_all(tree, &walk, path, err);
	if (r == 0) {
		tree->last_path = str_dup(walk.done.data);
		tree->last_fd = beneath_open(tree->root_fd, tree->last_path, BENEATH_NO_LINKS,
					     O_PATH | O_DIRECTORY, err);
		r = tree->last_fd < 0 ? -1 : 0;
	}
	walk_release(&walk);
	return r;
}

static int enter_parent(struct unpack_tree *tree, const char *parent, const char *path,
			struct err *err)
{
	if (tree->last_parent && strcmp(tree->last_parent, parent) == 0)
		return 0;
	forget_place(tree);
	tree->last_fd =
		beneath_open(tree->root_fd, parent, BENEATH_NO_LINKS, O_PATH | O_DIRECTORY, err);
	if (tree->last_fd >= 0) {
		tree->last_path = str_dup(parent);
	} else {
		err_clear(err);
		if (resolve_parent(tree, parent, path, err) < 0)
			return -1;
	}
	tree->last_parent = str_dup(parent);
	return 0;
}

int unpack_place(struct unpack_tree *tree, const char *path, struct place *out, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	auto_free char *parent = str_ndup(path, slash ? (size_t)(slash - path) : 0);

	if (enter_parent(tree, parent, path, err) < 0)
		return -1;
	out->dir_fd = tree->last_fd;
	out->dir_path = tree->last_path;
	strcpy(out->name, name); /* names of more than NAME_MAX bytes were refused */
	return 0;
}
