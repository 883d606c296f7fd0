/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for files that are open: opened in the layer where they are, after a copy-up if they shall be written, and
 * again in the upper when they were copied up meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "fuse-overlay/attr.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/handle.h"
#include "fuse-overlay/place.h"

static void handle_link(struct overlay *overlay, struct handle *handle)
{
	auto_latch struct latch *held = latch_hold(&overlay->handles_latch);

	handle->next = overlay->handles;
	handle->at = &overlay->handles;
	if (handle->next)
		handle->next->at = &handle->next;
	overlay->handles = handle;
}

static void handle_unlink(struct overlay *overlay, struct handle *handle)
{
	auto_latch struct latch *held = latch_hold(&overlay->handles_latch);

	*handle->at = handle->next;
	if (handle->next)
		handle->next->at = handle->at;
}

struct handle *handle_new(struct overlay *overlay, struct node *node, int fd, int flags)
{
	struct handle *handle = mem_alloc(sizeof(*handle));

	handle->holds = 1;
	handle->node = node_hold(node);
	handle->fd = fd;
	handle->stale_fd = -1;
	handle->flags = flags;
	handle->is_upper = node_is_upper(node);
	handle_link(overlay, handle);
	return handle;
}

static void handle_free(struct overlay *overlay, struct handle *handle)
{
	handle_unlink(overlay, handle);
	close(handle->fd);
	if (handle->stale_fd >= 0)
		close(handle->stale_fd);
	node_drop(overlay, handle->node, 1);
	free(handle);
}

void handles_free(struct overlay *overlay)
{
	while (overlay->handles)
		handle_free(overlay, overlay->handles);
}

static int file_flags(const struct overlay *overlay, int flags)
{
	flags &= ~(O_CREAT | O_EXCL | O_NOCTTY | O_NOFOLLOW | O_DIRECT);
	flags |= O_NONBLOCK; /* it may be a device or a pipe by now, which would block us */
	if (!overlay->options->no_writeback && (flags & O_ACCMODE) == O_WRONLY)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	/* the kernel knows where the end is, and says where to write */
	return flags & ~O_APPEND;
}

static int open_where(struct overlay *overlay, struct node *node, int flags)
{
	auto_where struct where where = WHERE_INIT;
	int kept = file_flags(overlay, flags);
	int fd = where_get(overlay, node, &where);

	if (fd < 0)
		return fd;
	fd = where_open(&where, kept);
	/* reading is wanted only to fill pages around what is written */
	if (fd == -EACCES && (flags & O_ACCMODE) == O_WRONLY)
		fd = where_open(&where, (kept & ~O_ACCMODE) | O_WRONLY);
	return fd;
}

int overlay_file_open(struct overlay *overlay, const struct caller *caller, struct node *node,
		      int flags, struct handle **out)
{
	int r = 0;
	int fd;

	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		r = copyup(overlay, node, flags & O_TRUNC ? 0 : COPYUP_ALL);
	if (r < 0)
		return r;
	latch_lock(&node->latch);
	fd = open_where(overlay, node, flags);
	if (fd >= 0)
		*out = handle_new(overlay, node, fd, flags & ~O_TRUNC);
	latch_unlock(&node->latch);
	if (fd < 0)
		return fd;
	if (flags & O_TRUNC)
		r = overlay_file_drop_setid(overlay, caller, *out);
	if (r < 0)
		overlay_file_close(overlay, *out);
	return r;
}

void overlay_file_hold(struct handle *handle)
{
	atomic_fetch_add_explicit(&handle->holds, 1, memory_order_relaxed);
}

void overlay_file_close(struct overlay *overlay, struct handle *handle)
{
	if (atomic_fetch_sub_explicit(&handle->holds, 1, memory_order_acq_rel) == 1)
		handle_free(overlay, handle);
}

/* The old descriptor stays: another thread may be reading from it. */
static int reopen_upper(struct overlay *overlay, struct handle *handle)
{
	auto_latch struct latch *held = latch_hold(&handle->node->latch);
	int fd;

	if (handle->is_upper)
		return handle->fd;
	fd = open_where(overlay, handle->node, handle->flags);
	if (fd < 0)
		return fd;
	handle->stale_fd = handle->fd;
	handle->fd = fd;
	handle->is_upper = true;
	return fd;
}

int overlay_file_fd(struct overlay *overlay, struct handle *handle)
{
	if (!handle->is_upper && node_is_upper(handle->node))
		return reopen_upper(overlay, handle);
	return handle->fd;
}

/*
 * Who is root may keep them: the kernel, which knows all about the caller, would not have cleared
 * them. Capabilities are dropped by the file system below whoever writes.
 */
int overlay_file_drop_setid(struct overlay *overlay, const struct caller *caller,
			    struct handle *handle)
{
	struct stat st;
	mode_t drop = S_ISUID;

	if (caller->uid == 0)
		return 0;
	if (fstat(handle->fd, &st) < 0)
		return -errno;
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		drop |= S_ISGID;
	if (!(st.st_mode & drop))
		return 0;
	return fchmod(handle->fd, st.st_mode & 07777 & ~drop) < 0 ? -errno : 0;
}

static int sync_fd(int fd, bool data_only)
{
	return (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

int overlay_fsync(struct overlay *overlay, struct handle *handle, bool data_only)
{
	int fd;

	if (overlay->options->no_sync || !node_is_upper(handle->node))
		return 0;
	fd = overlay_file_fd(overlay, handle);
	return fd < 0 ? fd : sync_fd(fd, data_only);
}

int overlay_fsyncdir(struct overlay *overlay, struct node *node, bool data_only)
{
	auto_where struct where where = WHERE_INIT;
	auto_close int fd = -1;
	int r;

	if (overlay->options->no_sync || !node_is_upper(node))
		return 0;
	r = where_get(overlay, node, &where);
	if (r < 0)
		return r;
	fd = where_open(&where, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? fd : sync_fd(fd, data_only);
}

int overlay_readlink(struct overlay *overlay, struct node *node, char **out)
{
	auto_latch struct latch *held = latch_hold(&node->latch);
	auto_where struct where where = WHERE_INIT;
	char target[PATH_MAX];
	ssize_t len;
	int r = where_get(overlay, node, &where);

	if (r < 0)
		return r;
	len = readlinkat(where.fd, where.name, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	*out = str_ndup(target, (size_t)len);
	return 0;
}
