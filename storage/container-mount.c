/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a stopped container's files being shown for longer than a command lasts, and for
 * what was written there becoming the container's own again.
 */
#include "storage/container.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "storage/attach-internal.h"
#include "storage/container-internal.h"
#include "storage/mount.h"
#include "storage/store-internal.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* As when it ran: the image's layers, what was made for it above them, its own on top. */
static int mount_tree(struct store *store, const struct image *image, struct container *container,
		      struct err *err)
{
	size_t count = image->config.diff_id_count;
	auto_free int *fds = mem_array(count + 1, sizeof(*fds));
	struct mount_request request = { .lowers = fds,
					 .upper_fd = container->fs_fd,
					 .work_fd = container->work_fd };
	int mount_fd;

	container->init_fd = openat(container->dir_fd, "init", DIR_FLAGS);
	if (container->init_fd < 0 && errno != ENOENT)
		return err_sys(err, "open the init layer of container '%s'", container->name);
	if (mount_open_layers(store, image->layers, count, fds, err) < 0)
		return -1;
	request.lower_count = count;
	if (container->init_fd >= 0)
		fds[request.lower_count++] = container->init_fd;
	mount_fd = mount_layers(store, &request, err);
	for (size_t i = 0; i < count; i++)
		fd_close(&fds[i]);
	return mount_fd;
}

static int mount_image_of(struct store *store, struct container *container, struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	char name[DIGEST_NAME_MAX];

	if (image_get_for(store, digest_name(&container->image_id, name), NULL, &image, err) < 0)
		return -1;
	return mount_tree(store, &image, container, err);
}

static int attach_at(struct store *store, struct container *container, const char *path,
		     bool is_mounted, struct err *err)
{
	auto_close int mount_fd = mount_image_of(store, container, err);

	if (mount_fd < 0)
		return -1;
	return attach_mount(store,
			    &(struct attachment){ .mount_fd = is_mounted ? mount_fd : -1,
						  .path = path,
						  .image = &container->image_id,
						  .container = container->id },
			    err);
}

/* 1: it is at @path already; 0: it is nowhere. */
static int is_there(struct store *store, const struct container *container, const char *path,
		    struct err *err)
{
	auto_free char *id = NULL;
	bool is_known = false;

	if (attach_sweep(store, err) < 0 || attach_is_known(store, path, &is_known, err) < 0 ||
	    attach_container_at(store, path, &id, err) < 0)
		return -1;
	if (is_known && id && strcmp(id, container->id) == 0)
		return 1;
	if (is_known)
		return err_set(err, ERR_INPUT, "there is something mounted at '%s' already", path);
	return container_check_unmounted(store, container, err);
}

int container_attach(struct store *store, const char *text, const char *target, char **out_path,
		     struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_free char *path = NULL;
	int there;

	if (container_lock(store, text, &container, err) < 0)
		return -1;
	path = target ? str_dup(target)
		      : str_format("%s/containers/%s/work/tree", store_root_path(store),
				   container.id);
	there = is_there(store, &container, path, err);
	if (there < 0)
		return -1;
	if (there == 0 && (container_open_files(&container, err) < 0 ||
			   mount_recover(store, container.fs_fd, container.work_fd, err) < 0 ||
			   attach_at(store, &container, path, target != NULL, err) < 0))
		return err_prefix(err, "mount container '%s'", container.name);
	*out_path = ptr_steal(&path);
	return 0;
}

/* All that was written is in the upper, also where a daemon has kept it back. */
static int flush(const char *path, struct err *err)
{
	auto_close int fd = open(path, DIR_FLAGS);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || syncfs(fd) < 0)
		return err_sys(err, "write out what is at '%s'", path);
	return 0;
}

static int detach_at(struct store *store, const char *path, struct err *err)
{
	auto_free char *trees = str_format("%s/containers/", store_root_path(store));
	auto_free char *own = str_format("%s/mounts/", store_root_path(store));

	if (strncmp(path, trees, strlen(trees)) == 0)
		return attach_forget(store, path, err);
	/* EINVAL: somebody has unmounted it already */
	if (flush(path, err) < 0)
		return -1;
	if (umount2(path, UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return err_sys(err, "unmount '%s'", path);
	if (strncmp(path, own, strlen(own)) == 0 && rmdir(path) < 0 && errno != ENOENT)
		return err_sys(err, "remove '%s'", path);
	return attach_forget(store, path, err);
}

int container_detach(struct store *store, const char *id, size_t *out_count, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_strlist struct strlist paths = STRLIST_INIT;

	if (container_lock(store, id, &container, err) < 0 ||
	    attach_container_paths(store, container.id, &paths, err) < 0)
		return -1;
	for (size_t i = 0; i < paths.count; i++)
		if (detach_at(store, paths.items[i], err) < 0)
			return -1;
	*out_count = paths.count;
	if (paths.count == 0)
		return 0;
	if (container_open_files(&container, err) < 0 ||
	    mount_recover(store, container.fs_fd, container.work_fd, err) < 0)
		return err_prefix(err, "unmount container '%s'", container.name);
	return 0;
}
