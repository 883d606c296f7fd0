/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the directories of a diff's walk: opening one with what lies
 * below it, whether it differs, and that a deep tree needs few descriptors.
 */
#include "layers/diff-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/fd.h"
#include "layers/record.h"
#include "layers/walk-internal.h"

#define DEPTH_MAX       2048 /* more components than the longest path has */
#define OPEN_LEVELS_MAX 32
#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void diff_level_release(struct diff_level *level)
{
	fd_close(&level->fd);
	fd_close(&level->lower_fd);
	fd_close(&level->init_fd);
	xattrs_release(&level->xattrs);
}

int diff_level_open(struct diff *diff, struct diff_level *level, struct err *err)
{
	level->fd = openat(level->parent->fd, level->name, DIRECTORY_FLAGS);
	if (level->fd < 0)
		return err_sys(err, "open directory '%s'", diff->path.data);
	if (level->depth > DEPTH_MAX)
		return err_set(err, ERR_INPUT, "'%.200s…' is nested deeper than %d directories",
			       diff->path.data, DEPTH_MAX);
	return diff_scan_upper(diff, level->fd, &level->xattrs, &level->marks, err);
}

static int holds_something(const struct diff *diff, int dir_fd, bool *out_holds, struct err *err)
{
	auto_dir_names struct dir_names names = DIR_NAMES_INIT;

	if (dir_names_read(dir_fd, &names, diff->path.data, err) < 0)
		return -1;
	*out_holds = names.count > 0;
	return 0;
}

static int open_init(const struct diff *diff, struct diff_level *level, struct err *err)
{
	/* an opaque directory was made by the step, whatever the init layer had there */
	if (level->parent->init_fd < 0 || level->marks.is_opaque)
		return 0;
	level->init_fd = openat(level->parent->init_fd, level->name, DIRECTORY_FLAGS);
	if (level->init_fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return err_sys(err, "open '%s' in the init layer", diff->path.data);
	return 0;
}

/* Open what lies below the upper's directory and say whether it is the same. */
int diff_level_compare(struct diff *diff, struct diff_level *level, bool *out_same, struct err *err)
{
	struct diff_base base;
	int base_fd = -1;

	*out_same = false;
	if (diff_find_base(diff, level->parent, level->name, &base, err) < 0)
		return -1;
	if (open_init(diff, level, err) < 0)
		return -1;
	if (!base.exists || !S_ISDIR(base.st.st_mode))
		return 0;
	if (base.is_init) {
		base_fd = level->init_fd;
	} else {
		base_fd = level->lower_fd = openat(base.dir_fd, level->name, DIRECTORY_FLAGS);
		if (base_fd < 0)
			return err_sys(err, "open directory '%s' in the layers below",
				       diff->path.data);
	}
	if (level->is_replaced && level->lower_fd >= 0 &&
	    diff_decide_opaque(diff, level, &level->is_opaque, err) < 0)
		return -1;
	if (base_fd < 0 || level->is_opaque)
		return 0;
	return diff_is_same_directory(diff, level, &base, base_fd, out_same, err);
}

int diff_level_compare_root(struct diff *diff, struct diff_level *root, bool *out_same,
			    struct timespec *out_base_mtime, struct err *err)
{
	struct diff_base base = { .exists = true, .form = diff->lower_form };

	*out_same = false;
	if (root->lower_fd < 0)
		return 0;
	if (record_stat(root->lower_fd, "", diff->options->ns, &base.st) < 0)
		return err_sys(err, "stat the root of the layers below");
	if (root->marks.is_opaque &&
	    holds_something(diff, root->lower_fd, &root->is_opaque, err) < 0)
		return -1;
	*out_base_mtime = base.st.st_mtim;
	if (root->is_opaque)
		return 0;
	return diff_is_same_directory(diff, root, &base, root->lower_fd, out_same, err);
}

/*
 * Far up, directories are closed to save descriptors; the way back is "..",
 * believed only when it is the directory we came from. What is below can be
 * left only where the child has a directory there too.
 */
void diff_level_park_ancestor(struct diff_level *level)
{
	struct diff_level *child = level;
	struct diff_level *far;
	struct stat st;

	if (level->depth <= OPEN_LEVELS_MAX)
		return;
	for (int i = 1; i < OPEN_LEVELS_MAX; i++)
		child = child->parent;
	far = child->parent;
	if (!far->parent)
		return;
	fd_close(&far->fd);
	if (far->lower_fd < 0 || child->lower_fd < 0 || fstat(far->lower_fd, &st) < 0)
		return;
	far->lower_ino = st.st_ino;
	far->is_lower_parked = true;
	fd_close(&far->lower_fd);
}

static int open_above(const struct diff *diff, int fd, ino_t ino, int *out_fd, struct err *err)
{
	auto_close int above = openat(fd, "..", DIRECTORY_FLAGS);
	struct stat st;

	if (above < 0 || fstat(above, &st) < 0)
		return err_sys(err, "open the directory above '%s'", diff->path.data);
	if (st.st_ino != ino)
		return err_set(err, ERR_SYSTEM, "'%s' was moved while it was read",
			       diff->path.data);
	*out_fd = fd_steal(&above);
	return 0;
}

int diff_level_unpark_parent(const struct diff *diff, struct diff_level *level, struct err *err)
{
	struct diff_level *parent = level->parent;

	if (parent->fd < 0 && open_above(diff, level->fd, parent->st.st_ino, &parent->fd, err) < 0)
		return -1;
	if (!parent->is_lower_parked)
		return 0;
	parent->is_lower_parked = false;
	return open_above(diff, level->lower_fd, parent->lower_ino, &parent->lower_fd, err);
}
