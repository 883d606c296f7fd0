/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for whether a file of the upper differs from what lies below it. The
 * cheap questions come first; contents are read only when all else is equal.
 */
#include "layers/diff-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/record.h"
#include "layers/whiteout.h"

/* Whole seconds: tv_nsec counts upwards, so leaving it off truncates towards minus infinity. */
struct timespec diff_published_mtime(const struct diff *diff, const struct stat *st)
{
	struct timespec mtime = { .tv_sec = st->st_mtim.tv_sec };

	if (mtime.tv_sec > diff->options->clamp_epoch || diff->options->sets_times)
		mtime.tv_sec = diff->options->clamp_epoch;
	return mtime;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_mtime(const struct diff *diff, const struct stat *upper, const struct stat *base)
{
	struct timespec published = diff_published_mtime(diff, upper);

	return same_time(&published, &base->st_mtim) || same_time(&upper->st_mtim, &base->st_mtim);
}

static bool same_owner_and_mode(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid;
}

bool diff_is_same_stat(const struct diff *diff, const struct stat *upper, const struct stat *base)
{
	if (!same_owner_and_mode(upper, base) || !same_mtime(diff, upper, base))
		return false;
	if (S_ISREG(upper->st_mode))
		return upper->st_size == base->st_size;
	if (S_ISCHR(upper->st_mode) || S_ISBLK(upper->st_mode))
		return upper->st_rdev == base->st_rdev;
	return true;
}

void diff_node_release(struct diff_node *node)
{
	fd_close(&node->fd);
	xattrs_release(&node->xattrs);
}

int diff_scan_upper(struct diff *diff, int fd, struct xattrs *out, struct xattr_marks *out_marks,
		    struct err *err)
{
	const char *path = diff_shown_path(diff);

	if (xattrs_scan(fd, diff->upper_form, out, out_marks, path, err) < 0)
		return -1;
	if (out_marks->has_redirect || out_marks->has_metacopy)
		return err_set(err, ERR_BUG,
			       "'%s' was written with overlay's %s on: its content is not in the "
			       "upper directory",
			       path, out_marks->has_redirect ? "redirect_dir" : "metacopy");
	return 0;
}

/* O_NONBLOCK: should a fifo have taken the file's place, nobody waits for its writer. */
static int open_node(int dir_fd, const char *name, const struct stat *st)
{
	int flags = S_ISREG(st->st_mode) ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH;

	return openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
}

int diff_node_open(struct diff *diff, const struct diff_level *level, struct diff_node *node,
		   struct err *err)
{
	if (node->fd >= 0)
		return 0;
	node->fd = open_node(level->fd, node->name, &node->st);
	if (node->fd < 0)
		return err_sys(err, "open '%s'", diff->path.data);
	return diff_scan_upper(diff, node->fd, &node->xattrs, &node->marks, err);
}

int diff_read_link(const struct diff *diff, int dir_fd, const char *name, const struct stat *st,
		   struct strbuf *out, struct err *err)
{
	size_t room = st->st_size > 0 ? (size_t)st->st_size + 1 : 4096;

	for (;; room *= 2) {
		ssize_t n;

		strbuf_truncate(out, 0);
		strbuf_reserve(out, room);
		n = readlinkat(dir_fd, name, out->data, room);
		if (n < 0)
			return err_sys(err, "read link '%s'", diff->path.data);
		if ((size_t)n == room)
			continue;
		out->len = (size_t)n;
		out->data[n] = '\0';
		return 0;
	}
}

int diff_find_base(const struct diff *diff, const struct diff_level *level, const char *name,
		   struct diff_base *out, struct err *err)
{
	*out = (struct diff_base){ .dir_fd = level->lower_fd, .form = diff->lower_form };
	if (level->lower_fd >= 0) {
		if (record_stat(level->lower_fd, name, diff->options->ns, &out->st) == 0) {
			out->exists = true;
			return 0;
		}
		if (errno != ENOENT)
			return err_sys(err, "stat '%s' in the layers below", diff->path.data);
	}
	if (level->init_fd >= 0) {
		*out = (struct diff_base){ .dir_fd = level->init_fd, .form = diff->upper_form };
		if (record_stat(level->init_fd, name, diff->options->ns, &out->st) == 0)
			out->exists = out->is_init =
				!whiteout_is(level->init_fd, name, &out->st, diff->options->ns);
		else if (errno != ENOENT)
			return err_sys(err, "stat '%s' in the init layer", diff->path.data);
	}
	return 0;
}

static int same_target(struct diff *diff, const struct diff_level *level,
		       const struct diff_node *node, const struct diff_base *base, bool *out_same,
		       struct err *err)
{
	if (diff_read_link(diff, level->fd, node->name, &node->st, &diff->target, err) < 0)
		return -1;
	if (diff_read_link(diff, base->dir_fd, node->name, &base->st, &diff->base_target, err) < 0)
		return -1;
	*out_same = strcmp(diff->target.data, diff->base_target.data) == 0;
	return 0;
}

/* Where data goes on at or after @offset; a file system that knows no holes has it all over. */
static off_t next_data(int fd, off_t offset, off_t size)
{
	off_t at = lseek(fd, offset, SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? size : offset;
	return at;
}

static bool is_sparse(const struct stat *st)
{
	return st->st_blocks < st->st_size / 512;
}

static ssize_t pread_full(int fd, char *buf, size_t len, off_t offset)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = pread(fd, buf + have, len - have, offset + (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static int same_content(struct diff *diff, int upper_fd, int base_fd, const struct stat *st,
			bool *out_same, struct err *err)
{
	off_t at = 0;

	if (!diff->chunks)
		diff->chunks = mem_alloc(2 * DIFF_CHUNK_BYTES);
	while (at < st->st_size) {
		char *a = diff->chunks;
		char *b = diff->chunks + DIFF_CHUNK_BYTES;
		ssize_t m;
		ssize_t n;

		if (is_sparse(st)) {
			off_t x = next_data(upper_fd, at, st->st_size);
			off_t y = next_data(base_fd, at, st->st_size);

			at = x < y ? x : y;
		}
		m = pread_full(upper_fd, a, DIFF_CHUNK_BYTES, at);
		n = pread_full(base_fd, b, DIFF_CHUNK_BYTES, at);
		if (m < 0 || n < 0)
			return err_sys(err, "read '%s'", diff->path.data);
		*out_same = m == n && memcmp(a, b, (size_t)m) == 0;
		if (!*out_same || m == 0)
			return 0;
		at += m;
	}
	*out_same = true;
	return 0;
}

/* The position of the upper's file stays at 0: it is read with pread. */
static int same_inside(struct diff *diff, const struct diff_level *level, struct diff_node *node,
		       const struct diff_base *base, bool *out_same, struct err *err)
{
	auto_close int base_fd = open_node(base->dir_fd, node->name, &base->st);
	struct xattrs base_xattrs = { .items = NULL };

	if (base_fd < 0)
		return err_sys(err, "open '%s' in the layers below", diff->path.data);
	if (diff_node_open(diff, level, node, err) < 0)
		return -1;
	if (xattrs_scan(base_fd, base->form, &base_xattrs, NULL, diff->path.data, err) < 0) {
		xattrs_release(&base_xattrs);
		return -1;
	}
	*out_same = xattrs_equal(&node->xattrs, &base_xattrs);
	xattrs_release(&base_xattrs);
	if (!*out_same || !S_ISREG(node->st.st_mode))
		return 0;
	if (same_content(diff, node->fd, base_fd, &node->st, out_same, err) < 0)
		return -1;
	if (lseek(node->fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read '%s'", diff->path.data);
	return 0;
}

int diff_is_same_file(struct diff *diff, const struct diff_level *level, struct diff_node *node,
		      const struct diff_base *base, bool *out_same, struct err *err)
{
	*out_same = base->exists && diff_is_same_stat(diff, &node->st, &base->st);
	if (*out_same && S_ISLNK(node->st.st_mode) &&
	    same_target(diff, level, node, base, out_same, err) < 0)
		return -1;
	if (!*out_same)
		return 0;
	return same_inside(diff, level, node, base, out_same, err);
}

/*
 * The time of a directory that is the init layer's own means nothing: the
 * image has none to compare it with, and mount points come and go in it.
 */
int diff_is_same_directory(const struct diff *diff, const struct diff_level *level,
			   const struct diff_base *base, int base_fd, bool *out_same,
			   struct err *err)
{
	struct xattrs base_xattrs = { .items = NULL };
	int r;

	*out_same = same_owner_and_mode(&level->st, &base->st) &&
		    (base->is_init || same_mtime(diff, &level->st, &base->st));
	if (!*out_same)
		return 0;
	r = xattrs_scan(base_fd, base->form, &base_xattrs, NULL, diff_shown_path(diff), err);
	if (r == 0)
		*out_same = xattrs_equal(&level->xattrs, &base_xattrs);
	xattrs_release(&base_xattrs);
	return r;
}
