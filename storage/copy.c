/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy driver: layers put together as plain directories, for places where no union
 * can be mounted. Answers for where those directories are and when they go. A view is made
 * of further names of the layers' files; a tree to work in of copies, with an inventory
 * by which what was changed is found again.
 *
 *   tmp/X/N/          views of this process, as long as its store is open (others: view.c)
 *   WORK/tree/        what somebody works in
 *   WORK/inventory    what it was at the beginning
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/tmpfile.h"
#include "common/tree.h"
#include "storage/driver-internal.h"
#include "storage/inventory-internal.h"
#include "storage/flatten-internal.h"
#include "storage/store-internal.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* The empty directory @dir_fd, looking like a root of which no layer says anything. */
static int take_tree(int dir_fd, struct err *err)
{
	const struct timespec times[2] = { { .tv_sec = 0 }, { .tv_sec = 0 } };
	auto_close int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0 || fchmod(fd, 0755) < 0 || futimens(fd, times) < 0)
		return err_sys(err, "open a directory for layers");
	return fd_steal(&fd);
}

static int make_tree(int dir_fd, const char *name, struct err *err)
{
	auto_close int fd = -1;

	if (mkdirat(dir_fd, name, 0755) < 0)
		return err_sys(err, "make a directory for layers");
	fd = openat(dir_fd, name, DIR_FLAGS);
	return fd < 0 ? err_sys(err, "open a directory for layers") : take_tree(fd, err);
}

static int flatten_lowers(struct store *store, const struct mount_request *request,
			  enum flatten_how how, int tree_fd, struct err *err)
{
	for (size_t i = 0; i < request->lower_count; i++)
		if (flatten_layer(request->lowers[i], tree_fd, store->ns, how, err) < 0)
			return -1;
	return 0;
}

/* A place for one more view. */
static int make_view(struct store *store, struct err *err)
{
	char name[24];
	int fd = -1;

	pthread_mutex_lock(&store->lock);
	if (store->views.fd >= 0 || tmpdir_make(&store->views, store->tmp_fd, err) == 0) {
		snprintf(name, sizeof(name), "%u", store->view_count++);
		fd = make_tree(store->views.fd, name, err);
	}
	pthread_mutex_unlock(&store->lock);
	return fd;
}

static int show_view(struct store *store, const struct mount_request *request, struct err *err)
{
	const bool is_written_to = request->lasting_fd && isolation_current() == ISOLATION_CHROOT;
	auto_close int tree_fd =
		request->lasting_fd ? take_tree(*request->lasting_fd, err) : make_view(store, err);

	/* nothing keeps anybody from writing to what is no mount */
	if (tree_fd < 0 ||
	    flatten_lowers(store, request, is_written_to ? FLATTEN_COPY : FLATTEN_LINK, tree_fd,
			   err) < 0)
		return -1;
	return mount_directory(tree_fd, true, err);
}

static int open_inventory(int work_fd, int flags, struct err *err)
{
	int fd = openat(work_fd, "inventory", flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(err, "open the inventory of a tree") : fd;
}

/* What an earlier use left: a container that is started again goes on from its upper. */
static int clear_work(int work_fd, struct err *err)
{
	if (tree_remove(work_fd, "tree", err) < 0)
		return -1;
	return tree_remove(work_fd, "inventory", err);
}

static int show_tree(struct store *store, const struct mount_request *request, struct err *err)
{
	auto_close int inventory_fd = -1;
	auto_close int tree_fd = -1;

	if (clear_work(request->work_fd, err) < 0)
		return -1;
	tree_fd = make_tree(request->work_fd, "tree", err);
	if (tree_fd < 0 || flatten_lowers(store, request, FLATTEN_COPY, tree_fd, err) < 0 ||
	    flatten_layer(request->upper_fd, tree_fd, store->ns, FLATTEN_COPY, err) < 0)
		return -1;
	inventory_fd = open_inventory(request->work_fd, O_CREAT | O_EXCL, err);
	if (inventory_fd < 0 || inventory_take(tree_fd, inventory_fd, err) < 0)
		return -1;
	return mount_directory(tree_fd, false, err);
}

static int copy_mount(struct store *store, const struct mount_request *request, struct err *err)
{
	int fd = request->upper_fd < 0 ? show_view(store, request, err)
				       : show_tree(store, request, err);

	return fd < 0 ? err_prefix(err, "mount layers") : fd;
}

static int copy_collect(struct store *store, const struct mount_request *request, struct err *err)
{
	auto_close int inventory_fd = open_inventory(request->work_fd, 0, err);
	auto_close int tree_fd = -1;

	if (inventory_fd < 0)
		return -1;
	tree_fd = openat(request->work_fd, "tree", DIR_FLAGS);
	if (tree_fd < 0)
		return err_sys(err, "open the tree of a mount");
	if (inventory_collect(tree_fd, inventory_fd, request, store->ns, err) < 0)
		return -1;
	return clear_work(request->work_fd, err);
}

static int copy_probe(struct store *store, struct err *err)
{
	auto_close int fd = mount_directory(store->empty_fd, true, err);

	return fd < 0 ? -1 : 0;
}

const struct mount_driver mount_driver_copy = {
	.name = "copy",
	.description = "plain directories, copied for each step",
	.needs_room = true,
	.probe = copy_probe,
	.mount = copy_mount,
	.collect = copy_collect,
};
