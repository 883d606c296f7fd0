/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for devices that are left out of a tree, since only root on the host
 * may make them: which names they had, hard links included, what of them is
 * left at the end, and that they hide what is below as they would have.
 */
#include "layers/unpack-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "layers/whiteout.h"

struct unpack_device {
	struct entry entry; /* `path` has no link in it */
	size_t number;      /* the same for all names of one device */
	UT_hash_handle hh;  /* by entry.path */
};

void unpack_devices_release(struct unpack_devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		entry_release(&devices->items[i]);
	free(devices->items);
	*devices = (struct unpack_devices)UNPACK_DEVICES_INIT;
}

void unpack_devices_forget(struct unpack_tree *tree)
{
	struct unpack_device *device, *next;

	HASH_ITER (hh, tree->devices, device, next) {
		HASH_DEL(tree->devices, device);
		entry_release(&device->entry);
		free(device);
	}
}

void unpack_warn_devices(const char *what, uint64_t devices_skipped)
{
	if (devices_skipped > 0)
		log_warn("%s: %" PRIu64 " device%s left out of the unpacked tree: only root on the"
			 " host may make them",
			 what, devices_skipped, devices_skipped == 1 ? " is" : "s are");
}

/* ---- one ---- */

static struct unpack_device *find(const struct unpack_tree *tree, const char *path)
{
	struct unpack_device *device;

	HASH_FIND_STR(tree->devices, path, device);
	return device;
}

/* Another name with the same content; one that was there is forgotten. */
static void note(struct unpack_tree *tree, char *take_path, const struct entry *from, size_t number)
{
	const struct unpack_owner *owner = &tree->options->owner;
	struct unpack_device *device = mem_alloc(sizeof(*device));
	struct unpack_device *old = find(tree, take_path);
	struct entry *entry = &device->entry;

	*entry = (struct entry){ .type = from->type,
				 .path = take_path,
				 .mode = from->mode,
				 .uid = owner->set ? owner->uid : from->uid,
				 .gid = owner->set ? owner->gid : from->gid,
				 .mtime = from->mtime,
				 .dev_major = from->dev_major,
				 .dev_minor = from->dev_minor };
	xattrs_copy(&entry->xattrs, &from->xattrs);
	device->number = number;
	if (old) {
		HASH_DEL(tree->devices, old);
		entry_release(&old->entry);
		free(old);
	}
	HASH_ADD_KEYPTR(hh, tree->devices, entry->path, strlen(entry->path), device);
}

/* In place of the device, a mark that what is below it at @path is deleted. */
static int hide_below(struct unpack_tree *tree, const char *path, struct err *err)
{
	auto_close int fd = -1;

	if (!tree->options->below_fd)
		return 0;
	fd = beneath_open(*tree->options->below_fd, path, BENEATH_NO_LINKS, O_PATH | O_NOFOLLOW,
			  err);
	if (fd >= 0)
		return unpack_put_whiteout(tree, path, err);
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return -1;
	err_clear(err);
	return 0;
}

static int leave_out(struct unpack_tree *tree, const char *path, const struct entry *from,
		     size_t number, struct err *err)
{
	auto_free char *found = NULL;
	struct place place;
	enum stood stood;

	if (unpack_place(tree, path, &place, err) < 0 ||
	    unpack_clear(tree, &place, &stood, err) < 0)
		return -1;
	found = unpack_place_path(&place);
	if (hide_below(tree, found, err) < 0)
		return -1;
	note(tree, ptr_steal(&found), from, number);
	return 0;
}

int unpack_skip_device(struct unpack_tree *tree, const struct entry *entry, struct err *err)
{
	return leave_out(tree, entry->path, entry, ++tree->device_number, err);
}

/* Something that is more than our mark took the device's place. */
static bool is_taken(const struct unpack_tree *tree, int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !(unpack_is_layer(tree) && whiteout_is(dir_fd, name, &st, tree->options->ns));
}

int unpack_skip_link(struct unpack_tree *tree, const struct entry *entry, bool *out,
		     struct err *err)
{
	const struct unpack_device *device;
	auto_free char *target_path = NULL;
	struct place target;

	*out = false;
	if (!tree->devices || !*entry->link)
		return 0;
	if (unpack_place(tree, entry->link, &target, err) < 0)
		return -1;
	target_path = unpack_place_path(&target);
	device = find(tree, target_path);
	if (!device || is_taken(tree, target.dir_fd, target.name))
		return 0;
	*out = true;
	return leave_out(tree, entry->path, &device->entry, device->number, err);
}

/* ---- the end ---- */

/* What is made of bytes so that a directory's end comes before, and "/" just after it. */
static int rank(char c)
{
	if (c == '\0')
		return 0;
	return c == '/' ? 1 : (unsigned char)c + 1;
}

int unpack_walk_order(const char *path_a, const char *path_b)
{
	while (*path_a && *path_a == *path_b) {
		path_a++;
		path_b++;
	}
	return rank(*path_a) - rank(*path_b);
}

static int by_walk(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	return unpack_walk_order(x->path, y->path);
}

static int by_number(const void *a, const void *b)
{
	const struct unpack_device *const *x = a;
	const struct unpack_device *const *y = b;

	if ((*x)->number != (*y)->number)
		return (*x)->number < (*y)->number ? -1 : 1;
	return unpack_walk_order((*x)->entry.path, (*y)->entry.path);
}

static int is_left_out(const struct unpack_tree *tree, const struct unpack_device *device,
		       bool *out, struct err *err)
{
	char name[NAME_MAX + 1];
	auto_close int dir_fd =
		beneath_parent(tree->root_fd, device->entry.path, BENEATH_NO_LINKS, name, err);

	*out = false;
	if (dir_fd < 0) {
		/* something took its directory's place */
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			return -1;
		err_clear(err);
		return 0;
	}
	*out = !is_taken(tree, dir_fd, name);
	return 0;
}

/* @all is in the order of by_number: names of one device are together, the first of them first. */
static void list(struct unpack_device **all, size_t count, struct unpack_devices *out)
{
	unpack_devices_release(out);
	out->items = mem_array(count, sizeof(*out->items));
	out->count = count;
	for (size_t i = 0, first = 0; i < count; i++) {
		struct entry *entry = &all[i]->entry;

		if (all[i]->number != all[first]->number)
			first = i;
		out->items[i] = *entry;
		out->items[i].path = str_dup(entry->path);
		out->items[i].xattrs = (struct xattrs){ .items = NULL };
		xattrs_copy(&out->items[i].xattrs, &entry->xattrs);
		if (i == first)
			continue;
		out->items[i].type = ENTRY_HARDLINK;
		out->items[i].link = str_dup(all[first]->entry.path);
		out->items[i].dev_major = 0;
		out->items[i].dev_minor = 0;
	}
	qsort(out->items, count, sizeof(*out->items), by_walk);
}

int unpack_devices_finish(struct unpack_tree *tree, uint64_t *out_count, struct err *err)
{
	auto_free struct unpack_device **all =
		mem_array(HASH_COUNT(tree->devices) + 1, sizeof(*all));
	size_t count = 0;

	for (struct unpack_device *device = tree->devices; device; device = device->hh.next) {
		bool stays = false;

		if (is_left_out(tree, device, &stays, err) < 0)
			return -1;
		if (stays)
			all[count++] = device;
	}
	qsort(all, count, sizeof(struct unpack_device *), by_number);
	if (tree->options->out_devices)
		list(all, count, tree->options->out_devices);
	*out_count = count;
	return 0;
}
