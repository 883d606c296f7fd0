/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for files that are open: which of them the kernel reads and writes by itself, and whose
 * pages it may keep.
 */
#include <errno.h>

#include "fuse-overlay/handle.h"
#include "fuse-overlay/ops-internal.h"

static struct handle *handle_of(const struct fuse_file_info *file)
{
	return (struct handle *)file->fh; /* NOLINT: it is what op_open put there */
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	struct overlay *overlay = overlay_of(req);
	const struct caller caller = caller_of(req);
	struct handle *handle = NULL;
	int r = overlay_file_open(overlay, &caller, node_of(req, ino), file->flags, &handle);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	file->fh = (uint64_t)handle;
	file->keep_cache = 1;
	if (fuse_reply_open(req, file) < 0)
		overlay_file_close(overlay, handle);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	overlay_file_close(overlay_of(req), handle_of(file));
	fuse_reply_err(req, 0);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *file)
{
	struct fuse_bufvec data = FUSE_BUFVEC_INIT(size);
	int fd = overlay_file_fd(overlay_of(req), handle_of(file));

	if (fd < 0) {
		fuse_reply_err(req, -fd);
		return;
	}
	data.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	data.buf[0].fd = fd;
	data.buf[0].pos = offset;
	fuse_reply_data(req, &data, FUSE_BUF_SPLICE_MOVE);
}
