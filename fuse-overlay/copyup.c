/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a file of a lower layer becoming one of the upper: a whole copy is made in the work
 * directory and moved to where it belongs by one rename.
 */
#include "fuse-overlay/copyup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "fuse-overlay/attr.h"
#include "fuse-overlay/marks.h"
#include "fuse-overlay/place.h"

const char *work_name(struct overlay *overlay, char *buf)
{
	snprintf(buf, WORK_NAME_MAX, "#%llx",
		 (unsigned long long)atomic_fetch_add(&overlay->work_seq, 1));
	return buf;
}

/* ---- making the same again ------------------------------------------------------------ */

/* Reads without a trace of it, where that may be asked for. */
static int open_from(const struct where *from)
{
	int fd = where_open(from, O_RDONLY | O_NONBLOCK | O_NOATIME);

	return fd == -EPERM ? where_open(from, O_RDONLY | O_NONBLOCK) : fd;
}

static int copy_bytes(int from_fd, int to_fd, const struct stat *st, uint64_t limit)
{
	struct err err = ERR_INIT;
	int r = limit < (uint64_t)st->st_size ?
			fd_copy(from_fd, to_fd, limit, NULL, "copy-up", &err) :
			fd_copy_file(from_fd, to_fd, st, "copy-up", &err);

	if (r < 0)
		return err.sys_errno ? -err.sys_errno : -EIO;
	return 0;
}

static int copy_content(const struct overlay *overlay, const struct where *from, int to_fd,
			const struct stat *st, uint64_t limit)
{
	auto_close int from_fd = -1;
	int r;

	if (limit == 0 || st->st_size == 0)
		return 0;
	from_fd = open_from(from);
	if (from_fd < 0)
		return from_fd;
	/* a sync costs more than all the rest, and a clone needs none */
	if (limit >= (uint64_t)st->st_size && fd_clone(from_fd, to_fd))
		return 0;
	r = copy_bytes(from_fd, to_fd, st, limit);
	if (r < 0)
		return r;
	/* the name must not become visible before what it names, should the power fail */
	return !overlay->options->no_sync && fdatasync(to_fd) < 0 ? -errno : 0;
}

static int make_regular(struct overlay *overlay, const struct where *from, const char *name,
			const struct stat *st, uint64_t limit)
{
	auto_close int fd = openat(overlay->work_fd, name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : copy_content(overlay, from, fd, st, limit);
}

static int make_symlink(struct overlay *overlay, const struct where *from, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(from->fd, from->name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	return symlinkat(target, overlay->work_fd, name) < 0 ? -errno : 0;
}

static int make_like(struct overlay *overlay, const struct where *from, const char *name,
		     const struct stat *st, uint64_t limit)
{
	int r = 0;

	if (S_ISREG(st->st_mode))
		return make_regular(overlay, from, name, st, limit);
	if (S_ISLNK(st->st_mode))
		return make_symlink(overlay, from, name);
	if (S_ISDIR(st->st_mode))
		r = mkdirat(overlay->work_fd, name, 0700);
	else
		r = mknodat(overlay->work_fd, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev);
	return r < 0 ? -errno : 0;
}

/* ---- what else there is to a file --------------------------------------------------------- */

static int copy_xattr(const struct where *from, const struct where *to, const char *name)
{
	auto_free char *value = mem_alloc(XATTR_SIZE_MAX);
	ssize_t len = where_getxattr(from, name, value, XATTR_SIZE_MAX);
	int r;

	if (len < 0)
		return len == -ENODATA ? 0 : (int)len;
	r = where_setxattr(to, name, value, (size_t)len, 0);
	/* the host's labels, and what only the host's root may set, stay behind */
	return r == -ENOTSUP || r == -EPERM ? 0 : r;
}

/* Marks speak of the place, owners in an attribute of the file. Labels are the host's. */
static bool is_of_file(const struct overlay *overlay, const char *name)
{
	return stat_override_is_name(name) ||
	       (!mark_is_private(overlay, name) && strcmp(name, "security.selinux") != 0);
}

static int copy_xattrs(const struct overlay *overlay, const struct where *from,
		       const struct where *to)
{
	auto_free char *list = NULL;
	ssize_t len = where_listxattr(from, &list);
	int r = 0;

	if (len < 0)
		return len == -ENOTSUP ? 0 : (int)len;
	for (const char *name = list; r == 0 && name < list + len; name += strlen(name) + 1)
		if (is_of_file(overlay, name))
			r = copy_xattr(from, to, name);
	return r;
}

static int copy_owner(struct overlay *overlay, const struct where *to, const struct stat *st)
{
	struct stat made;

	if (fstatat(to->fd, to->name, &made, to->flags) < 0)
		return -errno;
	if (made.st_uid == st->st_uid && made.st_gid == st->st_gid)
		return 0;
	if (fchownat(to->fd, to->name, st->st_uid, st->st_gid, to->flags) == 0)
		return 0;
	/* who cannot have an owner shows one that is made up */
	if (mapping_squashes(&overlay->options->mapping) ||
	    overlay->permissions != XATTR_PERMISSIONS_NONE)
		return 0;
	return -errno;
}

static int copy_metadata(struct overlay *overlay, const struct where *from, const char *name,
			 const struct stat *st)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };
	const struct where to = { .fd = overlay->work_fd,
				  .name = name,
				  .flags = AT_SYMLINK_NOFOLLOW };
	char path[WHERE_PATH_MAX];
	int r = copy_owner(overlay, &to, st);

	if (r < 0)
		return r;
	if (!S_ISLNK(st->st_mode) && chmod(where_path(&to, path), st->st_mode & 07777) < 0)
		return -errno;
	r = overlay->options->no_xattrs ? 0 : copy_xattrs(overlay, from, &to);
	if (r < 0)
		return r;
	if (!S_ISDIR(st->st_mode) && st->st_nlink == 1)
		mark_set_origin(overlay, where_path(&to, path), st->st_dev, st->st_ino);
	return utimensat(to.fd, to.name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* ---- moving it to its place ----------------------------------------------------------------- */

static void now_upper(struct node *node)
{
	atomic_store_explicit(&node->is_upper, true, memory_order_release);
}

/* A file that has no name any more has none in the upper either. */
static int move_nameless(struct overlay *overlay, struct node *node, const char *name)
{
	int fd = openat(overlay->work_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	unlinkat(overlay->work_fd, name, S_ISDIR(node->type) ? AT_REMOVEDIR : 0);
	fd = atomic_exchange(&node->fd, fd);
	now_upper(node);
	close(fd);
	return 0;
}

static int move_into_place(struct overlay *overlay, struct node *node, const char *name)
{
	auto_place struct place place = PLACE_INIT;
	const struct name *to = node->names;
	struct timespec times[2];
	struct stat st;
	int r;

	if (!to)
		return move_nameless(overlay, node, name);
	r = place_get(overlay, to->parent, 0, &place);
	if (r < 0)
		return r;
	if (fstat(place.fd, &st) < 0)
		return -errno;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	dir_change_begin(to->parent);
	r = renameat(overlay->work_fd, name, place.fd, to->text) < 0 ? -errno : 0;
	if (r == 0)
		now_upper(node);
	dir_change_end(to->parent, 0);
	if (r < 0)
		return r;
	/* to whoever looks, nothing happened in that directory */
	utimensat(place.fd, "", times, AT_EMPTY_PATH);
	return 0;
}

/* The other names stay in the lower layer, and the number with them: this is another file now. */
static void part_from_links(struct overlay *overlay, struct node *node)
{
	auto_where struct where where = WHERE_INIT;
	struct stat st;

	if (where_get(overlay, node, &where) == 0 &&
	    fstatat(where.fd, where.name, &st, where.flags) == 0)
		node->ino = attr_ino(overlay, &overlay->layers[0], st.st_ino);
}

/* The latch is held, and the parent is in the upper. */
static int copy_up_one(struct overlay *overlay, struct node *node, uint64_t limit)
{
	auto_where struct where from = WHERE_INIT;
	char name[WORK_NAME_MAX];
	struct stat st;
	int r = where_get(overlay, node, &from);

	if (r < 0)
		return r;
	if (fstatat(from.fd, from.name, &st, from.flags) < 0)
		return -errno;
	attr_unshift(overlay, node_layer(node), &st);
	work_name(overlay, name);
	r = make_like(overlay, &from, name, &st, limit);
	if (r == 0)
		r = copy_metadata(overlay, &from, name, &st);
	if (r == 0)
		r = move_into_place(overlay, node, name);
	if (r == 0 && !S_ISDIR(st.st_mode) && st.st_nlink > 1)
		part_from_links(overlay, node);
	if (r < 0)
		unlinkat(overlay->work_fd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
	return r;
}

int copyup(struct overlay *overlay, struct node *node, uint64_t limit)
{
	struct node *parent;
	int r = 0;

	if (!overlay->has_upper || overlay->options->is_read_only)
		return -EROFS;
	if (node_is_upper(node))
		return 0;
	parent = node_parent(overlay, node);
	if (parent) {
		r = copyup(overlay, parent, COPYUP_ALL);
		node_drop(overlay, parent, 1);
	}
	if (r < 0)
		return r;
	latch_lock(&node->latch);
	if (!node_is_upper(node))
		r = copy_up_one(overlay, node, limit);
	latch_unlock(&node->latch);
	return r;
}
