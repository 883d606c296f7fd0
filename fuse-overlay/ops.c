/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the conversation: takes what the kernel asks apart, has the overlay do it, and words
 * the reply. Nothing is decided here but what the kernel may keep, and for how long.
 */
#include "fuse-overlay/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "fuse-overlay/kept.h"
#include "fuse-overlay/node.h"
#include "fuse-overlay/ops-internal.h"

struct ops_context *context_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

struct overlay *overlay_of(fuse_req_t req)
{
	return context_of(req)->overlay;
}

struct node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? overlay_root(overlay_of(req)) : (struct node *)ino;
}

struct caller caller_of(fuse_req_t req)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);

	return (struct caller){ .uid = context->uid, .gid = context->gid, .umask = context->umask };
}

double timeout_of(fuse_req_t req)
{
	return overlay_options(overlay_of(req))->timeout_s;
}

void fill_entry(fuse_req_t req, const struct entry_reply *reply, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
		.ino = (fuse_ino_t)reply->node,
		.generation = reply->generation,
		.attr = reply->st,
		.attr_timeout = timeout_of(req),
		.entry_timeout = timeout_of(req),
	};
}

void reply_entry(fuse_req_t req, int r, const struct entry_reply *reply)
{
	struct overlay *overlay = overlay_of(req);
	struct fuse_entry_param entry;

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	fill_entry(req, reply, &entry);
	/* interrupted: the kernel does not know of it */
	if (fuse_reply_entry(req, &entry) < 0 && reply->node)
		overlay_forget(overlay, reply->node, 1);
}

void reply_done(fuse_req_t req, int r)
{
	fuse_reply_err(req, r < 0 ? -r : 0);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct entry_reply reply = { .node = NULL };
	int r = overlay_lookup(overlay_of(req), node_of(req, parent), name, &reply);

	reply_entry(req, r, &reply);
}

static void forget(const struct ops_context *context, struct node *node, uint64_t count)
{
	if (context->kept)
		kept_drop(context->kept, context->overlay, node);
	overlay_forget(context->overlay, node, count);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	if (ino != FUSE_ROOT_ID)
		forget(context_of(req), node_of(req, ino), count);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		if (forgets[i].ino != FUSE_ROOT_ID)
			forget(context_of(req), node_of(req, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	struct stat st;
	int r = overlay_getattr(overlay_of(req), node_of(req, ino), &st);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &st, timeout_of(req));
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	auto_free char *target = NULL;
	int r = overlay_readlink(overlay_of(req), node_of(req, ino), &target);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, target);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int r = overlay_statfs(overlay_of(req), &st);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops overlay_ops = {
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.statfs = op_statfs,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.fsyncdir = op_fsyncdir,
	.open = op_open,
	.read = op_read,
	.release = op_release,
	.create = op_create,
	.write_buf = op_write_buf,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.copy_file_range = op_copy_file_range,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.link = op_link,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.rename = op_rename,
	.setattr = op_setattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
	.ioctl = op_ioctl,
};
