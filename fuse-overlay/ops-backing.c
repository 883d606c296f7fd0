/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which open files the kernel reads and writes without us. Its rule is one way for all
 * that have a file open at the same time, so the first one decides until the last one closes.
 *
 * A file of a lower layer goes the short way only where there is no upper: else it may be copied up
 * while somebody reads it, who then must see what is written to the upper. Nothing takes a file back
 * from the kernel that it was given.
 */
#include <fcntl.h>

#include "fuse-overlay/handle.h"
#include "fuse-overlay/ops-internal.h"
#include "fuse-overlay/session.h"

/* What the kernel writes by itself is written as us, who may keep set-id bits: that would be wrong. */
static bool needs_us(const struct handle *handle)
{
	struct stat st;

	return (handle->flags & O_ACCMODE) != O_RDONLY &&
	       (fstat(handle->fd, &st) < 0 || (st.st_mode & (S_ISUID | S_ISGID)));
}

static int open_backing(struct ops_context *context, const struct handle *handle)
{
	struct session *session = context->session;
	bool may_change_place = !handle->is_upper && overlay_is_writable(context->overlay);
	int id;

	if (!session_has_passthrough(session) || may_change_place || needs_us(handle))
		return 0;
	id = session_backing_open(session, handle->fd);
	return id > 0 ? id : 0;
}

int backing_choose(struct ops_context *context, struct handle *handle)
{
	struct node *node = handle->node;
	auto_latch struct latch *held = latch_hold(&node->latch);
	struct file_state *file = node_file_state(node);

	if (file->cached == 0 && file->direct == 0)
		file->backing_id = open_backing(context, handle);
	handle->is_direct = file->backing_id > 0;
	if (handle->is_direct)
		file->direct++;
	else
		file->cached++;
	return file->backing_id;
}

void backing_release(struct ops_context *context, struct handle *handle)
{
	struct node *node = handle->node;
	auto_latch struct latch *held = latch_hold(&node->latch);
	struct file_state *file = node->file;

	if (handle->is_direct)
		file->direct--;
	else
		file->cached--;
	if (file->direct > 0 || file->cached > 0)
		return;
	if (file->backing_id > 0)
		session_backing_close(context->session, file->backing_id);
	file->backing_id = 0;
	node_file_settle(node);
}
