/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a name stands for: the first layer from the top that has it decides, and
 * where it is a directory, those below join in until something says that they do not.
 */
#include "fuse-overlay/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "fuse-overlay/attr.h"
#include "fuse-overlay/marks.h"

void found_release(struct found *found)
{
	dir_free(found->dir);
	found->dir = NULL;
}

/* A name being looked up. */
struct search {
	struct overlay *overlay;
	struct node *parent;
	const char *name;
	struct found *found;
	bool is_anything; /* found->st is of the topmost */
	bool is_over;     /* nothing further down counts */
	char *sibling;    /* a redirect: from here on this name in the same parent */
	char *redirect;   /* a redirect: from here on this path from the layers' roots */
	const char *before; /* its parent, while it is looked at */
};

static void search_release(struct search *search)
{
	free(search->sibling);
	free(search->redirect);
}
#define auto_search __attribute__((cleanup(search_release)))

/* How many layers of @parent are below @layer. */
static bool is_lowest(const struct search *search, uint16_t layer)
{
	const struct dir *dir = search->parent->dir;

	if (search->redirect)
		return layer == search->overlay->layer_count - 1;
	return dir->lower_count == 0 || dir->lowers[dir->lower_count - 1].layer == layer;
}

static void add_lower(struct found *found, uint16_t layer, char *path)
{
	struct dir *dir = found->dir;
	uint16_t count;

	if (!dir)
		dir = dir_new(0);
	count = dir->lower_count;
	dir = mem_resize(dir, 1, sizeof(*dir) + (count + 1u) * sizeof(struct spot));
	dir->lower_count = (uint16_t)(count + 1);
	dir->lowers[count] = (struct spot){ .layer = layer, .path = path };
	found->dir = dir;
}

/* "." and ".." lead where no layer has anything to say. */
static bool has_dots(const char *path)
{
	for (size_t len; *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		if ((len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.'))
			return true;
	}
	return false;
}

/*
 * What a redirect means for the layers below. @before is the path of the directory's parent, where
 * it was found by a path, and @behind what still follows. Something that is no name and no path is
 * no redirect.
 */
static void take_redirect(struct search *search, const char *redirect, const char *before,
			  const char *behind)
{
	bool is_path = redirect[0] == '/';
	char *path = NULL;

	if (!is_path && (!redirect[0] || strchr(redirect, '/')))
		return;
	if (has_dots(redirect))
		return;
	if (is_path)
		path = str_format("%s%s", redirect, behind);
	else if (before)
		path = str_format("%s/%s%s", before, redirect, behind);
	if (path) {
		free(search->redirect);
		search->redirect = path;
	} else {
		free(search->sibling);
		search->sibling = str_dup(redirect);
	}
}

/* Where a redirect of the upper leads: in @layer, or with NO_LAYER in the union below. */
static char *redirected_path(const struct search *search, uint16_t layer, const char *name)
{
	auto_free char *parent_path = NULL;

	if (search->redirect)
		return str_dup(search->redirect);
	if (!search->sibling)
		return NULL;
	pthread_rwlock_rdlock(&search->overlay->shape);
	parent_path = place_path(search->parent, layer);
	pthread_rwlock_unlock(&search->overlay->shape);
	return str_format("%s/%s", parent_path, name);
}

static int take_dir(struct search *search, uint16_t index, int dir_fd, const char *name)
{
	const struct layer *layer = &search->overlay->layers[index];
	struct found *found = search->found;
	struct dir_marks marks;
	int r;

	if (layer->is_upper) {
		if (!found->dir)
			found->dir = dir_new(0);
	} else {
		add_lower(found, index, redirected_path(search, index, name));
	}
	/* with no layer below in its parent, a redirect may still lead elsewhere */
	if (index == search->overlay->layer_count - 1 ||
	    (is_lowest(search, index) && !layer->has_redirects))
		return 0;
	r = dir_marks_load(search->overlay, layer, dir_fd, name, &marks);
	if (r < 0)
		return r;
	search->is_over = marks.is_opaque;
	if (marks.redirect) {
		take_redirect(search, marks.redirect, search->before, "");
		if (layer->is_upper)
			found->dir->redirect = redirected_path(search, NO_LAYER, search->sibling);
	}
	free(marks.redirect);
	return 0;
}

/* The name in one layer, at @name of @dir_fd. */
static int look_at(struct search *search, uint16_t index, int dir_fd, const char *name)
{
	const struct layer *layer = &search->overlay->layers[index];
	struct stat st;
	int r = attr_load(search->overlay, dir_fd, name, AT_SYMLINK_NOFOLLOW, &st);

	if (r == -ENOENT || r == -ENOTDIR) {
		search->is_over = !is_lowest(search, index) && layer->has_whiteout_files &&
				  mark_has_whiteout_file(dir_fd, name);
		return 0;
	}
	if (r < 0)
		return r;
	if (mark_is_whiteout(search->overlay, dir_fd, name, &st) ||
	    (search->is_anything && !S_ISDIR(st.st_mode))) {
		search->is_over = true;
		return 0;
	}
	if (!search->is_anything) {
		search->is_anything = true;
		attr_unshift(search->overlay, index, &st);
		search->found->st = st;
		search->found->layer = index;
		search->found->is_upper = layer->is_upper;
	}
	if (S_ISDIR(st.st_mode)) {
		r = take_dir(search, index, dir_fd, name);
		if (r == 0 && layer->has_whiteout_files && !is_lowest(search, index) &&
		    mark_has_whiteout_file(dir_fd, name))
			search->is_over = true;
		return r;
	}
	search->is_over = true;
	return 0;
}

static int look_in_parent(struct search *search, uint16_t index, const char *name)
{
	auto_place struct place place = PLACE_INIT;
	int r = place_get(search->overlay, search->parent, index, &place);

	return r < 0 ? r : look_at(search, index, place.fd, name);
}

/* ---- by a path from the layer's root ------------------------------------------------- */

/* A directory on the way: it may lead elsewhere, hide what is in it from those below, or end the search. */
static int step_into(struct search *search, const struct layer *layer, int *dir_fd,
		     const char *part, const char *before, const char *behind, bool *is_last)
{
	struct dir_marks marks;
	struct stat st;
	int fd, r;

	if (fstatat(*dir_fd, part, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		search->is_over = layer->has_whiteout_files &&
				  mark_has_whiteout_file(*dir_fd, part);
		return -errno;
	}
	if (!S_ISDIR(st.st_mode)) {
		search->is_over = true;
		return -ENOENT;
	}
	r = dir_marks_load(search->overlay, layer, *dir_fd, part, &marks);
	if (r < 0)
		return r;
	*is_last |= marks.is_opaque;
	if (marks.redirect)
		take_redirect(search, marks.redirect, before, behind);
	free(marks.redirect);
	fd = openat(*dir_fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fd_close(dir_fd);
	*dir_fd = fd;
	return 0;
}

/* Component by component: "/a/b/c" is looked up as "a" behind "", "b" behind "/a", "c" behind "/a/b". */
static int look_at_path(struct search *search, uint16_t index)
{
	const struct layer *layer = &search->overlay->layers[index];
	auto_free char *path = str_dup(search->redirect);
	auto_free char *before = str_dup(search->redirect);
	auto_free char *whole = str_dup(search->redirect);
	auto_close int dir_fd = fcntl(layer->fd, F_DUPFD_CLOEXEC, 0);
	bool is_last_layer = false;
	char *part = path + 1;
	char *slash;
	int r = 0;

	if (dir_fd < 0)
		return -errno;
	for (; r == 0 && (slash = strchr(part, '/')); part = slash + 1) {
		*slash = '\0';
		before[part - path - 1] = '\0';
		r = step_into(search, layer, &dir_fd, part, before,
			      whole + (slash - path), &is_last_layer);
		before[part - path - 1] = '/';
	}
	if (r == 0 && part[0]) {
		before[part - path - 1] = '\0';
		search->before = before;
		r = look_at(search, index, dir_fd, part);
		search->before = NULL;
	}
	search->is_over |= is_last_layer;
	return r == -ENOENT ? 0 : r;
}

/* ---- through the layers ---------------------------------------------------------------- */

static int search_lowers(struct search *search)
{
	struct overlay *overlay = search->overlay;
	const struct dir *dir = search->parent->dir;
	uint16_t layer = overlay->has_upper ? 1 : 0;
	int r = 0;

	for (uint16_t i = 0; i < dir->lower_count && !search->is_over && !search->redirect; i++) {
		layer = dir->lowers[i].layer;
		r = look_in_parent(search, layer,
				   search->sibling ? search->sibling : search->name);
		if (r < 0)
			return r;
		layer++;
	}
	for (; search->redirect && layer < overlay->layer_count && !search->is_over; layer++) {
		r = look_at_path(search, layer);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The number of a merged directory is that of the first below the upper, copied up or not. */
static void settle_ino(struct overlay *overlay, struct node *parent, const char *name,
		       struct found *found)
{
	const struct layer *layer = &overlay->layers[found->layer];
	struct place place = PLACE_INIT;
	struct where where = { .name = name };
	struct stat st;
	dev_t dev;
	ino_t ino;

	found->ino = attr_ino(overlay, layer, found->st.st_ino);
	if (!found->is_upper)
		return;
	if (found->dir && found->dir->lower_count > 0) {
		const struct spot *spot = &found->dir->lowers[0];
		struct err err = ERR_INIT;
		auto_close int fd = -1;
		int r = -1;

		if (spot->path) {
			fd = beneath_open(overlay->layers[spot->layer].fd, spot->path,
					  BENEATH_NO_LINKS, O_PATH, &err);
			r = fd < 0 ? -1 : fstat(fd, &st);
		} else if (place_get(overlay, parent, spot->layer, &place) == 0) {
			r = fstatat(place.fd, name, &st, AT_SYMLINK_NOFOLLOW);
		}
		if (r == 0)
			found->ino = attr_ino(overlay, &overlay->layers[spot->layer], st.st_ino);
	} else if (!found->dir && atomic_load(&overlay->has_origins) &&
		   place_get(overlay, parent, 0, &place) == 0) {
		where.fd = place.fd;
		if (mark_get_origin(overlay, &where, &dev, &ino))
			for (uint16_t i = 1; i < overlay->layer_count; i++)
				if (overlay->layers[i].dev == dev) {
					found->ino = attr_ino(overlay, &overlay->layers[i], ino);
					break;
				}
	}
	place_put(&place);
}

int lookup_layers(struct overlay *overlay, struct node *parent, const char *name,
		  struct found *out)
{
	auto_search struct search search = {
		.overlay = overlay, .parent = parent, .name = name, .found = out
	};
	int r = 0;

	if (mark_is_name(name))
		return -ENOENT;
	if (node_is_upper(parent))
		r = look_in_parent(&search, 0, name);
	if (r == 0 && !search.is_over)
		r = search_lowers(&search);
	if (r < 0)
		return r;
	if (!search.is_anything)
		return -ENOENT;
	settle_ino(overlay, parent, name, out);
	return 0;
}

int lookup_is_below(struct overlay *overlay, struct node *parent, const char *name)
{
	auto_found struct found found = FOUND_INIT;
	auto_search struct search search = {
		.overlay = overlay, .parent = parent, .name = name, .found = &found
	};
	int r = search_lowers(&search);

	return r < 0 ? r : search.is_anything;
}

struct node *lookup_take(struct overlay *overlay, struct node *parent, const char *name,
			 struct found *found)
{
	const struct node_draft draft = {
		.type = found->st.st_mode & S_IFMT,
		.ino = found->ino,
		.is_upper = found->is_upper,
		.lower = found->is_upper ? NO_LAYER : found->layer,
		.dir = ptr_steal(&found->dir),
		.upper_st = found->is_upper && found->st.st_nlink > 1 ? &found->st : NULL,
	};

	return node_find_or_make(overlay, parent, name, &draft);
}

/* ---- requests ---------------------------------------------------------------------------- */

static int reply_with(struct overlay *overlay, struct node *node, struct entry_reply *out)
{
	int r;

	if (!node_is_dir(node))
		latch_lock(&node->latch);
	r = attr_get(overlay, node, &out->st);
	if (!node_is_dir(node))
		latch_unlock(&node->latch);
	if (r < 0) {
		node_drop(overlay, node, 1);
		return r;
	}
	out->node = node;
	out->generation = node->id;
	return 0;
}

static int reply_found(struct overlay *overlay, struct node *parent, const char *name,
		       struct found *found, struct entry_reply *out)
{
	out->st = found->st;
	out->node = lookup_take(overlay, parent, name, found);
	out->generation = out->node->id;
	attr_show(overlay, out->node, &out->st);
	return 0;
}

int overlay_lookup(struct overlay *overlay, struct node *parent, const char *name,
		   struct entry_reply *out)
{
	auto_found struct found found = FOUND_INIT;
	struct node *node = node_find(overlay, parent, name);
	int r;

	if (node)
		return reply_with(overlay, node, out);
	r = lookup_layers(overlay, parent, name, &found);
	if (r == -ENOENT) {
		out->node = NULL;
		return 0;
	}
	return r < 0 ? r : reply_found(overlay, parent, name, &found, out);
}

int overlay_lookup_listed(struct overlay *overlay, struct node *parent,
			  const struct listing_entry *entry, struct entry_reply *out)
{
	auto_place struct place place = PLACE_INIT;
	auto_found struct found found = FOUND_INIT;
	struct node *node;
	int r;

	if (S_ISDIR(entry->type) || overlay->layers[entry->layer].is_upper)
		return overlay_lookup(overlay, parent, entry->name, out);
	node = node_find(overlay, parent, entry->name);
	if (node)
		return reply_with(overlay, node, out);
	/* what was seen in a lower layer is still the topmost if nothing changed since */
	r = place_get(overlay, parent, entry->layer, &place);
	if (r == 0)
		r = attr_load(overlay, place.fd, entry->name, AT_SYMLINK_NOFOLLOW, &found.st);
	if (r < 0 || S_ISDIR(found.st.st_mode) ||
	    entry->version != atomic_load(&parent->dir->version))
		return overlay_lookup(overlay, parent, entry->name, out);
	attr_unshift(overlay, entry->layer, &found.st);
	found.layer = entry->layer;
	found.ino = attr_ino(overlay, &overlay->layers[entry->layer], found.st.st_ino);
	return reply_found(overlay, parent, entry->name, &found, out);
}

void overlay_forget(struct overlay *overlay, struct node *node, uint64_t count)
{
	node_drop(overlay, node, count);
}

int overlay_getattr(struct overlay *overlay, struct node *node, struct stat *out)
{
	auto_latch struct latch *held = node_is_dir(node) ? NULL : latch_hold(&node->latch);

	return attr_get(overlay, node, out);
}
