/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for layers put together as one tree: which of a request's layers show.
 * How they are put together is the driver's.
 */
#include "storage/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/mem.h"
#include "layers/whiteout.h"
#include "storage/driver-internal.h"
#include "storage/rootdir-internal.h"
#include "storage/store-internal.h"

/*
 * A layer whose root is opaque hides all layers below it. overlayfs does not look
 * for the mark there, so they are not given to it.
 */
static int drop_hidden(struct store *store, struct mount_request *request, struct err *err)
{
	for (size_t i = request->lower_count; i > 1; i--) {
		bool is_opaque = false;

		if (opaque_get(request->lowers[i - 1], store->ns, &is_opaque, err) < 0)
			return err_prefix(err, "mount layers");
		if (!is_opaque)
			continue;
		request->lowers += i - 1;
		request->lower_count -= i - 1;
		return 0;
	}
	return 0;
}

/*
 * A layer may be in a chain more than once (two steps that did the same), and
 * overlayfs refuses that. What its lower places show, its topmost place shows
 * too. @out has room for all.
 */
static int drop_repeated(struct mount_request *request, int *out, struct err *err)
{
	auto_free struct stat *seen = mem_array(request->lower_count + 1, sizeof(*seen));
	size_t first = request->lower_count;

	for (size_t i = request->lower_count; i > 0; i--) {
		struct stat st;
		size_t k = first;

		if (fstat(request->lowers[i - 1], &st) < 0)
			return err_sys(err, "mount layers: stat a layer");
		while (k < request->lower_count &&
		       (seen[k].st_dev != st.st_dev || seen[k].st_ino != st.st_ino))
			k++;
		if (k < request->lower_count)
			continue;
		seen[--first] = st;
		out[first] = request->lowers[i - 1];
	}
	request->lower_count -= first;
	request->lowers = out + first;
	return 0;
}

int mount_check_owners(const struct store *store, const struct mount_driver *driver,
		       struct err *err)
{
	if (store->ns == OVERLAY_RECORDED)
		return err_set(
			err, ERR_INPUT,
			"the owners of files cannot be shown as others where there is one id: "
			"that needs subordinate ids, or root of the host");
	if (store->ns == OVERLAY_TRUSTED ? driver->has_owners : driver->has_owners_of_users)
		return 0;
	return err_set(err, ERR_INPUT, "the %s driver cannot show the owners of files as others%s",
		       driver->name,
		       driver->has_owners ? " but for root of the host: the fuse driver can" : "");
}

int mount_layers(struct store *store, const struct mount_request *request, struct err *err)
{
	auto_free int *lowers = mem_array(request->lower_count + 1, sizeof(*lowers));
	auto_free int *distinct = mem_array(request->lower_count + 1, sizeof(*distinct));
	const struct mount_driver *driver = mount_driver_get(store, err);
	struct mount_request shown = *request;
	auto_close int root_fd = -1;

	if (!driver)
		return -1;
	for (size_t i = 0; i < request->lower_count; i++)
		lowers[i] = request->lowers[i];
	shown.lowers = lowers;
	/* an upper has been given the looks of the view below it */
	if (request->upper_fd < 0 && rootdir_open(store, request, &root_fd, err) < 0)
		return err_prefix(err, "mount layers");
	if (root_fd >= 0)
		lowers[shown.lower_count++] = root_fd;
	if (drop_hidden(store, &shown, err) < 0 || drop_repeated(&shown, distinct, err) < 0)
		return -1;
	if (shown.owners && mount_check_owners(store, driver, err) < 0)
		return -1;
	if (driver->lowers_max > 0 && shown.lower_count > driver->lowers_max)
		return err_set(err, ERR_INPUT,
			       "%zu layers are more than the %s driver can put together (%zu)",
			       shown.lower_count, driver->name, driver->lowers_max);
	return driver->mount(store, &shown, err);
}

int mount_attach(int mount_fd, const char *target, bool read_only, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (read_only && mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "make the mount at '%s' read-only", target);
	if (move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "mount at '%s'", target);
	return 0;
}

int mount_open_layers(struct store *store, const struct layer *layers, size_t count, int *out_fds,
		      struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		out_fds[i] = layer_open(store, &layers[i], err);
		if (out_fds[i] >= 0)
			continue;
		while (i > 0)
			fd_close(&out_fds[--i]);
		return -1;
	}
	return 0;
}

int mount_view(struct store *store, const struct layer *layers, size_t count, struct err *err)
{
	return mount_view_for(store, layers, count, NULL, err);
}

int mount_view_for(struct store *store, const struct layer *layers, size_t count,
		   const struct mount_owners *owners, struct err *err)
{
	auto_free int *fds = mem_array(count + 1, sizeof(*fds));
	struct mount_request request = {
		.lowers = fds, .lower_count = count, .upper_fd = -1, .work_fd = -1, .owners = owners
	};
	int mount_fd;

	if (mount_open_layers(store, layers, count, fds, err) < 0)
		return -1;
	mount_fd = mount_layers(store, &request, err);
	for (size_t i = 0; i < count; i++)
		fd_close(&fds[i]);
	return mount_fd;
}

const char *const *mount_covered(void)
{
	static const char *const names[] = { "dev", "proc", "sys", NULL };

	return isolation_current() == ISOLATION_CHROOT ? names : NULL;
}

int mount_collect(struct store *store, const struct mount_request *request, struct err *err)
{
	const struct mount_driver *driver = mount_driver_get(store, err);

	if (!driver)
		return -1;
	return driver->collect ? driver->collect(store, request, err) : 0;
}

int mount_directory(int dir_fd, bool is_read_only, struct err *err)
{
	auto_close int fd =
		open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	/* nothing can be mounted: the directory itself */
	if (fd < 0 && errno == EPERM && isolation_current() == ISOLATION_CHROOT)
		fd = openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	else if (fd >= 0 && is_read_only &&
		 mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "mount layers: make it read-only");
	if (fd < 0)
		return err_sys(err, "mount layers: open a directory as a tree");
	return fd_steal(&fd);
}
