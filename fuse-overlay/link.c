/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for further names of a file: it is copied up, for a link joins two names in one
 * layer, and stays one node.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/fd.h"
#include "fuse-overlay/attr.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/marks.h"
#include "fuse-overlay/upper.h"

static int link_to(const struct where *from, int dir_fd, const char *name)
{
	char path[WHERE_PATH_MAX];
	int r;

	if (from->name[0])
		r = linkat(from->fd, from->name, dir_fd, name, 0);
	else
		r = linkat(AT_FDCWD, where_path(from, path), dir_fd, name, AT_SYMLINK_FOLLOW);
	return r < 0 ? -errno : 0;
}

static int link_over_whiteout(struct overlay *overlay, const struct where *from, int dir_fd,
			      const char *name)
{
	char temporary[WORK_NAME_MAX];
	enum standing standing;
	int r = upper_standing(overlay, dir_fd, name, &standing);

	if (r < 0)
		return r;
	if (standing != STANDING_WHITEOUT)
		return -EEXIST;
	r = link_to(from, overlay->work_fd, work_name(overlay, temporary));
	if (r < 0)
		return r;
	if (renameat(overlay->work_fd, temporary, dir_fd, name) == 0)
		return 0;
	r = -errno;
	unlinkat(overlay->work_fd, temporary, 0);
	return r;
}

static int link_locked(struct overlay *overlay, struct node *node, struct node *parent, int dir_fd,
		       const char *name, struct stat *out)
{
	auto_where struct where from = WHERE_INIT;
	struct stat st;
	int r = where_get(overlay, node, &from);

	if (r == 0)
		r = link_to(&from, dir_fd, name);
	if (r == -EEXIST)
		r = link_over_whiteout(overlay, &from, dir_fd, name);
	if (r == 0)
		r = mark_remove_whiteout_file(overlay, dir_fd, name);
	if (r == 0 && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r < 0)
		return r;
	node_index(overlay, node, &st);
	node_add_name(overlay, node, parent, name);
	return attr_get(overlay, node, out);
}

int overlay_link(struct overlay *overlay, struct node *node, struct node *parent, const char *name,
		 struct entry_reply *out)
{
	auto_place struct place place = PLACE_INIT;
	int r = mark_is_name(name) ? -EINVAL : copyup(overlay, node, COPYUP_ALL);

	if (r == 0)
		r = upper_open(overlay, parent, &place);
	if (r < 0)
		return r;
	dir_change_begin(parent);
	latch_lock(&node->latch);
	r = link_locked(overlay, node, parent, place.fd, name, &out->st);
	latch_unlock(&node->latch);
	dir_change_end(parent, 0);
	if (r < 0)
		return r;
	out->node = node_hold(node);
	out->generation = node->id;
	return 0;
}
