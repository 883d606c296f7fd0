/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for changes of a file's attributes, which the file system below carries out, with all
 * that this entails there: set-id bits and capabilities that go with an owner, ACL masks.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/fd.h"
#include "fuse-overlay/attr.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/handle.h"
#include "fuse-overlay/place.h"

/* A change under way: the latch is held, the file is in the upper. */
struct change_work {
	struct overlay *overlay;
	const struct caller *caller;
	struct node *node;
	struct handle *handle;
	unsigned int changes;
	const struct stat *to;
	struct where where;
};

static bool can_write(const struct handle *handle)
{
	return handle && (handle->flags & O_ACCMODE) != O_RDONLY && handle->is_upper;
}

/* As a write by somebody who may not keep them takes the set-id bits away. */
static int drop_setid(const struct change_work *work, int fd)
{
	mode_t drop = S_ISUID;
	struct stat st;

	if (work->caller->uid == 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_mode & S_IXGRP)
		drop |= S_ISGID;
	if (!(st.st_mode & drop))
		return 0;
	return fchmod(fd, st.st_mode & 07777 & ~drop) < 0 ? -errno : 0;
}

static int set_size(struct change_work *work)
{
	auto_close int opened = -1;
	int fd;

	if (can_write(work->handle)) {
		fd = work->handle->fd;
	} else {
		opened = where_open(&work->where, O_WRONLY | O_NONBLOCK);
		fd = opened;
	}
	if (fd < 0)
		return fd;
	if (ftruncate(fd, work->to->st_size) < 0)
		return -errno;
	return drop_setid(work, fd);
}

/* Owner and mode in an attribute, where the file system does not let us set them. */
static int set_override(struct change_work *work)
{
	auto_close int fd = -1;
	struct stat st;
	uid_t uid = work->changes & CHANGE_UID ? work->to->st_uid : ID_NONE;
	gid_t gid = work->changes & CHANGE_GID ? work->to->st_gid : ID_NONE;
	int r = attr_load(work->overlay, work->where.fd, work->where.name, work->where.flags, &st);

	if (r < 0)
		return r;
	mapping_store(&work->overlay->options->mapping, &uid, &gid);
	if (uid != ID_NONE)
		st.st_uid = uid;
	if (gid != ID_NONE)
		st.st_gid = gid;
	if (work->changes & CHANGE_MODE)
		st.st_mode = (st.st_mode & S_IFMT) | (work->to->st_mode & 07777);
	else if (S_ISREG(st.st_mode))
		st.st_mode &= ~(mode_t)(S_ISUID | (st.st_mode & S_IXGRP ? S_ISGID : 0));
	fd = where_open(&work->where, O_PATH);
	return fd < 0 ? fd : stat_override_save(fd, work->overlay->permissions, &st);
}

static int set_mode(struct change_work *work)
{
	char path[WHERE_PATH_MAX];

	if (S_ISLNK(work->node->type))
		return -EOPNOTSUPP;
	return chmod(where_path(&work->where, path), work->to->st_mode & 07777) < 0 ? -errno : 0;
}

static int set_owner(struct change_work *work)
{
	const struct mapping *mapping = &work->overlay->options->mapping;
	uid_t uid = work->changes & CHANGE_UID ? work->to->st_uid : ID_NONE;
	gid_t gid = work->changes & CHANGE_GID ? work->to->st_gid : ID_NONE;

	mapping_store(mapping, &uid, &gid);
	if (fchownat(work->where.fd, work->where.name, uid, gid, work->where.flags) == 0)
		return 0;
	return mapping_squashes(mapping) ? 0 : -errno;
}

static struct timespec time_of(unsigned int changes, unsigned int given, unsigned int now,
			       struct timespec to)
{
	if (changes & now)
		to.tv_nsec = UTIME_NOW;
	else if (!(changes & given))
		to.tv_nsec = UTIME_OMIT;
	return to;
}

static int set_times(struct change_work *work)
{
	const struct timespec times[] = {
		time_of(work->changes, CHANGE_ATIME, CHANGE_ATIME_NOW, work->to->st_atim),
		time_of(work->changes, CHANGE_MTIME, CHANGE_MTIME_NOW, work->to->st_mtim),
	};

	return utimensat(work->where.fd, work->where.name, times, work->where.flags) < 0 ? -errno :
											     0;
}

static int apply(struct change_work *work)
{
	static const struct {
		unsigned int changes;
		bool is_kept_in_override;
		int (*set)(struct change_work *work);
	} steps[] = {
		/* a change of the owner clears bits of the mode, one of the size sets a time */
		{ CHANGE_UID | CHANGE_GID, true, set_owner },
		{ CHANGE_MODE, true, set_mode },
		{ CHANGE_SIZE, false, set_size },
		{ CHANGE_ATIME | CHANGE_MTIME | CHANGE_ATIME_NOW | CHANGE_MTIME_NOW, false,
		  set_times },
	};
	bool overrides = work->overlay->permissions != XATTR_PERMISSIONS_NONE;
	int r = 0;

	if (overrides && (work->changes & (CHANGE_UID | CHANGE_GID | CHANGE_MODE)))
		r = set_override(work);
	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		if ((work->changes & steps[i].changes) &&
		    !(overrides && steps[i].is_kept_in_override))
			r = steps[i].set(work);
	return r;
}

int overlay_setattr(struct overlay *overlay, const struct caller *caller, struct node *node,
		    struct handle *handle, unsigned int changes, const struct stat *to,
		    struct stat *out)
{
	struct change_work work = { .overlay = overlay,
				    .caller = caller,
				    .node = node,
				    .handle = handle,
				    .changes = changes,
				    .to = to,
				    .where = WHERE_INIT };
	uint64_t limit = changes & CHANGE_SIZE ? (uint64_t)to->st_size : COPYUP_ALL;
	int r = copyup(overlay, node, limit);

	if (r < 0)
		return r;
	latch_lock(&node->latch);
	r = where_get(overlay, node, &work.where);
	if (r == 0)
		r = apply(&work);
	if (r == 0)
		r = attr_get(overlay, node, out);
	latch_unlock(&node->latch);
	where_release(&work.where);
	return r;
}
