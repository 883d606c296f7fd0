/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for directories being read. They are not opened: an opendir that is not known to us saves
 * two requests for each directory, and the kernel keeps what it read.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/mem.h"
#include "fuse-overlay/node.h"
#include "fuse-overlay/ops-internal.h"

#define COOKIE_DOT    1
#define COOKIE_DOTDOT 2

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	fuse_reply_err(req, ENOSYS);
}

/* A reply that is being filled. */
struct filling {
	fuse_req_t req;
	struct overlay *overlay;
	struct node *node;
	bool with_attributes;
	char *buf;
	size_t size;
	size_t used;
};

static size_t entry_size(const struct filling *filling, const char *name)
{
	return filling->with_attributes ?
		       fuse_add_direntry_plus(filling->req, NULL, 0, name, NULL, 0) :
		       fuse_add_direntry(filling->req, NULL, 0, name, NULL, 0);
}

/* An entry that the kernel does not get to know as a node. */
static void add_plain(struct filling *filling, const char *name, uint64_t ino, mode_t type,
		      uint64_t cookie)
{
	struct fuse_entry_param entry = { .attr = { .st_ino = ino, .st_mode = type } };
	char *at = filling->buf + filling->used;
	size_t room = filling->size - filling->used;

	filling->used +=
		filling->with_attributes ?
			fuse_add_direntry_plus(filling->req, at, room, name, &entry,
					       (off_t)cookie) :
			fuse_add_direntry(filling->req, at, room, name, &entry.attr, (off_t)cookie);
}

static void add_entry(struct filling *filling, const struct listing_entry *listed)
{
	struct entry_reply reply = { .node = NULL };
	struct fuse_entry_param entry;
	int r;

	if (!filling->with_attributes) {
		add_plain(filling, listed->name, listed->ino, listed->type, listed->cookie);
		return;
	}
	r = overlay_lookup_listed(filling->overlay, filling->node, listed, &reply);
	if (r < 0 || !reply.node) {
		/* who wants to know more will ask for it, and be told why not */
		add_plain(filling, listed->name, listed->ino, listed->type, listed->cookie);
		return;
	}
	fill_entry(filling->req, &reply, &entry);
	filling->used += fuse_add_direntry_plus(filling->req, filling->buf + filling->used,
						filling->size - filling->used, listed->name, &entry,
						(off_t)listed->cookie);
}

static bool has_room(const struct filling *filling, const char *name)
{
	return filling->used + entry_size(filling, name) <= filling->size;
}

/* "." and ".." */
static uint64_t add_dots(struct filling *filling, uint64_t cookie)
{
	struct node *parent;

	if (cookie < COOKIE_DOT && has_room(filling, ".")) {
		add_plain(filling, ".", filling->node->ino, S_IFDIR, COOKIE_DOT);
		cookie = COOKIE_DOT;
	}
	if (cookie == COOKIE_DOT && has_room(filling, "..")) {
		parent = node_parent(filling->overlay, filling->node);
		add_plain(filling, "..", parent ? parent->ino : filling->node->ino, S_IFDIR,
			  COOKIE_DOTDOT);
		if (parent)
			node_drop(filling->overlay, parent, 1);
		cookie = COOKIE_DOTDOT;
	}
	return cookie;
}

static void read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		     bool with_attributes)
{
	auto_free char *buf = mem_alloc(size);
	struct filling filling = { .req = req,
				   .overlay = overlay_of(req),
				   .node = node_of(req, ino),
				   .with_attributes = with_attributes,
				   .buf = buf,
				   .size = size };
	struct listing *listing = NULL;
	struct listing_entry entry;
	bool is_more = true;
	uint64_t cookie = add_dots(&filling, (uint64_t)offset);
	int r = overlay_list(filling.overlay, filling.node, &listing);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	while (cookie >= COOKIE_DOTDOT && (is_more = listing_next(listing, cookie, &entry)) &&
	       has_room(&filling, entry.name)) {
		add_entry(&filling, &entry);
		cookie = entry.cookie;
	}
	if (!is_more)
		overlay_list_done(filling.overlay, listing);
	listing_put(listing);
	fuse_reply_buf(req, buf, filling.used);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *file)
{
	read_dir(req, ino, size, offset, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *file)
{
	read_dir(req, ino, size, offset, true);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *file)
{
	reply_done(req, overlay_fsyncdir(overlay_of(req), node_of(req, ino), data_only));
}
