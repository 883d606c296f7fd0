/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what all changes of names in the upper need: what stands there, what is below, and
 * what becomes of a node that has lost its last name.
 */
#include "fuse-overlay/upper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/tree.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/lookup.h"
#include "fuse-overlay/marks.h"

int upper_open(struct overlay *overlay, struct node *dir, struct place *out)
{
	int r = copyup(overlay, dir, COPYUP_ALL);

	return r < 0 ? r : place_get(overlay, dir, 0, out);
}

int upper_child(struct overlay *overlay, struct node *parent, const char *name, struct node **out)
{
	auto_found struct found found = FOUND_INIT;
	int r;

	*out = node_find(overlay, parent, name);
	if (*out)
		return 0;
	r = lookup_layers(overlay, parent, name, &found);
	if (r == 0)
		*out = lookup_take(overlay, parent, name, &found);
	return r == -ENOENT ? 0 : r;
}

int upper_standing(const struct overlay *overlay, int dir_fd, const char *name, enum standing *out)
{
	struct stat st;

	*out = STANDING_NOTHING;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		*out = STANDING_DIR;
	else
		*out = mark_is_whiteout(overlay, dir_fd, name, &st) ? STANDING_WHITEOUT
								    : STANDING_FILE;
	return 0;
}

int upper_needs_whiteout(struct overlay *overlay, struct node *parent, const char *name)
{
	return parent->dir->lower_count == 0 ? 0 : lookup_is_below(overlay, parent, name);
}

int upper_keep(struct overlay *overlay, struct node *node, int *out_fd)
{
	auto_where struct where where = WHERE_INIT;
	int r;

	*out_fd = -1;
	if (node->names && node->names->next_of_node)
		return 0;
	r = where_get(overlay, node, &where);
	if (r < 0)
		return r;
	r = where.name[0] ? openat(where.fd, where.name, O_PATH | O_NOFOLLOW | O_CLOEXEC) :
			    fcntl(where.fd, F_DUPFD_CLOEXEC, 0);
	if (r < 0)
		return -errno;
	*out_fd = r;
	return 0;
}

void upper_lost_name(struct overlay *overlay, struct node *node, struct node *parent,
		     const char *name, int fd)
{
	node_remove_name(overlay, node, parent, name);
	if (!node->names && node->fd < 0)
		node->fd = fd;
	else if (fd >= 0)
		close(fd);
}

void upper_discard(struct overlay *overlay, const char *work_name)
{
	struct err err = ERR_INIT;

	/* what cannot be removed now is by the next mount */
	tree_remove(overlay->work_fd, work_name, &err);
}

void upper_use_umask(mode_t mask)
{
	static __thread bool is_own;
	static __thread mode_t current;

	/* cwd and umask are one for all threads until a thread has its own */
	if (!is_own) {
		unshare(CLONE_FS);
		current = umask(mask);
		is_own = true;
	}
	if (current != mask)
		umask(mask);
	current = mask;
}
