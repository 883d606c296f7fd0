/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for files that are open: which of them the kernel reads and writes by itself, and whose
 * pages it may keep.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "fuse-overlay/handle.h"
#include "fuse-overlay/kept.h"
#include "fuse-overlay/ops-internal.h"
#include "fuse-overlay/session.h"

struct handle *handle_of(const struct fuse_file_info *file)
{
	return (struct handle *)file->fh; /* NOLINT: it is what op_open put there */
}

/*
 * A handle in use by a request. The kernel asks for its release after the last reply; the request
 * itself may end a moment later, and the last one closes.
 */
struct use {
	struct overlay *overlay;
	struct handle *handle;
	int error; /* why there is none */
};

#define auto_use __attribute__((cleanup(use_end)))

static struct use use_begin(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *file,
			    bool to_write)
{
	struct ops_context *context = context_of(req);
	struct use use = { .overlay = context->overlay, .handle = handle_of(file) };

	if (use.handle)
		overlay_file_hold(use.handle);
	else
		use.error = kept_take(context->kept, context->overlay, node_of(req, ino), to_write,
				      &use.handle);
	return use;
}

static int use_fd(const struct use *use)
{
	return use->handle ? overlay_file_fd(use->overlay, use->handle) : use->error;
}

static void use_end(struct use *use)
{
	if (use->handle)
		overlay_file_close(use->overlay, use->handle);
}

static void close_handle(struct ops_context *context, struct handle *handle)
{
	backing_release(context, handle);
	overlay_file_close(context->overlay, handle);
}

/* How the kernel is to treat it; what it reads by itself it keeps by itself. */
static int fill_file(struct ops_context *context, struct handle *handle,
		     struct fuse_file_info *file)
{
	int backing_id;

	file->keep_cache = 1;
	if (context->kept)
		return 0;
	backing_id = backing_choose(context, handle);
	file->fh = (uint64_t)handle;
	file->keep_cache = backing_id == 0;
	return backing_id;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	struct ops_context *context = context_of(req);
	const struct caller caller = caller_of(req);
	struct handle *handle = NULL;
	int r;

	/* the kernel does not ask again, and opens files by itself */
	if (context->kept) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	r = overlay_file_open(context->overlay, &caller, node_of(req, ino), file->flags,
				  &handle);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	if (session_reply_open(req, file, fill_file(context, handle, file)) < 0)
		close_handle(context, handle);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	struct handle *handle = handle_of(file);

	if (handle)
		close_handle(context_of(req), handle);
	fuse_reply_err(req, 0);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *file)
{
	auto_use struct use use = use_begin(req, ino, file, false);
	struct fuse_bufvec data = FUSE_BUFVEC_INIT(size);
	int fd = use_fd(&use);

	if (fd < 0) {
		fuse_reply_err(req, -fd);
		return;
	}
	data.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	data.buf[0].fd = fd;
	data.buf[0].pos = offset;
	fuse_reply_data(req, &data, FUSE_BUF_SPLICE_MOVE);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *file)
{
	struct ops_context *context = context_of(req);
	struct overlay *overlay = context->overlay;
	const struct caller caller = caller_of(req);
	struct entry_reply reply = { .node = NULL };
	struct fuse_entry_param entry;
	struct handle *handle = NULL;
	bool is_nameless = strcmp(name, SESSION_TMPFILE_NAME) == 0;
	int r = is_nameless ? overlay_tmpfile(overlay, &caller, node_of(req, parent), mode,
					      file->flags, &reply, &handle) :
			      overlay_create(overlay, &caller, node_of(req, parent), name, mode,
					     file->flags, &reply, &handle);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	fill_entry(req, &reply, &entry);
	if (context->kept)
		kept_give(context->kept, overlay, reply.node, ptr_steal(&handle));
	if (session_reply_create(req, &entry, file, fill_file(context, handle, file)) < 0) {
		if (handle)
			close_handle(context, handle);
		overlay_forget(overlay, reply.node, 1);
	}
}

static ssize_t copy_to(int fd, struct fuse_bufvec *in, off_t offset)
{
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));

	out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	out.buf[0].fd = fd;
	out.buf[0].pos = offset;
	return fuse_buf_copy(&out, in, 0);
}

/*
 * Pages that somebody changed a while ago, when the kernel saw to the set-id bits. Those that are
 * there now may be younger, but in a user namespace the file system below takes them from whoever
 * writes: they are put back, and nobody changes the mode meanwhile.
 */
static ssize_t write_cached(struct handle *handle, int fd, struct fuse_bufvec *in, off_t offset)
{
	auto_latch struct latch *held = NULL;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!(st.st_mode & (S_ISUID | S_ISGID)))
		return copy_to(fd, in, offset);
	held = latch_hold(&handle->node->latch);
	if (fstat(fd, &st) < 0)
		return -errno;
	n = copy_to(fd, in, offset);
	if (n >= 0 && fchmod(fd, st.st_mode & 07777) < 0)
		return -errno;
	return n;
}

void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset,
		  struct fuse_file_info *file)
{
	auto_use struct use use = use_begin(req, ino, file, true);
	struct handle *handle = use.handle;
	const struct caller caller = caller_of(req);
	int fd = use_fd(&use);
	ssize_t n = fd;

	if (fd >= 0 && !file->writepage)
		n = overlay_file_drop_setid(overlay_of(req), &caller, handle);
	if (n >= 0)
		n = file->writepage ? write_cached(handle, fd, in, offset) :
				      copy_to(fd, in, offset);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *file)
{
	auto_use struct use use = use_begin(req, ino, file, false);

	reply_done(req, use.handle ? overlay_fsync(use.overlay, use.handle, data_only) : use.error);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		  struct fuse_file_info *file)
{
	auto_use struct use use = use_begin(req, ino, file, true);
	int fd = use_fd(&use);

	reply_done(req, fd < 0 ? fd : fallocate(fd, mode, offset, length) < 0 ? -errno : 0);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *file)
{
	auto_use struct use use = use_begin(req, ino, file, false);
	int fd = use_fd(&use);
	off_t at = fd < 0 ? fd : lseek(fd, offset, whence);

	if (fd < 0 || at < 0)
		fuse_reply_err(req, fd < 0 ? -fd : errno);
	else
		fuse_reply_lseek(req, at);
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t from, struct fuse_file_info *in,
			fuse_ino_t ino_out, off_t to, struct fuse_file_info *out, size_t length,
			int flags)
{
	auto_use struct use from_use = use_begin(req, ino_in, in, false);
	auto_use struct use to_use = use_begin(req, ino_out, out, true);
	int in_fd = use_fd(&from_use);
	int out_fd = use_fd(&to_use);
	ssize_t n;

	if (in_fd < 0 || out_fd < 0) {
		fuse_reply_err(req, in_fd < 0 ? -in_fd : -out_fd);
		return;
	}
	n = copy_file_range(in_fd, &from, out_fd, &to, length, (unsigned int)flags);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}
