/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for where the volumes of a container lie, and what is in them at first. */
#include "sandbox/container-volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "layers/merge.h"
#include "storage/mount.h"

#define VOLUMES_DIR "volumes"
#define DIR_FLAGS   (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAME_BYTES  32

static int open_volumes(struct store *store, struct err *err)
{
	auto_free char *path = str_format("%s/" VOLUMES_DIR, store_root_path(store));
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make '%s'", path);
	fd = open(path, DIR_FLAGS);
	return fd < 0 ? err_sys(err, "open '%s'", path) : fd;
}

/* What the image has at @target, where that is a directory; else it is empty, and root's. */
static int fill(const struct volume_room *room, const char *target, int dir_fd, struct err *err)
{
	const enum overlay_ns ns = store_overlay_ns(room->store);
	auto_close int from_fd = -1;

	if (fchmod(dir_fd, 0755) < 0)
		return err_sys(err, "make a volume");
	from_fd = beneath_open(room->view_fd, target, BENEATH_IN_ROOT, O_RDONLY | O_DIRECTORY, err);
	if (from_fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		err_clear(err);
		return 0;
	}
	if (from_fd < 0 || merge_layer(from_fd, dir_fd, ns, err) < 0)
		return -1;
	return entry_copy_metadata(from_fd, dir_fd, ns, target, err);
}

/* Made beside, and published whole: two containers that begin at once have one. */
static int open_named(const struct volume_room *room, const struct volume *volume, struct err *err)
{
	auto_close int volumes_fd = open_volumes(room->store, err);
	auto_tmpdir struct tmpdir tmp = TMPDIR_INIT;
	int fd;

	if (volumes_fd < 0)
		return -1;
	fd = openat(volumes_fd, volume->source, DIR_FLAGS);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return err_sys(err, "open the volume '%s'", volume->source);
	if (tmpdir_make(&tmp, store_tmp_fd(room->store), err) < 0 ||
	    fill(room, volume->target, tmp.fd, err) < 0 ||
	    tmpdir_commit(&tmp, volumes_fd, volume->source, err) < 0)
		return err_prefix(err, "make the volume '%s'", volume->source);
	fd = openat(volumes_fd, volume->source, DIR_FLAGS);
	return fd < 0 ? err_sys(err, "open the volume '%s'", volume->source) : fd;
}

static int make_own(const struct volume_room *room, const char *kind, size_t index, int *out_fd,
		    struct err *err)
{
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "%s-%zu", kind, index);
	if (mkdirat(room->container->dir_fd, name, 0755) < 0)
		return err_sys(err, "make a volume");
	*out_fd = openat(room->container->dir_fd, name, DIR_FLAGS);
	return *out_fd < 0 ? err_sys(err, "open a volume") : 0;
}

static int open_nameless(const struct volume_room *room, const struct volume *volume, size_t index,
			 struct err *err)
{
	auto_close int fd = -1;

	if (make_own(room, "volume", index, &fd, err) < 0 ||
	    fill(room, volume->target, fd, err) < 0)
		return -1;
	return fd_steal(&fd);
}

static int open_overlay(const struct volume_room *room, const struct volume *volume, size_t index,
			struct err *err)
{
	auto_close int lower_fd = openat(volume->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int upper_fd = -1;
	auto_close int work_fd = -1;
	struct mount_request request = { .lowers = &lower_fd, .lower_count = 1 };

	if (lower_fd < 0)
		return err_sys(err, "open '%s'", volume->source);
	if (make_own(room, "over", index, &upper_fd, err) < 0 ||
	    make_own(room, "work", index, &work_fd, err) < 0 ||
	    entry_copy_metadata(lower_fd, upper_fd, store_overlay_ns(room->store), "/", err) < 0)
		return -1;
	request.upper_fd = upper_fd;
	request.work_fd = work_fd;
	return mount_layers(room->store, &request, err);
}

int container_volumes_open(const struct volume_room *room, struct volumes *volumes, struct err *err)
{
	for (size_t i = 0; i < volumes->count; i++) {
		struct volume *volume = &volumes->items[i];
		int fd = -1;

		if (volume->kind == VOLUME_TMPFS ||
		    (volume->kind == VOLUME_BIND && !volume->is_overlay))
			continue;
		if (volume->kind == VOLUME_BIND)
			fd = open_overlay(room, volume, i, err);
		else if (volume->kind == VOLUME_LENT)
			fd = container_open_lent(room->store, volume->source, err);
		else if (volume->source)
			fd = open_named(room, volume, err);
		else
			fd = open_nameless(room, volume, i, err);
		if (fd < 0)
			return err_prefix(err, "volume at '%s'", volume->target);
		fd_close(&volume->fd);
		volume->fd = fd;
	}
	return 0;
}

void container_volumes_describe(const struct volumes *volumes, struct sandbox_description *out)
{
	const bool has_own_ids = sandbox_description_joins(out, SANDBOX_NS_USER);

	for (size_t i = 0; i < volumes->count; i++) {
		const struct volume *volume = &volumes->items[i];
		const unsigned ro = volume->read_only ? SANDBOX_MOUNT_READ_ONLY : 0U;
		/* what is in the store has an image's owners */
		const unsigned owned =
			has_own_ids && volume->kind != VOLUME_BIND ? SANDBOX_MOUNT_OWNED : 0U;

		if (volume->kind == VOLUME_TMPFS)
			sandbox_description_add_mount(out, SANDBOX_MOUNT_TMPFS, volume->target,
						      volume->flags, -1, volume->data);
		else if (volume->is_overlay)
			sandbox_description_add_mount(out, SANDBOX_MOUNT_TREE, volume->target,
						      SANDBOX_MOUNT_NODEV | ro, volume->fd, NULL);
		else
			sandbox_description_add_mount(out, SANDBOX_MOUNT_BIND, volume->target,
						      SANDBOX_MOUNT_RECURSIVE |
							      SANDBOX_MOUNT_NODEV | ro | owned,
						      volume->fd, NULL);
	}
}
