/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy driver: layers put together as plain directories, for places where no union
 * can be mounted. Answers for where those directories are and when they go. A view is made
 * of further names of the layers' files; a tree to work in of copies, with an inventory
 * by which what was changed is found again.
 *
 *   tmp/X/N/          views of this process, as long as its store is open (others: view.c)
 *   WORK/tree/        what somebody works in
 *   WORK/inventory    what it was at the beginning: there as soon as the tree is whole
 *   WORK/kin          which of its files are copies of one
 *
 * Where the upper holds something already, the inventory is of what lies below it, and what was
 * changed since is a whole new upper:
 *
 *   WORK/changes/     it is collected here
 *   WORK/collected/   it has been, and the old one is to go
 *   WORK/moving/      the old one is gone, and it goes into its place
 *
 * Each of these steps can be killed, and is done again from where it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/tmpfile.h"
#include "common/strlist.h"
#include "common/tree.h"
#include "layers/entry.h"
#include "layers/walk.h"
#include "storage/driver-internal.h"
#include "storage/inventory-internal.h"
#include "storage/kin-internal.h"
#include "storage/flatten-internal.h"
#include "storage/store-internal.h"

#define INVENTORY "inventory"
#define CHANGES   "changes"
#define COLLECTED "collected"
#define MOVING    "moving"
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

/* A layer of a store that is only read: a further name of a file would be written there. */
static bool is_of_added(const struct store *store, int lower_fd)
{
	struct stat layers;
	struct stat st;

	if (store->added_count == 0 || fstatat(lower_fd, "../..", &layers, 0) < 0)
		return false;
	for (size_t i = 0; i < store->added_count; i++)
		if (fstat(store->added[i]->layers_fd, &st) == 0 && st.st_dev == layers.st_dev &&
		    st.st_ino == layers.st_ino)
			return true;
	return false;
}

static enum flatten_how as_copies(enum flatten_how how)
{
	return how == FLATTEN_SHOW || how == FLATTEN_SHOW_COPY ? FLATTEN_SHOW_COPY : FLATTEN_COPY;
}

static int flatten_lowers(struct store *store, const struct mount_request *request,
			  enum flatten_how how, int tree_fd, int kin_fd, struct err *err)
{
	for (size_t i = 0; i < request->lower_count; i++) {
		const bool is_added = is_of_added(store, request->lowers[i]);

		if (flatten_layer(request->lowers[i], tree_fd, store->ns,
				  is_added ? as_copies(how) : how, kin_fd, err) < 0)
			return -1;
	}
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
	const enum flatten_how how = request->lasting_fd ? FLATTEN_SHOW : FLATTEN_LINK;
	const bool is_written_to = request->lasting_fd && isolation_current() == ISOLATION_CHROOT;
	auto_close int tree_fd =
		request->lasting_fd ? take_tree(*request->lasting_fd, err) : make_view(store, err);

	/* nothing keeps anybody from writing to what is no mount */
	if (tree_fd < 0 || flatten_lowers(store, request, is_written_to ? as_copies(how) : how,
					  tree_fd, -1, err) < 0)
		return -1;
	if (request->lower_count > 0 && flatten_root(request->lowers[request->lower_count - 1],
						     tree_fd, store->ns, how, err) < 0)
		return -1;
	return mount_directory(tree_fd, true, err);
}

/* A copy of what it lies in would have no end: a directory of the host, shown by "O". */
static int check_outside(const struct mount_request *request, int tree_fd, struct err *err)
{
	auto_close int at_fd = openat(tree_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st, lower, last = { .st_ino = 0 };

	while (at_fd >= 0 && fstat(at_fd, &st) == 0) {
		int up_fd;

		if (st.st_dev == last.st_dev && st.st_ino == last.st_ino)
			return 0; /* the root's parent is the root */
		for (size_t i = 0; i < request->lower_count; i++)
			if (fstat(request->lowers[i], &lower) == 0 && lower.st_dev == st.st_dev &&
			    lower.st_ino == st.st_ino)
				return err_set(err, ERR_INPUT,
					       "the copy driver cannot show a directory that the "
					       "store lies in");
		last = st;
		up_fd = openat(at_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(&at_fd);
		at_fd = up_fd;
	}
	return err_sys(err, "look for the directories above the store");
}

static int open_list(int work_fd, const char *name, int flags, struct err *err)
{
	int fd = openat(work_fd, name, flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(err, "open the %s of a tree", name) : fd;
}

/* What an earlier use left; without the inventory the rest says nothing. */
static int clear_work(int work_fd, struct err *err)
{
	static const char *const names[] = { INVENTORY, "inventory.new", "tree", "kin", CHANGES };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (tree_remove(work_fd, names[i], err) < 0)
			return -1;
	return 0;
}

static int has_names(int dir_fd, bool *out, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(dir_fd, &names, "an upper", err) < 0)
		return -1;
	*out = names.count > 0;
	return 0;
}

/* The place for a new upper instead of the one that the request has. */
static int make_changes(struct store *store, const struct mount_request *request, struct err *err)
{
	auto_close int fd = -1;

	if (mkdirat(request->work_fd, CHANGES, 0700) < 0)
		return err_sys(err, "make a directory for changes");
	fd = openat(request->work_fd, CHANGES, DIR_FLAGS);
	if (fd < 0)
		return err_sys(err, "open a directory for changes");
	return entry_copy_on_disk(request->upper_fd, fd, store->ns, "/", err);
}

/*
 * Upper and all into the tree. The files of an upper are the container's own, so that further
 * names of them do, and those with several names stay one.
 */
static int add_upper(struct store *store, const struct mount_request *request, int tree_fd,
		     bool goes_on, struct err *err)
{
	if (goes_on && make_changes(store, request, err) < 0)
		return -1;
	return flatten_layer(request->upper_fd, tree_fd, store->ns,
			     goes_on ? FLATTEN_SHOW : FLATTEN_COPY, -1, err);
}

static int take_inventory(const struct mount_request *request, int tree_fd, struct err *err)
{
	auto_close int fd = open_list(request->work_fd, "inventory.new", O_CREAT | O_EXCL, err);

	return fd < 0 ? -1 : inventory_take(tree_fd, fd, err);
}

static int show_tree(struct store *store, const struct mount_request *request, struct err *err)
{
	auto_close int kin_fd = -1;
	auto_close int tree_fd = -1;
	bool goes_on = false;

	if (clear_work(request->work_fd, err) < 0 ||
	    has_names(request->upper_fd, &goes_on, err) < 0)
		return -1;
	tree_fd = make_tree(request->work_fd, "tree", err);
	kin_fd = tree_fd < 0 ? -1 : open_list(request->work_fd, "kin", O_CREAT | O_EXCL, err);
	if (kin_fd < 0 || check_outside(request, tree_fd, err) < 0 ||
	    flatten_lowers(store, request, FLATTEN_COPY, tree_fd, kin_fd, err) < 0)
		return -1;
	if (goes_on && take_inventory(request, tree_fd, err) < 0)
		return -1;
	if (add_upper(store, request, tree_fd, goes_on, err) < 0)
		return -1;
	if (!goes_on && take_inventory(request, tree_fd, err) < 0)
		return -1;
	if (renameat(request->work_fd, "inventory.new", request->work_fd, INVENTORY) < 0)
		return err_sys(err, "keep the inventory of a tree");
	return mount_directory(tree_fd, false, err);
}

static int copy_mount(struct store *store, const struct mount_request *request, struct err *err)
{
	int fd = request->upper_fd < 0 ? show_view(store, request, err)
				       : show_tree(store, request, err);

	return fd < 0 ? err_prefix(err, "mount layers") : fd;
}

/* ---- what was written, into the upper ---- */

static bool has(int work_fd, const char *name)
{
	return faccessat(work_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_dir(int work_fd, const char *name, struct err *err)
{
	int fd = openat(work_fd, name, DIR_FLAGS);

	return fd < 0 ? err_sys(err, "open the %s of a mount", name) : fd;
}

static int collect_into(struct store *store, const struct mount_request *request, int upper_fd,
			struct err *err)
{
	auto_close int inventory_fd = open_list(request->work_fd, INVENTORY, 0, err);
	struct mount_request target = *request;
	auto_close int kin_fd = -1;
	auto_close int tree_fd = -1;
	auto_kin struct kin kin = KIN_INIT;

	target.upper_fd = upper_fd;
	if (inventory_fd < 0)
		return -1;
	kin_fd = open_list(request->work_fd, "kin", 0, err);
	if (kin_fd < 0 || kin_load(kin_fd, &kin, err) < 0)
		return -1;
	tree_fd = open_dir(request->work_fd, "tree", err);
	if (tree_fd < 0)
		return -1;
	return inventory_collect(tree_fd, inventory_fd, &kin, &target, store->ns, err);
}

static int collect_changes(struct store *store, const struct mount_request *request,
			   struct err *err)
{
	auto_close int fd = open_dir(request->work_fd, CHANGES, err);

	if (fd < 0 || collect_into(store, request, fd, err) < 0)
		return -1;
	if (renameat(request->work_fd, CHANGES, request->work_fd, COLLECTED) < 0)
		return err_sys(err, "keep the changes of a mount");
	return 0;
}

static int move_all(const struct mount_request *request, struct err *err)
{
	auto_close int from_fd = open_dir(request->work_fd, MOVING, err);
	auto_strlist struct strlist names = STRLIST_INIT;

	if (from_fd < 0 || walk_names(from_fd, &names, MOVING, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (renameat(from_fd, names.items[i], request->upper_fd, names.items[i]) < 0)
			return err_sys(err, "move '%s' into an upper", names.items[i]);
	return 0;
}

/* The root's looks are taken before names are moved out of it: their times go with them. */
static int copy_root(struct store *store, const struct mount_request *request, struct err *err)
{
	auto_close int from_fd = open_dir(request->work_fd, COLLECTED, err);

	if (from_fd < 0)
		return -1;
	return entry_copy_on_disk(from_fd, request->upper_fd, store->ns, "/", err);
}

/* The new upper in the place of the old one. */
static int replace_upper(struct store *store, const struct mount_request *request, struct err *err)
{
	struct timespec times[2];
	struct stat st;

	if (tree_remove(request->work_fd, INVENTORY, err) < 0)
		return -1;
	if (has(request->work_fd, COLLECTED) &&
	    (tree_empty(request->upper_fd, err) < 0 || copy_root(store, request, err) < 0))
		return -1;
	if (has(request->work_fd, COLLECTED) &&
	    renameat(request->work_fd, COLLECTED, request->work_fd, MOVING) < 0)
		return err_sys(err, "move changes into an upper");
	if (fstat(request->upper_fd, &st) < 0)
		return err_sys(err, "stat an upper");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (move_all(request, err) < 0)
		return -1;
	if (futimens(request->upper_fd, times) < 0)
		return err_sys(err, "set the times of '/'");
	return tree_remove(request->work_fd, MOVING, err);
}

/* Done again as often as it is killed. */
static int copy_recover(struct store *store, const struct mount_request *request, struct err *err)
{
	const int work_fd = request->work_fd;
	const bool is_collected = has(work_fd, COLLECTED) || has(work_fd, MOVING);

	if (!is_collected && has(work_fd, INVENTORY) && has(work_fd, CHANGES) &&
	    collect_changes(store, request, err) < 0)
		return -1;
	if ((has(work_fd, COLLECTED) || has(work_fd, MOVING)) &&
	    replace_upper(store, request, err) < 0)
		return -1;
	if (has(work_fd, INVENTORY) && collect_into(store, request, request->upper_fd, err) < 0)
		return -1;
	return clear_work(work_fd, err);
}

static int copy_collect(struct store *store, const struct mount_request *request, struct err *err)
{
	if (!has(request->work_fd, INVENTORY))
		return err_set(err, ERR_SYSTEM, "the inventory of a mount is gone");
	return copy_recover(store, request, err);
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
	.recover = copy_recover,
};
