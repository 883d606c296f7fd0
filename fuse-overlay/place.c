/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how a directory of a layer is reached: from the layer's root through the names of
 * its ancestors, which are directories and no links, and through nothing else. The lock on the
 * shape of the tree is held from the first name to the open descriptor, so that no rename can
 * lead astray; from there on the descriptor is the directory, whatever it is called.
 *
 * The places that stay open are in a table of fixed size in which each has one slot.
 */
#include "fuse-overlay/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"

#define SLOT_COUNT 256

struct place_shared {
	_Atomic unsigned int holds;
	int fd;
};

struct slot {
	struct latch latch;
	uint16_t layer;
	uint64_t node_id; /* 0: empty */
	struct place_shared *shared;
};

struct places {
	struct slot slots[SLOT_COUNT];
};

struct places *places_new(void)
{
	return mem_alloc(sizeof(struct places));
}

static void shared_drop(struct place_shared *shared)
{
	if (!shared || atomic_fetch_sub(&shared->holds, 1) != 1)
		return;
	close(shared->fd);
	free(shared);
}

void places_free(struct places *places)
{
	if (!places)
		return;
	for (size_t i = 0; i < SLOT_COUNT; i++)
		shared_drop(places->slots[i].shared);
	free(places);
}

void place_put(struct place *place)
{
	shared_drop(place->shared);
	place->shared = NULL;
	place->fd = -1;
}

/* ---- paths --------------------------------------------------------------------- */

static const char *explicit_path(const struct node *node, uint16_t layer)
{
	if (layer == NO_LAYER)
		return node->dir->redirect;
	for (uint16_t i = 0; i < node->dir->lower_count; i++)
		if (node->dir->lowers[i].layer == layer)
			return node->dir->lowers[i].path;
	return NULL;
}

/*
 * Names from @node upwards, until the root or a directory that a redirect leads to. Written from the
 * end of the buffer; returns the length.
 */
static size_t write_path(struct node *node, uint16_t layer, char *end)
{
	size_t len = 0;

	while (node->names || explicit_path(node, layer)) {
		const char *part = explicit_path(node, layer);
		bool is_last = part != NULL;
		size_t part_len;

		if (!part)
			part = node->names->text;
		part += is_last; /* its own slash */
		part_len = strlen(part);
		len += part_len + 1;
		if (end) {
			end[-(ssize_t)len] = '/';
			memcpy(end - len + 1, part, part_len);
		}
		if (is_last)
			break;
		node = node->names->parent;
	}
	return len;
}

char *place_path(struct node *node, uint16_t layer)
{
	size_t len = write_path(node, layer, NULL);
	char *path = mem_alloc(len + 1);

	write_path(node, layer, path + len);
	return path;
}

/* A path of any length, opened in pieces that a system call takes. */
static int open_path(int root_fd, char *path, struct err *err)
{
	auto_close int fd = -1;
	int from = root_fd;

	while (*path == '/')
		path++;
	for (;;) {
		size_t len = strlen(path);
		char *cut = NULL;
		int next;

		if (len >= PATH_MAX) {
			cut = path + PATH_MAX - 1;
			while (*cut != '/')
				cut--;
			*cut = '\0';
		}
		next = beneath_open(from, path, BENEATH_NO_LINKS, O_PATH | O_DIRECTORY, err);
		if (next < 0)
			return -errno;
		fd_close(&fd);
		fd = from = next;
		if (!cut)
			return fd_steal(&fd);
		path = cut + 1;
	}
}

/* Also for a node that was removed: then there is no path, and no such place. */
static int open_place(struct overlay *overlay, struct node *node, uint16_t layer)
{
	struct err err = ERR_INIT;
	auto_free char *path = NULL;
	int fd;

	pthread_rwlock_rdlock(&overlay->shape);
	if (node != overlay->root && !node->names) {
		pthread_rwlock_unlock(&overlay->shape);
		return node->fd >= 0 && layer == node_layer(node) ?
			       fcntl(node->fd, F_DUPFD_CLOEXEC, 0) :
			       -ENOENT;
	}
	path = place_path(node, layer);
	fd = open_path(overlay->layers[layer].fd, path, &err);
	pthread_rwlock_unlock(&overlay->shape);
	return fd;
}

/* ---- the table ------------------------------------------------------------------- */

static struct slot *slot_of(struct places *places, const struct node *node, uint16_t layer)
{
	return &places->slots[(node->id * 31 + layer) % SLOT_COUNT];
}

static bool find_open(struct slot *slot, const struct node *node, uint16_t layer, struct place *out)
{
	bool is_there;

	latch_lock(&slot->latch);
	is_there = slot->node_id == node->id && slot->layer == layer;
	if (is_there) {
		out->shared = slot->shared;
		atomic_fetch_add(&out->shared->holds, 1);
	}
	latch_unlock(&slot->latch);
	if (is_there)
		out->fd = out->shared->fd;
	return is_there;
}

static void keep_open(struct slot *slot, const struct node *node, uint16_t layer,
		      struct place_shared *shared)
{
	struct place_shared *old;

	atomic_fetch_add(&shared->holds, 1);
	latch_lock(&slot->latch);
	old = slot->shared;
	slot->node_id = node->id;
	slot->layer = layer;
	slot->shared = shared;
	latch_unlock(&slot->latch);
	shared_drop(old);
}

int place_get(struct overlay *overlay, struct node *node, uint16_t layer, struct place *out)
{
	struct slot *slot = slot_of(overlay->places, node, layer);
	int fd;

	if (find_open(slot, node, layer, out))
		return 0;
	fd = open_place(overlay, node, layer);
	if (fd < 0)
		return fd;
	out->shared = mem_alloc(sizeof(*out->shared));
	out->shared->holds = 1;
	out->shared->fd = fd;
	out->fd = fd;
	keep_open(slot, node, layer, out->shared);
	return 0;
}

/* ---- nodes ------------------------------------------------------------------------ */

uint16_t node_layer(const struct node *node)
{
	if (node_is_upper(node))
		return 0;
	return node_is_dir(node) ? node->dir->lowers[0].layer : node->lower;
}

void where_release(struct where *where)
{
	place_put(&where->place);
}

int where_get(struct overlay *overlay, struct node *node, struct where *out)
{
	int r;

	out->name = "";
	out->flags = AT_EMPTY_PATH;
	if (node->fd >= 0) {
		out->fd = node->fd;
		return 0;
	}
	if (node_is_dir(node)) {
		r = place_get(overlay, node, node_layer(node), &out->place);
		out->fd = out->place.fd;
		return r;
	}
	if (!node->names)
		return -ENOENT;
	r = place_get(overlay, node->names->parent, node_layer(node), &out->place);
	out->fd = out->place.fd;
	out->name = node->names->text;
	out->flags = AT_SYMLINK_NOFOLLOW;
	return r;
}

const char *where_path(const struct where *where, char *buf)
{
	if (where->name[0])
		snprintf(buf, WHERE_PATH_MAX, "/proc/self/fd/%d/%s", where->fd, where->name);
	else
		snprintf(buf, WHERE_PATH_MAX, "/proc/self/fd/%d", where->fd);
	return buf;
}

int where_open(const struct where *where, int flags)
{
	char path[WHERE_PATH_MAX];
	int fd;

	if (where->name[0])
		fd = openat(where->fd, where->name, flags | O_NOFOLLOW | O_CLOEXEC);
	else
		fd = open(where_path(where, path), flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
