/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for attributes: owners through the mapping, inode numbers that stay with a file when it
 * is copied up and are unique over several file systems.
 */
#include "fuse-overlay/attr.h"

#include <errno.h>
#include <fcntl.h>

#include "common/fd.h"
#include "fuse-overlay/listing.h"

/*
 * Numbers of the first file system are shown as they are. Those of others have the file
 * system's index in the top bits, which the numbers of real file systems leave free; one that
 * uses them is mixed.
 */
uint64_t attr_ino(const struct overlay *overlay, const struct layer *layer, ino_t ino)
{
	unsigned int bits = 1;
	uint64_t mixed = ino;

	while ((1u << bits) < overlay->device_count)
		bits++;
	if (overlay->device_count <= 1 || (layer->device == 0 && ino >> (64 - bits) == 0))
		return ino;
	if (ino >> (64 - bits) != 0) {
		mixed *= 0x9E3779B97F4A7C15u;
		mixed = (mixed ^ (mixed >> 29)) >> bits;
	}
	return mixed | ((uint64_t)layer->device << (64 - bits));
}

static int load_override(struct overlay *overlay, int fd, const char *name, int flags,
			 struct stat *st)
{
	auto_close int opened = -1;

	if (name[0]) {
		opened = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (opened < 0)
			return -errno;
	}
	return stat_override_load(name[0] ? opened : fd, overlay->permissions, st);
}

int attr_load(struct overlay *overlay, int fd, const char *name, int flags, struct stat *st)
{
	if (fstatat(fd, name, st, flags) < 0)
		return -errno;
	if (overlay->permissions == XATTR_PERMISSIONS_NONE)
		return 0;
	return load_override(overlay, fd, name, flags, st);
}

void attr_unshift(const struct overlay *overlay, uint16_t layer, struct stat *st)
{
	if (overlay->layers[layer].is_idmapped)
		mapping_store(&overlay->options->mapping, &st->st_uid, &st->st_gid);
}

/*
 * A directory has a link for itself and one for each directory in it. What is in a merged one is
 * counted once, and from then on kept up.
 */
static nlink_t dir_nlink(struct overlay *overlay, struct node *node, nlink_t on_disk)
{
	int count;

	if (overlay->options->static_nlink)
		return 1;
	if (node->fd >= 0)
		return 0;
	if (node->dir->lower_count + (node_is_upper(node) ? 1 : 0) < 2)
		return on_disk;
	count = dir_count(node);
	if (count == UNKNOWN_SUBDIRS)
		count = listing_count_dirs(overlay, node);
	/* who cannot be counted has 1, which find(1) takes for that */
	return count < 0 ? 1 : (nlink_t)count + 2;
}

void attr_show(struct overlay *overlay, struct node *node, struct stat *st)
{
	const struct options *options = overlay->options;

	mapping_show(&options->mapping, st);
	st->st_ino = options->is_ino32 ? (uint32_t)node->ino : node->ino;
	/* one name of a lower file is hidden, which the layer does not know */
	if (!node_is_dir(node) && atomic_load(&node->fd) >= 0 && !node_is_upper(node) && st->st_nlink > 0)
		st->st_nlink--;
	if (node_is_dir(node))
		st->st_nlink = dir_nlink(overlay, node, st->st_nlink);
}

int attr_get(struct overlay *overlay, struct node *node, struct stat *out)
{
	auto_where struct where where = WHERE_INIT;
	int r = where_get(overlay, node, &where);

	if (r == 0)
		r = attr_load(overlay, where.fd, where.name, where.flags, out);
	if (r < 0)
		return r;
	attr_unshift(overlay, node_layer(node), out);
	attr_show(overlay, node, out);
	return 0;
}
