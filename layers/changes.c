/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the differences of two merged trees. It walks the names that the
 * layers between them speak of, and looks each one up in both.
 */
#include "layers/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/record.h"
#include "layers/walk-internal.h"
#include "layers/whiteout.h"
#include "layers/xattrs-internal.h"

#define DEPTH_MAX       2048 /* more components than the longest path has */
#define CHUNK_BYTES     ((size_t)128 * 1024)
#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

enum side {
	SIDE_OLD,
	SIDE_NEW,
	SIDES,
};

struct changes {
	change_fn fn;
	void *context;
	enum overlay_ns ns;
	struct strbuf path;
	char *chunks; /* two, when content was compared */
	size_t depth;
};

/* One directory in both trees and in the layers that have it. */
struct place {
	int fds[SIDES]; /* -1: it is not there */
	int *layers;
	size_t layer_count;
	bool is_whole; /* the layers do not bound what can differ below */
};

struct found {
	bool exists[SIDES];
	struct stat st[SIDES];
};

const char *change_field_name(unsigned index)
{
	static const char *const names[CHANGE_FIELD_COUNT] = { "type",  "content", "mode",
							       "owner", "mtime",   "xattrs" };

	return names[index];
}

static void place_release(struct place *place)
{
	fd_close(&place->fds[SIDE_OLD]);
	fd_close(&place->fds[SIDE_NEW]);
	for (size_t i = 0; i < place->layer_count; i++)
		fd_close(&place->layers[i]);
	free(place->layers);
}

/* ---- one file ---- */

static int same_bytes(struct changes *changes, int a_fd, int b_fd, bool *out, struct err *err)
{
	const char *path = changes->path.data;
	ssize_t n;
	ssize_t m;

	if (!changes->chunks)
		changes->chunks = mem_alloc(2 * CHUNK_BYTES);
	do {
		n = fd_read_full(a_fd, changes->chunks, CHUNK_BYTES, path, err);
		m = n < 0 ? -1
			  : fd_read_full(b_fd, changes->chunks + CHUNK_BYTES, CHUNK_BYTES, path,
					 err);
		if (m < 0)
			return -1;
		*out = n == m &&
		       memcmp(changes->chunks, changes->chunks + CHUNK_BYTES, (size_t)n) == 0;
	} while (*out && n > 0);
	return 0;
}

/* One inode of the same layer, seen through two mounts. */
static bool is_same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int same_link(struct changes *changes, const struct place *place, const char *name,
		     const struct found *found, bool *out, struct err *err)
{
	size_t room = (size_t)found->st[SIDE_OLD].st_size + 1;
	auto_free char *a = mem_alloc(room);
	auto_free char *b = mem_alloc(room);
	ssize_t n = readlinkat(place->fds[SIDE_OLD], name, a, room);
	ssize_t m = readlinkat(place->fds[SIDE_NEW], name, b, room);

	if (n < 0 || m < 0)
		return err_sys(err, "read the link '%s'", changes->path.data);
	*out = n == m && memcmp(a, b, (size_t)n) == 0;
	return 0;
}

static int same_content(struct changes *changes, const struct place *place, const char *name,
			const struct found *found, bool *out, struct err *err)
{
	const struct stat *a = &found->st[SIDE_OLD];
	const struct stat *b = &found->st[SIDE_NEW];
	auto_close int a_fd = -1;
	auto_close int b_fd = -1;

	if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) {
		*out = a->st_rdev == b->st_rdev;
		return 0;
	}
	*out = S_ISDIR(a->st_mode) || S_ISFIFO(a->st_mode);
	if (*out || a->st_size != b->st_size)
		return 0;
	if (S_ISLNK(a->st_mode))
		return same_link(changes, place, name, found, out, err);
	*out = a->st_size == 0 || is_same_inode(a, b);
	if (*out || !S_ISREG(a->st_mode))
		return 0;
	a_fd = openat(place->fds[SIDE_OLD], name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	b_fd = openat(place->fds[SIDE_NEW], name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (a_fd < 0 || b_fd < 0)
		return err_sys(err, "open '%s'", changes->path.data);
	return same_bytes(changes, a_fd, b_fd, out, err);
}

static int same_xattrs(struct changes *changes, const struct place *place, const char *name,
		       bool *out, struct err *err)
{
	struct xattrs xattrs[SIDES] = { { .items = NULL } };
	int result = 0;

	for (int side = 0; side < SIDES && result == 0; side++) {
		auto_close int fd = openat(place->fds[side], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			result = err_sys(err, "open '%s'", changes->path.data);
		else
			result = xattrs_scan(fd, XATTR_FORM_MERGED, &xattrs[side], NULL,
					     changes->path.data, err);
	}
	*out = xattrs_equal(&xattrs[SIDE_OLD], &xattrs[SIDE_NEW]);
	xattrs_release(&xattrs[SIDE_OLD]);
	xattrs_release(&xattrs[SIDE_NEW]);
	return result;
}

static int compare(struct changes *changes, const struct place *place, const char *name,
		   const struct found *found, unsigned *out_fields, struct err *err)
{
	const struct stat *a = &found->st[SIDE_OLD];
	const struct stat *b = &found->st[SIDE_NEW];
	bool same = true;

	*out_fields = 0;
	if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT)) {
		*out_fields = CHANGE_TYPE;
		return 0;
	}
	if (same_content(changes, place, name, found, &same, err) < 0)
		return -1;
	*out_fields |= same ? 0 : CHANGE_CONTENT;
	if (same_xattrs(changes, place, name, &same, err) < 0)
		return -1;
	*out_fields |= same ? 0 : CHANGE_XATTRS;
	if ((a->st_mode & 07777) != (b->st_mode & 07777))
		*out_fields |= CHANGE_MODE;
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		*out_fields |= CHANGE_OWNER;
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		*out_fields |= CHANGE_MTIME;
	return 0;
}

static int tell(struct changes *changes, const struct place *place, const char *name,
		const struct found *found, struct err *err)
{
	struct change change = { .path = changes->path.data };

	if (found->exists[SIDE_OLD]) {
		change.old_mode = found->st[SIDE_OLD].st_mode;
		if (S_ISREG(change.old_mode))
			change.old_bytes = (uint64_t)found->st[SIDE_OLD].st_size;
	}
	if (found->exists[SIDE_NEW]) {
		change.new_mode = found->st[SIDE_NEW].st_mode;
		if (S_ISREG(change.new_mode))
			change.new_bytes = (uint64_t)found->st[SIDE_NEW].st_size;
	}
	if (found->exists[SIDE_OLD] && found->exists[SIDE_NEW]) {
		change.kind = CHANGE_CHANGED;
		if (compare(changes, place, name, found, &change.fields, err) < 0)
			return -1;
		if (change.fields == 0)
			return 0;
	} else {
		change.kind = found->exists[SIDE_OLD] ? CHANGE_DELETED : CHANGE_ADDED;
	}
	return changes->fn(changes->context, &change, err);
}

/* ---- directories ---- */

static int find(const struct changes *changes, const struct place *place, const char *name,
		struct found *out, struct err *err)
{
	for (int side = 0; side < SIDES; side++) {
		int r = -1;

		errno = ENOENT;
		if (place->fds[side] >= 0)
			r = record_stat(place->fds[side], name, changes->ns, &out->st[side]);
		if (r < 0 && errno != ENOENT)
			return err_sys(err, "stat '%s'", changes->path.data);
		/* a deletion of a mount's only layer may show its mark */
		out->exists[side] =
			r == 0 && !whiteout_is(place->fds[side], name, &out->st[side], changes->ns);
	}
	return 0;
}

static int add_names(struct changes *changes, int dir_fd, struct strlist *out, struct err *err)
{
	auto_dir_names struct dir_names names = DIR_NAMES_INIT;

	if (dir_fd < 0)
		return 0;
	if (dir_names_read(dir_fd, &names, changes->path.data, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		strlist_add(out, dir_names_at(&names, i));
	return 0;
}

/* All that can differ, in order; a name may be there several times. */
static int list(struct changes *changes, const struct place *place, struct strlist *out,
		struct err *err)
{
	for (size_t i = 0; i < place->layer_count && !place->is_whole; i++)
		if (add_names(changes, place->layers[i], out, err) < 0)
			return -1;
	for (int side = 0; side < SIDES && place->is_whole; side++)
		if (add_names(changes, place->fds[side], out, err) < 0)
			return -1;
	strlist_sort(out);
	return 0;
}

/* The layers that have directory @name; one that has something else there hides all below it. */
static int enter_layers(struct changes *changes, const struct place *place, const char *name,
			struct place *out, struct err *err)
{
	out->is_whole = place->is_whole;
	for (size_t i = 0; i < place->layer_count && !out->is_whole; i++) {
		int fd = openat(place->layers[i], name, DIRECTORY_FLAGS);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENXIO)) {
			out->is_whole = true;
			return 0;
		}
		if (fd < 0)
			return err_sys(err, "open directory '%s'", changes->path.data);
		out->layers = mem_resize(out->layers, out->layer_count + 1, sizeof(int));
		out->layers[out->layer_count++] = fd;
		if (opaque_get(fd, changes->ns, &out->is_whole, err) < 0)
			return -1;
	}
	return 0;
}

static int visit(struct changes *changes, const struct place *place, struct err *err);

static int descend(struct changes *changes, const struct place *place, const char *name,
		   const struct found *found, struct err *err)
{
	__attribute__((cleanup(place_release))) struct place inner = { .fds = { -1, -1 } };
	int result;

	if (changes->depth >= DEPTH_MAX)
		return err_set(err, ERR_INPUT, "'%.200s…' is nested deeper than %d directories",
			       changes->path.data, DEPTH_MAX);
	for (int side = 0; side < SIDES; side++) {
		if (!found->exists[side] || !S_ISDIR(found->st[side].st_mode))
			continue;
		inner.fds[side] = openat(place->fds[side], name, DIRECTORY_FLAGS);
		if (inner.fds[side] < 0)
			return err_sys(err, "open directory '%s'", changes->path.data);
	}
	if (inner.fds[SIDE_OLD] < 0 && inner.fds[SIDE_NEW] < 0)
		return 0;
	if (enter_layers(changes, place, name, &inner, err) < 0)
		return -1;
	changes->depth++;
	result = visit(changes, &inner, err);
	changes->depth--;
	return result;
}

static int visit_name(struct changes *changes, const struct place *place, const char *name,
		      struct err *err)
{
	size_t len = changes->path.len;
	struct found found;
	int result;

	if (len > 0)
		strbuf_putc(&changes->path, '/');
	strbuf_puts(&changes->path, name);
	result = find(changes, place, name, &found, err);
	if (result == 0 && (found.exists[SIDE_OLD] || found.exists[SIDE_NEW])) {
		result = tell(changes, place, name, &found, err);
		if (result == 0)
			result = descend(changes, place, name, &found, err);
	}
	strbuf_truncate(&changes->path, len);
	return result;
}

static int visit(struct changes *changes, const struct place *place, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (list(changes, place, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		if (i > 0 && strcmp(names.items[i], names.items[i - 1]) == 0)
			continue;
		if (visit_name(changes, place, names.items[i], err) < 0)
			return -1;
	}
	return 0;
}

/* A mount's own descriptor does not read: opened anew. */
static int open_roots(const struct changes_input *input, struct place *out, struct err *err)
{
	out->fds[SIDE_OLD] = openat(input->old_fd, ".", DIRECTORY_FLAGS);
	out->fds[SIDE_NEW] = openat(input->new_fd, ".", DIRECTORY_FLAGS);
	if (out->fds[SIDE_OLD] < 0 || out->fds[SIDE_NEW] < 0)
		return err_sys(err, "open '/'");
	out->is_whole = input->layer_count == 0;
	for (size_t i = 0; i < input->layer_count && !out->is_whole; i++) {
		int fd = openat(input->layers[i], ".", DIRECTORY_FLAGS);

		if (fd < 0)
			return err_sys(err, "open a layer");
		out->layers = mem_resize(out->layers, i + 1, sizeof(int));
		out->layers[out->layer_count++] = fd;
		if (opaque_get(fd, input->ns, &out->is_whole, err) < 0)
			return -1;
	}
	return 0;
}

int changes_find(const struct changes_input *input, change_fn fn, void *context, struct err *err)
{
	__attribute__((cleanup(place_release))) struct place root = { .fds = { -1, -1 } };
	struct changes changes = { .fn = fn, .context = context, .ns = input->ns };
	int result;

	changes.path = (struct strbuf)STRBUF_INIT;
	result = open_roots(input, &root, err);
	if (result == 0)
		result = visit(&changes, &root, err);
	strbuf_release(&changes.path);
	free(changes.chunks);
	return result;
}
