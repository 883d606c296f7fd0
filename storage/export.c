/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for whole root file systems as a tar: the layers are put together by the mount
 * driver, and the tree is packed as it shows.
 */
#include "storage/export.h"

#include <fcntl.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/diff.h"
#include "layers/pack.h"
#include "storage/container.h"
#include "storage/mount.h"

static int pack_tree(struct store *store, int root_fd, struct sink *sink, struct err *err)
{
	auto_pack struct pack *pack = pack_new(sink);
	struct diff_options options = DIFF_OPTIONS_INIT;
	/* a mount's descriptor is only a place to start from */
	auto_close int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open the tree");
	options.ns = store_overlay_ns(store);
	if (diff_whole_tree(fd, &options, pack_diff_fn, pack, err) < 0 ||
	    pack_finish(pack, err) < 0)
		return -1;
	return sink_finish(sink, err);
}

int export_image(struct store *store, const struct image *image, struct sink *sink, struct err *err)
{
	auto_close int view_fd = mount_view(store, image->layers, image->config.diff_id_count, err);

	if (view_fd < 0)
		return -1;
	return pack_tree(store, view_fd, sink, err);
}

/*
 * What the container wrote goes on top of the image; the init layer's stubs stay out. It cannot
 * be mounted elsewhere meanwhile: we hold its lock.
 */
static int mount_container(struct store *store, const struct image *image,
			   const struct container *container, struct err *err)
{
	size_t count = image->config.diff_id_count;
	auto_free int *fds = mem_array(count + 1, sizeof(*fds));
	struct mount_request request = {
		.lowers = fds, .lower_count = count + 1, .upper_fd = -1, .work_fd = -1
	};
	int view_fd;

	if (mount_open_layers(store, image->layers, count, fds, err) < 0)
		return -1;
	fds[count] = container->fs_fd;
	view_fd = mount_layers(store, &request, err);
	for (size_t i = 0; i < count; i++)
		fd_close(&fds[i]);
	return view_fd;
}

int export_container(struct store *store, const char *text, struct sink *sink, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_image struct image image = IMAGE_INIT;
	auto_close int view_fd = -1;
	char id[DIGEST_NAME_MAX];

	if (container_open(store, text, &container, err) < 0 ||
	    image_get(store, digest_name(&container.image_id, id), NULL, &image, err) < 0)
		return -1;
	view_fd = mount_container(store, &image, &container, err);
	if (view_fd < 0)
		return -1;
	return pack_tree(store, view_fd, sink, err);
}
