/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for names that go: what the upper has is removed, what the layers below have is hidden,
 * and where both is needed it happens at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/fd.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/listing.h"
#include "fuse-overlay/marks.h"
#include "fuse-overlay/upper.h"

/* Put a whiteout in the place of a file or directory; what was there is in the work directory then. */
static int replace_by_whiteout(struct overlay *overlay, int dir_fd, const char *name, char *moved)
{
	int r;

	work_name(overlay, moved);
	r = mark_expect_whiteouts(overlay, dir_fd);
	if (r == 0)
		r = mark_make_standing(overlay, overlay->work_fd, moved);
	if (r < 0)
		return r;
	if (renameat2(overlay->work_fd, moved, dir_fd, name, RENAME_EXCHANGE) == 0)
		return 0;
	r = -errno;
	unlinkat(overlay->work_fd, moved, 0);
	return r;
}

static int remove_file(struct overlay *overlay, int dir_fd, const char *name, bool is_upper,
		       bool is_below)
{
	char moved[WORK_NAME_MAX];
	int r = 0;

	if (!is_upper)
		return mark_make_whiteout(overlay, dir_fd, name);
	if (is_below && overlay->whiteouts != WHITEOUT_DOT_FILE) {
		r = replace_by_whiteout(overlay, dir_fd, name, moved);
		if (r == 0)
			unlinkat(overlay->work_fd, moved, 0);
		return r;
	}
	if (is_below)
		r = mark_make_whiteout(overlay, dir_fd, name);
	if (r == 0 && unlinkat(dir_fd, name, 0) < 0)
		r = -errno;
	return r;
}

/*
 * It holds nothing but marks, which go with it: those may be many, and are removed later, where the
 * directory has the name @moved in the work directory. That is empty where there is nothing to do.
 */
static int remove_dir(struct overlay *overlay, int dir_fd, const char *name, bool is_upper,
		      bool is_below, char *moved)
{
	int r = 0;

	moved[0] = '\0';
	if (is_upper && is_below && overlay->whiteouts != WHITEOUT_DOT_FILE) {
		r = replace_by_whiteout(overlay, dir_fd, name, moved);
		if (r < 0)
			moved[0] = '\0';
		return r;
	}
	if (is_below)
		r = mark_make_whiteout(overlay, dir_fd, name);
	if (r < 0 || !is_upper || unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return r;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	if (renameat(dir_fd, name, overlay->work_fd, work_name(overlay, moved)) == 0)
		return 0;
	moved[0] = '\0';
	return -errno;
}

static int unlink_node(struct overlay *overlay, struct node *node, struct node *parent, int dir_fd,
		       const char *name)
{
	bool is_upper = node_is_upper(node);
	int is_below = is_upper ? upper_needs_whiteout(overlay, parent, name) : 1;
	int kept = -1;
	int r = is_below;

	if (r >= 0)
		r = upper_keep(overlay, node, &kept);
	if (r < 0)
		return r;
	r = remove_file(overlay, dir_fd, name, is_upper, is_below);
	if (r < 0) {
		fd_close(&kept);
		return r;
	}
	upper_lost_name(overlay, node, parent, name, kept);
	return 0;
}

static int rmdir_node(struct overlay *overlay, struct node *node, struct node *parent, int dir_fd,
		      const char *name)
{
	bool is_upper = node_is_upper(node);
	int is_below = is_upper ? upper_needs_whiteout(overlay, parent, name) : 1;
	int is_empty = listing_is_empty(overlay, node);
	char moved[WORK_NAME_MAX];
	int kept = -1;
	int r;

	if (is_below < 0 || is_empty < 0)
		return is_below < 0 ? is_below : is_empty;
	if (!is_empty)
		return -ENOTEMPTY;
	r = upper_keep(overlay, node, &kept);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&overlay->shape);
	r = remove_dir(overlay, dir_fd, name, is_upper, is_below, moved);
	if (r == 0)
		upper_lost_name(overlay, node, parent, name, kept);
	pthread_rwlock_unlock(&overlay->shape);
	if (moved[0])
		upper_discard(overlay, moved);
	if (r < 0)
		fd_close(&kept);
	return r;
}

/* @wants_dir: rmdir, else unlink. */
static int remove_child(struct overlay *overlay, struct node *parent, const char *name,
			bool wants_dir)
{
	auto_place struct place place = PLACE_INIT;
	struct node *node;
	int r = upper_open(overlay, parent, &place);

	if (r == 0)
		r = upper_child(overlay, parent, name, &node);
	if (r < 0)
		return r;
	if (!node)
		return -ENOENT;
	dir_change_begin(parent);
	latch_lock(&node->latch);
	if (node_is_dir(node) != wants_dir)
		r = wants_dir ? -ENOTDIR : -EISDIR;
	else if (wants_dir)
		r = rmdir_node(overlay, node, parent, place.fd, name);
	else
		r = unlink_node(overlay, node, parent, place.fd, name);
	latch_unlock(&node->latch);
	dir_change_end(parent, wants_dir && r == 0 ? -1 : 0);
	node_drop(overlay, node, 1);
	return r;
}

int overlay_unlink(struct overlay *overlay, struct node *parent, const char *name)
{
	return remove_child(overlay, parent, name, false);
}

int overlay_rmdir(struct overlay *overlay, struct node *parent, const char *name)
{
	return remove_child(overlay, parent, name, true);
}
