/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the set of layers: opening them, and what each can do, which is found out here once
 * and never again.
 */
#include "fuse-overlay/overlay-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tree.h"
#include "fuse-overlay/apart.h"
#include "fuse-overlay/attr.h"
#include "fuse-overlay/claim.h"
#include "fuse-overlay/handle.h"
#include "fuse-overlay/idmapped.h"
#include "fuse-overlay/listing.h"
#include "fuse-overlay/node.h"
#include "fuse-overlay/place.h"

#define LAYERS_MAX 4096
#define TRIAL	   "#trial"

struct node *overlay_root(struct overlay *overlay)
{
	return overlay->root;
}

const struct options *overlay_options(const struct overlay *overlay)
{
	return overlay->options;
}

bool overlay_is_writable(const struct overlay *overlay)
{
	return overlay->has_upper;
}

/* ---- layers ------------------------------------------------------------------------- */

static int open_layer(const char *path, struct layer *layer, struct err *err)
{
	auto_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(err, "open layer '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat layer '%s'", path);
	layer->dev = st.st_dev;
	layer->has_whiteout_files = true;
	layer->has_redirects = true;
	layer->fd = fd_steal(&fd);
	return 0;
}

/* Number the file systems in the order in which they come. */
static void count_devices(struct overlay *overlay)
{
	for (uint16_t i = 0; i < overlay->layer_count; i++) {
		struct layer *layer = &overlay->layers[i];
		uint16_t same = 0;

		while (same < i && overlay->layers[same].dev != layer->dev)
			same++;
		layer->device = same < i ? overlay->layers[same].device : overlay->device_count++;
	}
}

/* What is written must not appear in a layer that is not. */
static int check_lowers(const struct overlay *overlay, struct err *err)
{
	for (uint16_t i = 1; overlay->has_upper && i < overlay->layer_count; i++)
		if (apart_is_same(overlay->layers[i].fd, overlay->layers[0].fd))
			return err_set(err, ERR_USAGE,
				       "upper directory '%s' is a lower directory, too",
				       overlay->options->upper);
	return 0;
}

static int open_layers(struct overlay *overlay, struct err *err)
{
	const struct options *options = overlay->options;
	size_t count = options->lowers.count + (options->upper ? 1 : 0);

	if (count == 0 || options->lowers.count == 0)
		return err_set(err, ERR_USAGE, "no layers: 'lowerdir' is missing");
	if (count > LAYERS_MAX)
		return err_set(err, ERR_USAGE, "%zu layers are more than %d", count, LAYERS_MAX);
	overlay->layers = mem_array(count, sizeof(*overlay->layers));
	for (size_t i = 0; i < count; i++)
		overlay->layers[i].fd = -1;
	overlay->layer_count = (uint16_t)count;
	overlay->has_upper = options->upper != NULL;
	if (overlay->has_upper) {
		if (open_layer(options->upper, &overlay->layers[0], err) < 0)
			return -1;
		overlay->layers[0].is_upper = true;
	}
	for (size_t i = 0; i < options->lowers.count; i++)
		if (open_layer(options->lowers.items[i],
			       &overlay->layers[i + (overlay->has_upper ? 1 : 0)], err) < 0)
			return -1;
	for (uint16_t i = 0; i < overlay->layer_count; i++)
		overlay->layers[i].is_idmapped = mapping_is_given(&options->mapping) &&
						 !overlay->layers[i].is_upper &&
						 idmapped_is(overlay->layers[i].fd);
	count_devices(overlay);
	return check_lowers(overlay, err);
}

/* ---- the upper ------------------------------------------------------------------------- */

/*
 * A directory of our own in the work directory, as the kernel does it. What is in there is left
 * from somebody who was killed, and nobody's.
 */
static int open_work(struct overlay *overlay, struct err *err)
{
	const char *path = overlay->options->work;
	auto_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int work_fd = -1;
	struct stat st;

	if (fd < 0)
		return err_sys(err, "open work directory '%s'", path);
	if (apart_is_within(fd, overlay->layers[0].fd) || apart_is_within(overlay->layers[0].fd, fd))
		return err_set(err, ERR_USAGE,
			       "work directory '%s' and the upper directory lie in one another", path);
	if (claim_dir(overlay->layers[0].fd, overlay->options->upper, &overlay->claims[0], err) < 0 ||
	    claim_dir(fd, path, &overlay->claims[1], err) < 0)
		return -1;
	if (tree_remove(fd, "work", err) < 0)
		return err_prefix(err, "clear work directory '%s'", path);
	if (mkdirat(fd, "work", 0700) < 0)
		return err_sys(err, "make '%s/work'", path);
	work_fd = openat(fd, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (work_fd < 0 || fstat(work_fd, &st) < 0)
		return err_sys(err, "open '%s/work'", path);
	if (st.st_dev != overlay->layers[0].dev)
		return err_set(err, ERR_USAGE,
			       "work directory '%s' is not on the file system of the upper directory",
			       path);
	overlay->work_fd = fd_steal(&work_fd);
	return 0;
}

static bool try_xattr(int fd, const char *name)
{
	if (fsetxattr(fd, name, "y", 1, 0) < 0)
		return false;
	fremovexattr(fd, name);
	return true;
}

static void probe_xattrs(struct overlay *overlay)
{
	if (overlay->options->no_xattrs)
		return;
	if (overlay->options->marks != MARKS_USER &&
	    try_xattr(overlay->work_fd, "trusted.overlay.opaque"))
		overlay->xattr_prefix = "trusted.overlay.";
	else if (overlay->options->marks != MARKS_TRUSTED &&
		 try_xattr(overlay->work_fd, "user.overlay.opaque"))
		overlay->xattr_prefix = "user.overlay.";
}

/* Security attributes of the file system below are not a namespace's to write. */
static void probe_permissions(struct overlay *overlay)
{
	if (overlay->permissions == XATTR_PERMISSIONS_PRIVILEGED &&
	    !try_xattr(overlay->work_fd, stat_override_name(overlay->permissions)))
		overlay->permissions = XATTR_PERMISSIONS_USER;
}

static void probe_whiteouts(struct overlay *overlay)
{
	int work_fd = overlay->work_fd;

	overlay->whiteouts = WHITEOUT_DOT_FILE;
	if (overlay->options->no_device_whiteouts)
		return;
	if (mknodat(work_fd, TRIAL, S_IFCHR, 0) < 0) {
		/* as on another overlay */
		if (overlay->xattr_prefix)
			overlay->whiteouts = WHITEOUT_ATTRIBUTE;
		return;
	}
	unlinkat(work_fd, TRIAL, 0);
	overlay->whiteouts = WHITEOUT_DEVICE;
	if (mknodat(work_fd, TRIAL, S_IFREG | 0600, 0) < 0)
		return;
	overlay->can_rename_whiteout =
		renameat2(work_fd, TRIAL, work_fd, TRIAL "2", RENAME_WHITEOUT) == 0;
	unlinkat(work_fd, TRIAL, 0);
	unlinkat(work_fd, TRIAL "2", 0);
}

static bool is_empty_dir(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t count = 0;

	if (!dir)
		return false;
	while (count < 3 && readdir(dir))
		count++;
	closedir(dir);
	return count < 3;
}

static int prepare_upper(struct overlay *overlay, struct err *err)
{
	struct layer *upper = &overlay->layers[0];

	if (!overlay->has_upper)
		return 0;
	if (open_work(overlay, err) < 0)
		return -1;
	probe_xattrs(overlay);
	probe_permissions(overlay);
	probe_whiteouts(overlay);
	overlay->has_origins = true;
	if (is_empty_dir(upper->fd)) {
		/* what is in there in future is known */
		overlay->has_origins = false;
		upper->has_whiteout_files = overlay->whiteouts == WHITEOUT_DOT_FILE;
		upper->has_redirects = overlay->options->redirect_dirs;
	}
	return 0;
}

/* ---- the root ---------------------------------------------------------------------------- */

static int make_root(struct overlay *overlay, struct err *err)
{
	uint16_t first = overlay->has_upper ? 1 : 0;
	struct node_draft draft = { .type = S_IFDIR, .is_upper = overlay->has_upper };
	struct layer *shown = &overlay->layers[first];
	struct stat st;

	if (fstat(shown->fd, &st) < 0)
		return err_sys(err, "stat the topmost layer");
	draft.lower = NO_LAYER;
	draft.ino = attr_ino(overlay, shown, st.st_ino);
	draft.dir = dir_new((uint16_t)(overlay->layer_count - first));
	for (uint16_t i = first; i < overlay->layer_count; i++)
		draft.dir->lowers[i - first].layer = i;
	overlay->root = node_new(&draft);
	return 0;
}

int overlay_open(struct overlay **out, const struct options *options, struct err *err)
{
	struct overlay *overlay = mem_alloc(sizeof(*overlay));
	pthread_rwlockattr_t attributes;

	overlay->options = options;
	overlay->permissions = options->xattr_permissions;
	overlay->work_fd = overlay->claims[0] = overlay->claims[1] = -1;
	overlay->table = table_new();
	overlay->places = places_new();
	overlay->listings = listings_new();
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&overlay->shape, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	if (open_layers(overlay, err) < 0 || prepare_upper(overlay, err) < 0 ||
	    make_root(overlay, err) < 0) {
		overlay_free(overlay);
		return -1;
	}
	*out = overlay;
	return 0;
}

void overlay_free(struct overlay *overlay)
{
	if (!overlay)
		return;
	handles_free(overlay);
	/* first what others may be waiting for: to unmount the file system of a layer */
	places_free(overlay->places);
	for (uint16_t i = 0; overlay->layers && i < overlay->layer_count; i++)
		fd_close(&overlay->layers[i].fd);
	fd_close(&overlay->work_fd);
	for (size_t i = 0; i < 2; i++)
		fd_close(&overlay->claims[i]);
	free(overlay->layers);
	table_free_nodes(overlay);
	if (overlay->root) {
		dir_free(overlay->root->dir);
		free(overlay->root);
	}
	listings_free(overlay->listings);
	table_free(overlay->table);
	pthread_rwlock_destroy(&overlay->shape);
	free(overlay);
}

int overlay_statfs(struct overlay *overlay, struct statvfs *out)
{
	return fstatvfs(overlay->layers[0].fd, out) < 0 ? -errno : 0;
}
