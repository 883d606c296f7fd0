/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for names that change. All that can be done before is done before: what moves is copied
 * up, and marked so that it looks below where it came from, or nowhere. Then one rename
 * does the rest, at once with the whiteout that must stay behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tree.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/listing.h"
#include "fuse-overlay/marks.h"
#include "fuse-overlay/upper.h"

/* One end of a rename. */
struct end {
	struct node *parent;
	const char *name;
	struct place place;
	struct node *node; /* held, or NULL */
	int is_below;      /* the layers below show something of that name */
	int kept;
};

struct move {
	struct overlay *overlay;
	struct end from;
	struct end to;
	bool exchanges;
	bool moves_dir; /* at either end */
};

static void end_release(struct overlay *overlay, struct end *end)
{
	place_put(&end->place);
	if (end->node)
		node_drop(overlay, end->node, 1);
	fd_close(&end->kept);
}

static int end_open(struct overlay *overlay, struct end *end)
{
	int r = upper_open(overlay, end->parent, &end->place);

	if (r == 0)
		r = upper_child(overlay, end->parent, end->name, &end->node);
	if (r < 0)
		return r;
	end->is_below = upper_needs_whiteout(overlay, end->parent, end->name);
	return end->is_below < 0 ? end->is_below : 0;
}

/* ---- before --------------------------------------------------------------------------- */

static bool has_lowers(const struct node *node)
{
	return node_is_dir(node) && node->dir->lower_count > 0;
}

static int check(struct move *move)
{
	struct overlay *overlay = move->overlay;
	const struct node *from = move->from.node, *to = move->to.node;
	int r;

	if (!from || (move->exchanges && !to))
		return -ENOENT;
	if (mark_is_name(move->to.name))
		return -EINVAL;
	if (!overlay->options->redirect_dirs &&
	    (has_lowers(from) || (move->exchanges && has_lowers(to))))
		return -EXDEV; /* mv(1) and its like copy it then */
	if (!to || move->exchanges)
		return 0;
	if (node_is_dir(from) != node_is_dir(to))
		return node_is_dir(to) ? -EISDIR : -ENOTDIR;
	r = node_is_dir(to) ? listing_is_empty(overlay, move->to.node) : 1;
	return r < 0 ? r : r ? 0 : -ENOTEMPTY;
}

/*
 * The layers below show a directory where it was; from now on it says so itself. All paths
 * are settled before the name changes.
 */
static int redirect(struct overlay *overlay, struct node *node)
{
	auto_place struct place place = PLACE_INIT;
	auto_free char *path = NULL;
	struct dir *dir = node->dir;
	int r = place_get(overlay, node, 0, &place);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&overlay->shape);
	for (uint16_t i = 0; i < dir->lower_count; i++)
		if (!dir->lowers[i].path)
			dir->lowers[i].path = place_path(node, dir->lowers[i].layer);
	if (!dir->redirect)
		dir->redirect = place_path(node, NO_LAYER);
	path = str_dup(dir->redirect);
	pthread_rwlock_unlock(&overlay->shape);
	return mark_set_redirect(overlay, place.fd, path);
}

/* What a directory is merged with must not change because it gets another name. */
static int prepare_dir(struct overlay *overlay, struct node *node, const struct end *to)
{
	auto_place struct place place = PLACE_INIT;
	int r;

	if (!node_is_dir(node))
		return 0;
	if (has_lowers(node))
		return redirect(overlay, node);
	if (!to->is_below)
		return 0;
	r = place_get(overlay, node, 0, &place);
	return r < 0 ? r : mark_set_opaque(overlay, place.fd);
}

/* A directory that is replaced may hold marks. Once it is opaque itself, they say nothing. */
static int clear_replaced(struct overlay *overlay, struct end *to)
{
	struct err err = ERR_INIT;
	auto_place struct place place = PLACE_INIT;
	auto_close int fd = -1;
	int r;

	if (!to->node || !node_is_dir(to->node) || !node_is_upper(to->node))
		return 0;
	r = place_get(overlay, to->node, 0, &place);
	if (r < 0)
		return r;
	if (has_lowers(to->node))
		r = mark_set_opaque(overlay, place.fd);
	if (r < 0)
		return r;
	fd = openat(place.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (tree_empty(fd, &err) < 0)
		return err.sys_errno ? -err.sys_errno : -EIO;
	return 0;
}

static int prepare(struct move *move)
{
	struct overlay *overlay = move->overlay;
	int r = copyup(overlay, move->from.node, COPYUP_ALL);

	if (r == 0 && move->exchanges)
		r = copyup(overlay, move->to.node, COPYUP_ALL);
	if (r == 0)
		r = prepare_dir(overlay, move->from.node, &move->to);
	if (r == 0 && move->exchanges)
		r = prepare_dir(overlay, move->to.node, &move->from);
	if (r == 0 && !move->exchanges)
		r = clear_replaced(overlay, &move->to);
	return r;
}

/* ---- the rename ---------------------------------------------------------------------------- */

static int rename_ends(struct move *move, unsigned int flags)
{
	return renameat2(move->from.place.fd, move->from.name, move->to.place.fd, move->to.name,
			 flags) < 0 ?
		       -errno :
		       0;
}

/* Where the file system has no RENAME_WHITEOUT. Killed in between, both names show the file. */
static int leave_whiteout(struct move *move)
{
	char temporary[WORK_NAME_MAX];
	int work_fd = move->overlay->work_fd;
	int r;

	work_name(move->overlay, temporary);
	r = mark_make_standing(move->overlay, work_fd, temporary);
	if (r == 0)
		r = rename_ends(move, 0);
	if (r == 0 && renameat(work_fd, temporary, move->from.place.fd, move->from.name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(work_fd, temporary, 0);
	return r;
}

static int rename_with_standing(struct move *move)
{
	enum standing standing = STANDING_NOTHING;
	bool swaps;
	int r = 0;

	if (!move->to.node || !node_is_upper(move->to.node))
		r = upper_standing(move->overlay, move->to.place.fd, move->to.name, &standing);
	if (r == 0 && move->from.is_below)
		r = mark_expect_whiteouts(move->overlay, move->from.place.fd);
	if (r < 0)
		return r;
	swaps = standing == STANDING_WHITEOUT && (move->moves_dir || move->from.is_below);
	if (swaps) {
		/* the whiteout at the target is the one that is wanted at the source */
		r = rename_ends(move, RENAME_EXCHANGE);
		if (r == 0 && !move->from.is_below)
			unlinkat(move->from.place.fd, move->from.name, 0);
		return r;
	}
	if (!move->from.is_below)
		return rename_ends(move, 0);
	return move->overlay->can_rename_whiteout ? rename_ends(move, RENAME_WHITEOUT) :
						    leave_whiteout(move);
}

/* ".wh." files hide only what is below, so that they can be there before and after. */
static int rename_with_files(struct move *move)
{
	int r = 0;

	if (move->from.is_below)
		r = mark_make_whiteout(move->overlay, move->from.place.fd, move->from.name);
	if (r == 0)
		r = rename_ends(move, 0);
	if (r == 0)
		r = mark_remove_whiteout_file(move->overlay, move->to.place.fd, move->to.name);
	return r;
}

static int rename_in_upper(struct move *move)
{
	int r;

	if (move->exchanges)
		return rename_ends(move, RENAME_EXCHANGE);
	if (move->overlay->whiteouts == WHITEOUT_DOT_FILE)
		return rename_with_files(move);
	r = rename_with_standing(move);
	if (r == 0)
		r = mark_remove_whiteout_file(move->overlay, move->to.place.fd, move->to.name);
	return r;
}

static void change_names(struct move *move)
{
	struct overlay *overlay = move->overlay;
	struct end *from = &move->from, *to = &move->to;

	if (to->node) {
		if (move->exchanges)
			node_add_name(overlay, to->node, from->parent, from->name);
		upper_lost_name(overlay, to->node, to->parent, to->name, fd_steal(&to->kept));
	}
	/* under its new name before the old one goes: it is never without */
	node_add_name(overlay, from->node, to->parent, to->name);
	node_remove_name(overlay, from->node, from->parent, from->name);
}

static int do_rename(struct move *move)
{
	struct node *from = move->from.node, *to = move->to.node;
	int r = 0;
	int dirs; /* more, where it goes */

	dir_change_begin(move->from.parent);
	dir_change_begin(move->to.parent);
	latch_lock_two(&from->latch, to ? &to->latch : NULL);
	if (to && !move->exchanges)
		r = upper_keep(move->overlay, to, &move->to.kept);
	if (move->moves_dir)
		pthread_rwlock_wrlock(&move->overlay->shape);
	if (r == 0)
		r = rename_in_upper(move);
	if (r == 0)
		change_names(move);
	if (move->moves_dir)
		pthread_rwlock_unlock(&move->overlay->shape);
	latch_unlock_two(&from->latch, to ? &to->latch : NULL);
	dirs = r == 0 ? node_is_dir(from) - (to && node_is_dir(to)) : 0;
	dir_change_end(move->from.parent, move->exchanges ? -dirs : r == 0 ? -node_is_dir(from) : 0);
	dir_change_end(move->to.parent, dirs);
	return r;
}

int overlay_rename(struct overlay *overlay, const struct renaming *renaming)
{
	struct move move = {
		.overlay = overlay,
		.from = { .parent = renaming->parent, .name = renaming->name, .kept = -1 },
		.to = { .parent = renaming->new_parent, .name = renaming->new_name, .kept = -1 },
		.exchanges = renaming->flags & RENAME_EXCHANGE,
	};
	int r = 0;

	if (renaming->flags & ~(unsigned int)(RENAME_EXCHANGE | RENAME_NOREPLACE))
		return -EINVAL;
	r = end_open(overlay, &move.from);
	if (r == 0)
		r = end_open(overlay, &move.to);
	if (r == 0 && move.to.node && (renaming->flags & RENAME_NOREPLACE))
		r = -EEXIST;
	if (r == 0 && (!move.from.node || move.from.node != move.to.node)) {
		r = check(&move);
		if (r == 0) {
			move.moves_dir = node_is_dir(move.from.node) ||
					 (move.to.node && node_is_dir(move.to.node));
			r = prepare(&move);
		}
		if (r == 0)
			r = do_rename(&move);
	}
	end_release(overlay, &move.from);
	end_release(overlay, &move.to);
	return r;
}
