/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what is set on directories when all files are made: owner, mode,
 * attributes, marks and times, children before their parents, so that neither
 * a mode shuts us out nor a new file changes a time that was set.
 */
#include "layers/unpack-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/record.h"
#include "layers/whiteout.h"
#include "layers/xattrs-internal.h"

bool unpack_has_implicit(const struct unpack_tree *tree)
{
	for (const struct unpack_dir *dir = tree->dirs; dir; dir = dir->hh.next) {
		/* the root is always there */
		if (!dir->is_explicit && *dir->path)
			return true;
	}
	return false;
}

static bool is_gone(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* *out_fd is -1 when a later entry replaced the directory. */
static int open_dir(const struct unpack_tree *tree, const struct unpack_dir *dir, int *out_fd,
		    struct err *err)
{
	auto_close int fd = beneath_open(tree->root_fd, dir->path, BENEATH_NO_LINKS,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
	struct stat st;

	*out_fd = -1;
	if (fd < 0 && is_gone(errno)) {
		err_clear(err);
		return 0;
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", dir->path);
	if (st.st_dev == dir->dev && st.st_ino == dir->ino)
		*out_fd = fd_steal(&fd);
	return 0;
}

static bool is_parent_hidden(const struct unpack_tree *tree, const char *path)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = str_ndup(path, slash ? (size_t)(slash - path) : 0);

	return *path && unpack_is_hidden(tree, parent);
}

/* An implicit directory is what it is in the layers below, if it is there: one with an opaque mark
 * too, which is about what it holds. */
static int take_from_below(const struct unpack_tree *tree, struct unpack_dir *dir, struct err *err)
{
	auto_close int fd = -1;
	struct stat st;

	if (!tree->options->below_fd || dir->is_explicit || dir->is_new ||
	    is_parent_hidden(tree, dir->path))
		return 0;
	fd = beneath_open(*tree->options->below_fd, dir->path, BENEATH_NO_LINKS,
			  O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
	if (fd < 0 && is_gone(errno)) {
		err_clear(err);
		return 0;
	}
	if (fd < 0)
		return -1;
	if (record_stat(fd, "", tree->options->ns, &st) < 0)
		return err_sys(err, "stat '%s' in the layers below", dir->path);
	dir->mode = st.st_mode & 07777;
	dir->uid = st.st_uid;
	dir->gid = st.st_gid;
	dir->has_mtime = true;
	dir->mtime = st.st_mtim;
	return xattrs_scan(fd, XATTR_FORM_MERGED, &dir->xattrs, NULL, dir->path, err);
}

/*
 * In a directory that shows nothing of the layers below, a whiteout deletes
 * nothing, but the kernel would list it.
 */
static int sweep_whiteouts(int dir_fd, const char *path, enum overlay_ns ns, struct err *err)
{
	auto_close int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return err_sys(err, "read the directory '%s'", path);
	fd_steal(&copy);
	while (r == 0 && (entry = readdir(dir))) {
		struct stat st;

		if (entry->d_type != DT_CHR && entry->d_type != DT_REG &&
		    entry->d_type != DT_UNKNOWN)
			continue;
		if (fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (whiteout_is(dir_fd, entry->d_name, &st, ns) &&
		     unlinkat(dir_fd, entry->d_name, 0) < 0))
			r = err_sys(err, "remove the whiteout '%s/%s'", path, entry->d_name);
	}
	closedir(dir);
	return r;
}

static int set_marks(const struct unpack_tree *tree, const struct unpack_dir *dir, int fd,
		     struct err *err)
{
	enum overlay_ns ns = tree->options->ns;

	if (!unpack_is_layer(tree))
		return 0;
	if (dir->is_opaque && opaque_set(fd, ns, err) < 0)
		return -1;
	if (dir->has_whiteouts && whiteouts_note(fd, ns, err) < 0)
		return -1;
	if (!*dir->path && !dir->is_explicit)
		return implied_root_set(fd, ns, err);
	return 0;
}

static int finish_one(const struct unpack_tree *tree, struct unpack_dir *dir, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	auto_close int fd = -1;

	if (open_dir(tree, dir, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return 0;
	if (dir->has_whiteouts && unpack_is_hidden(tree, dir->path)) {
		if (sweep_whiteouts(fd, dir->path, tree->options->ns, err) < 0)
			return -1;
		dir->has_whiteouts = false;
	}
	if (take_from_below(tree, dir, err) < 0 ||
	    unpack_set_owner(tree, fd, "", dir->uid, dir->gid, dir->path, err) < 0)
		return -1;
	if (fchmod(fd, dir->mode) < 0)
		return err_sys(err, "change mode of '%s'", dir->path);
	if (unpack_set_xattrs(tree, fd, &dir->xattrs, dir->path, err) < 0 ||
	    set_marks(tree, dir, fd, err) < 0)
		return -1;
	times[1] = dir->mtime;
	if (dir->has_mtime && futimens(fd, times) < 0)
		return err_sys(err, "set the times of '%s'", dir->path);
	return 0;
}

/* Byte order backwards: a path comes before every path it begins with. */
static int deepest_first(const void *a, const void *b)
{
	const struct unpack_dir *const *x = a;
	const struct unpack_dir *const *y = b;

	return strcmp((*y)->path, (*x)->path);
}

int unpack_dirs_finish(struct unpack_tree *tree, struct err *err)
{
	auto_free struct unpack_dir **all = NULL;
	struct unpack_dir *dir;
	size_t count = 0;

	/* a layer's root always gets a definite mode and owner: it may be the topmost's */
	if (unpack_is_layer(tree) && !unpack_dir_find(tree, "") &&
	    unpack_dir_record(tree, NULL, &dir, err) < 0)
		return -1;
	all = mem_array(HASH_COUNT(tree->dirs), sizeof(*all));
	for (dir = tree->dirs; dir; dir = dir->hh.next)
		all[count++] = dir;
	qsort(all, count, sizeof(*all), deepest_first);
	for (size_t i = 0; i < count; i++) {
		if (finish_one(tree, all[i], err) < 0)
			return -1;
	}
	return 0;
}
