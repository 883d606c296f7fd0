/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what an image is shown by when it is to be seen for longer than a command lasts,
 * and for the directories that are made for that where there are no unions.
 */
#include "storage/view-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "common/tree.h"
#include "layers/walk.h"
#include "storage/driver-internal.h"
#include "storage/owners-internal.h"
#include "storage/store-internal.h"

#define VIEWS_DIR   "views"
#define DIR_FLAGS   (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define DEAD_PREFIX ".dead-"

void view_release(struct view *view)
{
	fd_close(&view->mount_fd);
	fd_close(&view->lock_fd);
	free(view->path);
	view->path = NULL;
}

static int lock_views(struct store *store, struct err *err)
{
	auto_close int fd = -1;

	if (mkdirat(store->root_fd, VIEWS_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make '" VIEWS_DIR "'");
	fd = openat(store->root_fd, VIEWS_DIR, DIR_FLAGS);
	if (fd < 0)
		return err_sys(err, "open '" VIEWS_DIR "'");
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, "lock '" VIEWS_DIR "'");
	return fd_steal(&fd);
}

/* Put together aside, so that what has the name is whole. */
static int make(struct store *store, const struct image *image, int views_fd, const char *name,
		struct err *err)
{
	const size_t count = image->config.diff_id_count;
	auto_free int *fds = mem_array(count + 1, sizeof(*fds));
	auto_tmpdir struct tmpdir tmp = TMPDIR_INIT;
	struct mount_request request = { .lowers = fds,
					 .lower_count = count,
					 .upper_fd = -1,
					 .work_fd = -1,
					 .lasting_fd = &tmp.fd };
	auto_close int shown_fd = -1;

	if (tmpdir_make(&tmp, store->tmp_fd, err) < 0 ||
	    mount_open_layers(store, image->layers, count, fds, err) < 0)
		return -1;
	shown_fd = mount_layers(store, &request, err);
	for (size_t i = 0; i < count; i++)
		fd_close(&fds[i]);
	return shown_fd < 0 ? -1 : tmpdir_commit(&tmp, views_fd, name, err);
}

static int open_view(struct store *store, const struct image *image, int views_fd, const char *name,
		     struct err *err)
{
	int fd = openat(views_fd, name, DIR_FLAGS);

	if (fd < 0 && errno == ENOENT) {
		if (make(store, image, views_fd, name, err) < 0)
			return -1;
		fd = openat(views_fd, name, DIR_FLAGS);
	}
	return fd < 0 ? err_sys(err, "open '" VIEWS_DIR "/%s'", name) : fd;
}

static int mount_tree(struct store *store, int dir_fd, const struct mount_owners *owners,
		      struct err *err)
{
	if (!owners)
		return mount_directory(dir_fd, true, err);
	if (mount_check_owners(store, &mount_driver_overlay, err) < 0)
		return -1;
	return owned_dir_clone(dir_fd, owners->userns_fd, err);
}

int view_open(struct store *store, const struct image *image, const struct mount_owners *owners,
	      struct view *out, struct err *err)
{
	const struct mount_driver *driver = mount_driver_get(store, err);
	const bool is_mounted = isolation_current() != ISOLATION_CHROOT;
	auto_view struct view view = VIEW_INIT;
	auto_close int dir_fd = -1;
	char hex[DIGEST_HEX_MAX];
	char name[DIGEST_HEX_MAX + 16];

	if (!driver)
		return -1;
	if (driver->is_lasting) {
		out->mount_fd = mount_view_for(store, image->layers, image->config.diff_id_count,
					       owners, err);
		return out->mount_fd < 0 ? -1 : 0;
	}
	snprintf(name, sizeof(name), "%s-%s", is_mounted ? "links" : "copy",
		 digest_hex(&image->id, hex));
	view.lock_fd = lock_views(store, err);
	if (view.lock_fd < 0)
		return -1;
	dir_fd = open_view(store, image, view.lock_fd, name, err);
	if (dir_fd < 0)
		return -1;
	if (is_mounted)
		view.mount_fd = mount_tree(store, dir_fd, owners, err);
	else
		view.path = str_format("%s/" VIEWS_DIR "/%s", store_root_path(store), name);
	if (is_mounted && view.mount_fd < 0)
		return -1;
	*out = view;
	view = (struct view)VIEW_INIT;
	return 0;
}

bool view_is_at(const struct store *store, const char *path)
{
	const char *root = store_root_path(store);
	const size_t len = strlen(root);

	return strncmp(path, root, len) == 0 &&
	       strncmp(path + len, "/" VIEWS_DIR "/", strlen("/" VIEWS_DIR "/")) == 0;
}

static int is_used(struct store *store, const char *name, bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	const char *dash = strchr(name, '-');
	struct err ignored = ERR_INIT; /* not one of ours */
	struct digest image;

	*out = false;
	if (name[0] == '.' || !dash || digest_parse_hex(dash + 1, &image, &ignored) < 0)
		return 0;
	if (query_open(&query, store->db,
		       "SELECT 1 FROM mounts WHERE image=? AND container IS NULL", err) < 0)
		return -1;
	bind_digest(&query, &image);
	return query_step(&query, out, err);
}

/* Under another name first: what was begun to be removed is nobody's view any more. */
static int remove_view(int views_fd, const char *name, struct err *err)
{
	auto_free char *dead = str_format("%s%s", name[0] == '.' ? "" : DEAD_PREFIX, name);

	if (name[0] != '.' && (tree_remove(views_fd, dead, err) < 0))
		return -1;
	if (name[0] != '.' && renameat(views_fd, name, views_fd, dead) < 0)
		return err_sys(err, "take '" VIEWS_DIR "/%s' away", name);
	return tree_remove(views_fd, dead, err);
}

int view_sweep(struct store *store, struct err *err)
{
	auto_close int fd = openat(store->root_fd, VIEWS_DIR, DIR_FLAGS);
	auto_strlist struct strlist names = STRLIST_INIT;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open '" VIEWS_DIR "'");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : err_sys(err, "lock '" VIEWS_DIR "'");
	if (walk_names(fd, &names, VIEWS_DIR, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		bool used = false;

		if (is_used(store, names.items[i], &used, err) < 0 ||
		    (!used && remove_view(fd, names.items[i], err) < 0))
			return -1;
	}
	return 0;
}
