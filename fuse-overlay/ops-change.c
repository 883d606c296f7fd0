/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the requests that change names and attributes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "fuse-overlay/ops-internal.h"
#include "fuse-overlay/session.h"

static void make(fuse_req_t req, fuse_ino_t parent, const char *name, const struct making *making)
{
	const struct caller caller = caller_of(req);
	struct entry_reply reply = { .node = NULL };
	int r = overlay_make(overlay_of(req), &caller, node_of(req, parent), name, making, &reply);

	reply_entry(req, r, &reply);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	make(req, parent, name, &(struct making){ .mode = mode, .rdev = rdev });
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make(req, parent, name, &(struct making){ .mode = S_IFDIR | (mode & 07777) });
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	make(req, parent, name, &(struct making){ .mode = S_IFLNK | 0777, .target = target });
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct entry_reply reply = { .node = NULL };
	int r = overlay_link(overlay_of(req), node_of(req, ino), node_of(req, parent), name,
			     &reply);

	reply_entry(req, r, &reply);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_done(req, overlay_unlink(overlay_of(req), node_of(req, parent), name));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_done(req, overlay_rmdir(overlay_of(req), node_of(req, parent), name));
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned int flags)
{
	const struct renaming renaming = { .parent = node_of(req, parent),
					   .name = name,
					   .new_parent = node_of(req, new_parent),
					   .new_name = new_name,
					   .flags = flags };

	reply_done(req, overlay_rename(overlay_of(req), &renaming));
}

static unsigned int changes_of(int to_set)
{
	static const struct {
		int asked;
		unsigned int change;
	} table[] = {
		{ FUSE_SET_ATTR_MODE, CHANGE_MODE },
		{ FUSE_SET_ATTR_UID, CHANGE_UID },
		{ FUSE_SET_ATTR_GID, CHANGE_GID },
		{ FUSE_SET_ATTR_SIZE, CHANGE_SIZE },
		{ FUSE_SET_ATTR_ATIME, CHANGE_ATIME },
		{ FUSE_SET_ATTR_MTIME, CHANGE_MTIME },
		{ FUSE_SET_ATTR_ATIME_NOW, CHANGE_ATIME_NOW },
		{ FUSE_SET_ATTR_MTIME_NOW, CHANGE_MTIME_NOW },
	};
	unsigned int changes = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (to_set & table[i].asked)
			changes |= table[i].change;
	return changes;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *file)
{
	const struct caller caller = caller_of(req);
	struct stat st;
	int r = overlay_setattr(overlay_of(req), &caller, node_of(req, ino),
				file ? handle_of(file) : NULL, changes_of(to_set), attr, &st);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &st, timeout_of(req));
}

/* ENOSYS ends such questions for good. */
static bool has_xattrs(fuse_req_t req)
{
	if (!overlay_options(overlay_of(req))->no_xattrs)
		return true;
	fuse_reply_err(req, ENOSYS);
	return false;
}

static void reply_xattr(fuse_req_t req, ssize_t len, const char *value, size_t size)
{
	if (len < 0)
		fuse_reply_err(req, (int)-len);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)len);
	else
		fuse_reply_buf(req, value, (size_t)len);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	auto_free char *value = size ? mem_alloc(size) : NULL;

	if (has_xattrs(req))
		reply_xattr(req,
			    overlay_getxattr(overlay_of(req), node_of(req, ino), name, value, size),
			    value, size);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	auto_free char *list = size ? mem_alloc(size) : NULL;

	if (has_xattrs(req))
		reply_xattr(req, overlay_listxattr(overlay_of(req), node_of(req, ino), list, size),
			    list, size);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags)
{
	if (!has_xattrs(req))
		return;
	/* what was written before takes a capability away, and must not come after it */
	if (strcmp(name, "security.capability") == 0)
		session_write_back(context_of(req)->session, ino);
	reply_done(req, overlay_setxattr(overlay_of(req), node_of(req, ino), name, value, size,
					 flags));
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (has_xattrs(req))
		reply_done(req, overlay_removexattr(overlay_of(req), node_of(req, ino), name));
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int command, void *arg,
	      struct fuse_file_info *file, unsigned int flags, const void *in, size_t in_size,
	      size_t out_size)
{
	size_t size = in_size > out_size ? in_size : out_size;
	auto_free char *data = mem_alloc(size + 1);
	int r;

	if (in_size > 0)
		memcpy(data, in, in_size);
	r = overlay_ioctl(overlay_of(req), node_of(req, ino), command, data);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_ioctl(req, 0, data, out_size);
}
