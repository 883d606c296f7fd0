/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for making an upper what unpacking its entries would give: what was
 * not given goes, overlay's bookkeeping goes, published times are set. Works
 * on a file right after it was given, with no second walk.
 */
#include "layers/diff-internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/whiteout.h"

static bool is_settling(const struct diff *diff)
{
	return diff->options->settle && !diff->is_scanning;
}

static bool has_time(const struct stat *st, const struct timespec *mtime)
{
	return st->st_mtim.tv_sec == mtime->tv_sec && st->st_mtim.tv_nsec == mtime->tv_nsec;
}

int diff_settle_given(const struct diff *diff, const struct diff_level *level,
		      const struct diff_node *node, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	if (!is_settling(diff))
		return 0;
	if (node->marks.has_bookkeeping &&
	    overlay_xattrs_strip(node->fd, diff->options->ns, diff->path.data, err) < 0)
		return -1;
	times[1] = diff_published_mtime(diff, &node->st);
	if (has_time(&node->st, &times[1]))
		return 0;
	if (utimensat(level->fd, node->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set the time of '%s'", diff->path.data);
	return 0;
}

int diff_settle_dropped(const struct diff *diff, const struct diff_level *level, const char *name,
			struct err *err)
{
	if (!is_settling(diff))
		return 0;
	if (unlinkat(level->fd, name, 0) < 0)
		return err_sys(err, "remove '%s' from the upper directory", diff->path.data);
	return 0;
}

/* What was below a socket is gone for the layer, which cannot hold the socket. */
int diff_settle_socket(const struct diff *diff, const struct diff_level *level, const char *name,
		       struct err *err)
{
	if (!is_settling(diff))
		return 0;
	if (diff_settle_dropped(diff, level, name, err) < 0)
		return -1;
	return whiteout_make(level->fd, name, diff->options->ns, err);
}

int diff_settle_gone(const struct diff *diff, const struct diff_level *level, const char *name,
		     struct err *err)
{
	if (!is_settling(diff))
		return 0;
	return whiteout_make(level->fd, name, diff->options->ns, err);
}

/* Always, not only where it differs: removing children has changed the time. */
static int set_directory_time(const struct diff *diff, const struct diff_level *level,
			      struct timespec mtime, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime };

	if (futimens(level->fd, times) < 0)
		return err_sys(err, "set the time of '%s'", diff_shown_path(diff));
	return 0;
}

static int strip_directory(const struct diff *diff, const struct diff_level *level, struct err *err)
{
	if (level->marks.is_opaque && !level->is_opaque &&
	    opaque_clear(level->fd, diff->options->ns, err) < 0)
		return err_prefix(err, "%s", diff_shown_path(diff));
	/* in a directory above that is told by its differences */
	if (level->is_opaque && !level->marks.is_opaque &&
	    opaque_set(level->fd, diff->options->ns, err) < 0)
		return err_prefix(err, "%s", diff_shown_path(diff));
	if (level->marks.has_bookkeeping &&
	    overlay_xattrs_strip(level->fd, diff->options->ns, diff_shown_path(diff), err) < 0)
		return -1;
	if (level->has_whiteouts && whiteouts_note(level->fd, diff->options->ns, err) < 0)
		return err_prefix(err, "%s", diff_shown_path(diff));
	return 0;
}

int diff_settle_directory(const struct diff *diff, const struct diff_level *level, struct err *err)
{
	if (!is_settling(diff))
		return 0;
	if (!level->is_given) {
		/* all it held was dropped before */
		if (unlinkat(level->parent->fd, level->name, AT_REMOVEDIR) < 0)
			return err_sys(err, "remove '%s' from the upper directory",
				       diff->path.data);
		return 0;
	}
	if (strip_directory(diff, level, err) < 0)
		return -1;
	return set_directory_time(diff, level, diff_published_mtime(diff, &level->st), err);
}

int diff_settle_root(const struct diff *diff, const struct diff_level *level,
		     const struct timespec *base_mtime, struct err *err)
{
	struct timespec mtime = diff_published_mtime(diff, &level->st);

	if (!is_settling(diff))
		return 0;
	if (strip_directory(diff, level, err) < 0)
		return -1;
	if (base_mtime) {
		mtime = *base_mtime;
		if (implied_root_set(level->fd, diff->options->ns, err) < 0)
			return -1;
	}
	return set_directory_time(diff, level, mtime, err);
}
