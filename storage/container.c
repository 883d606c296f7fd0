/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for containers as files: their directories, names and rows. A flock(2)
 * on a container's directory, held as long as it is in use, tells the running from
 * the stopped. What runs in them is the sandbox's.
 */
#include "storage/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "layers/config.h"
#include "storage/attach-internal.h"
#include "storage/container-internal.h"
#include "storage/lease-internal.h"
#include "storage/mount.h"
#include "storage/store-internal.h"

#define DIR_FLAGS    (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAME_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME_LEN_MAX 128
#define SHORT_ID_LEN 12
#define PREFIX_MIN   4

void container_release(struct container *container)
{
	fd_close(&container->init_fd);
	fd_close(&container->work_fd);
	fd_close(&container->fs_fd);
	fd_close(&container->dir_fd);
	free(container->name);
	*container = (struct container)CONTAINER_INIT;
}

static int random_id(char *id, struct err *err)
{
	struct digest bytes;

	while (getrandom(bytes.bytes, sizeof(bytes.bytes), 0) != (ssize_t)sizeof(bytes.bytes))
		if (errno != EINTR)
			return err_sys(err, "get random bytes");
	digest_hex(&bytes, id);
	return 0;
}

static int check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_LEN_MAX || !strchr(NAME_CHARS, name[0]) ||
	    strspn(name, NAME_CHARS "_.-") != len)
		return err_set(err, ERR_INPUT,
			       "'%s' is no name for a container: letters, digits and _.- are, the "
			       "first one a letter or digit, at most %d",
			       name, NAME_LEN_MAX);
	return 0;
}

static int make_dir(int dir_fd, const char *name, int *out_fd, struct err *err)
{
	if (mkdirat(dir_fd, name, 0755) < 0)
		return err_sys(err, "make '%s' of a container", name);
	*out_fd = openat(dir_fd, name, DIR_FLAGS);
	if (*out_fd < 0)
		return err_sys(err, "open '%s' of a container", name);
	if (fchmod(*out_fd, 0755) < 0)
		return err_sys(err, "make '%s' of a container", name);
	return 0;
}

static int make_dirs(int dir_fd, struct container *container, struct err *err)
{
	if (make_dir(dir_fd, "fs", &container->fs_fd, err) < 0 ||
	    make_dir(dir_fd, "work", &container->work_fd, err) < 0)
		return -1;
	return make_dir(dir_fd, "init", &container->init_fd, err);
}

static int name_is_taken(struct store *store, const char *name, bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "SELECT 1 FROM containers WHERE name=?", err) < 0)
		return -1;
	bind_text(&query, name);
	return query_step(&query, out, err);
}

static int insert_row(struct store *store, const struct container *container, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	struct timespec now;
	char created[40];

	clock_gettime(CLOCK_REALTIME, &now);
	if (query_open(&query, store->db,
		       "INSERT INTO containers(id, name, image, created) VALUES(?, ?, ?, ?)",
		       err) < 0)
		return -1;
	bind_text(&query, container->id);
	bind_text(&query, container->name);
	bind_digest(&query, &container->image_id);
	bind_text(&query, image_time_format(now, created));
	return query_run(&query, err);
}

int container_open_lent(struct store *store, const char *path, struct err *err)
{
	int fd = beneath_open(store->containers_fd, path, BENEATH_NO_LINKS, O_RDONLY | O_DIRECTORY,
			      err);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_INPUT, "the container that it is of was removed");
	return fd;
}

static int delete_row(struct store *store, const char *id, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "DELETE FROM containers WHERE id=?", err) < 0)
		return -1;
	bind_text(&query, id);
	return query_run(&query, err);
}

static int publish(struct store *store, struct tmpdir *tmp, const struct container *container,
		   struct err *err)
{
	auto_txn struct txn txn = TXN_INIT;
	bool is_taken = false;

	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0 ||
	    name_is_taken(store, container->name, &is_taken, err) < 0)
		return -1;
	if (is_taken)
		return err_set(err, ERR_INPUT, "there is a container '%s' already",
			       container->name);
	if (insert_row(store, container, err) < 0 ||
	    tmpdir_commit(tmp, store->containers_fd, container->id, err) < 0)
		return -1;
	if (txn_commit(&txn, err) < 0) {
		/* back into the hands of the tmpdir, which removes it */
		if (renameat(store->containers_fd, container->id, store->tmp_fd,
			     container->id + 40) == 0)
			snprintf(tmp->name, sizeof(tmp->name), "%s", container->id + 40);
		return -1;
	}
	return 0;
}

int container_create(struct store *store, const struct image *image, const char *name,
		     struct container *out, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_tmpdir struct tmpdir tmp = TMPDIR_INIT;

	if ((name && check_name(name, err) < 0) || random_id(container.id, err) < 0)
		return -1;
	container.name = name ? str_dup(name) : str_ndup(container.id, SHORT_ID_LEN);
	container.image_id = image->id;
	if (tmpdir_make(&tmp, store->tmp_fd, err) < 0 || make_dirs(tmp.fd, &container, err) < 0)
		return err_prefix(err, "make a container");
	/* the tmpdir's lock goes on as the container's: both descriptors share it */
	container.dir_fd = fcntl(tmp.fd, F_DUPFD_CLOEXEC, 0);
	if (container.dir_fd < 0)
		return err_sys(err, "make a container");
	if (publish(store, &tmp, &container, err) < 0)
		return -1;
	*out = container;
	container = (struct container)CONTAINER_INIT;
	return 0;
}

static int take_away(struct store *store, const char *id, struct err *err)
{
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT; /* should we be killed: a sign to sweep */
	auto_txn struct txn txn = TXN_INIT;

	if (tmpdir_make(&gone, store->tmp_fd, err) < 0 ||
	    txn_begin(&txn, store->db, TXN_FAST, err) < 0 || delete_row(store, id, err) < 0 ||
	    txn_commit(&txn, err) < 0)
		return -1;
	/* IDs are random: nobody makes the same one again meanwhile */
	return sweep_discard(store->containers_fd, id, gone.fd, err);
}

int container_remove(struct store *store, struct container *container, struct err *err)
{
	int result;

	spare_drop(store);
	result = take_away(store, container->id, err);
	spare_make(store);
	return result;
}

/* A container that cannot be locked is running. -1 and *out_running, or a locked descriptor. */
static int try_lock(struct store *store, const char *id, bool *out_running, struct err *err)
{
	auto_close int fd = openat(store->containers_fd, id, DIR_FLAGS);

	*out_running = false;
	if (fd < 0 && errno == ENOENT)
		return -1;
	if (fd < 0)
		return err_sys(err, "open container %s", id);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		*out_running = errno == EWOULDBLOCK;
		return *out_running ? -1 : err_sys(err, "lock container %s", id);
	}
	return fd_steal(&fd);
}

static int resolve(struct store *store, const char *text, struct container *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	const char *low = strlen(text) >= PREFIX_MIN ? text : "-";
	bool row = false;
	bool more = false;

	/* the name first, then IDs that begin so */
	if (query_open(&query, store->db,
		       "SELECT id, name=?1 FROM containers WHERE name=?1 OR substr(id, 1,"
		       " length(?2))=?2 ORDER BY name=?1 DESC LIMIT 2",
		       err) < 0)
		return -1;
	bind_text(&query, text);
	bind_text(&query, low);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (!row)
		return err_set(err, ERR_INPUT, "there is no container '%s'", text);
	snprintf(out->id, sizeof(out->id), "%s", column_text(&query, 0));
	if (column_int(&query, 1))
		return 0;
	if (query_step(&query, &more, err) < 0)
		return -1;
	if (more)
		return err_set(err, ERR_INPUT,
			       "several containers have an ID that begins with "
			       "'%s'",
			       text);
	return 0;
}

/* Name and image of the one whose ID is known. */
static int read_row(struct store *store, const char *text, struct container *container,
		    struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, "SELECT name, image FROM containers WHERE id=?", err) < 0)
		return -1;
	bind_text(&query, container->id);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (!row)
		return err_set(err, ERR_INPUT, "there is no container '%s'", text);
	container->name = str_dup(column_text(&query, 0));
	return column_digest(&query, 1, &container->image_id, err);
}

int container_lock(struct store *store, const char *text, struct container *out, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	bool is_running = false;

	if (resolve(store, text, &container, err) < 0)
		return -1;
	container.dir_fd = try_lock(store, container.id, &is_running, err);
	if (is_running)
		return err_set(err, ERR_INPUT, "container '%s' is running", text);
	if (container.dir_fd < 0 && err->kind == ERR_NONE)
		return err_set(err, ERR_INPUT, "there is no container '%s'", text);
	if (container.dir_fd < 0 || read_row(store, text, &container, err) < 0)
		return -1;
	*out = container;
	container = (struct container)CONTAINER_INIT;
	return 0;
}

int container_open_files(struct container *container, struct err *err)
{
	container->fs_fd = openat(container->dir_fd, "fs", DIR_FLAGS);
	if (container->fs_fd < 0)
		return err_sys(err, "open the files of container '%s'", container->name);
	container->work_fd = openat(container->dir_fd, "work", DIR_FLAGS);
	if (container->work_fd < 0 && errno == ENOENT)
		return make_dir(container->dir_fd, "work", &container->work_fd, err);
	if (container->work_fd < 0)
		return err_sys(err, "open 'work' of container '%s'", container->name);
	return 0;
}

int container_check_unmounted(struct store *store, const struct container *container,
			      struct err *err)
{
	auto_free char *path = NULL;

	if (attach_sweep(store, err) < 0 ||
	    attach_of_container(store, container->id, &path, err) < 0)
		return -1;
	if (!path)
		return 0;
	err_set(err, ERR_INPUT, "container '%s' is mounted at '%s'", container->name, path);
	return err_detail(err, "imgstore umount %s ends that", container->name);
}

int container_open(struct store *store, const char *text, struct container *out, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;

	if (container_lock(store, text, &container, err) < 0 ||
	    container_check_unmounted(store, &container, err) < 0 ||
	    container_open_files(&container, err) < 0)
		return -1;
	if (mount_recover(store, container.fs_fd, container.work_fd, err) < 0)
		return err_prefix(err, "container '%s'", text);
	*out = container;
	container = (struct container)CONTAINER_INIT;
	return 0;
}

int container_is_running(struct store *store, const char *id, bool *out, struct err *err)
{
	auto_close int fd = try_lock(store, id, out, err);

	return fd < 0 && err->kind != ERR_NONE ? -1 : 0;
}

int container_look(struct store *store, const char *text, struct container *out, bool *out_running,
		   struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;

	if (resolve(store, text, &container, err) < 0 || read_row(store, text, &container, err) < 0)
		return -1;
	container.dir_fd = openat(store->containers_fd, container.id, DIR_FLAGS);
	if (container.dir_fd < 0)
		return err_sys(err, "open container '%s'", text);
	if (out_running && container_is_running(store, container.id, out_running, err) < 0)
		return -1;
	*out = container;
	container = (struct container)CONTAINER_INIT;
	return 0;
}

int container_remove_named(struct store *store, const char *text, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	bool is_running = false;

	if (resolve(store, text, &container, err) < 0)
		return -1;
	container.dir_fd = try_lock(store, container.id, &is_running, err);
	if (is_running)
		return err_set(err, ERR_INPUT, "container '%s' is running", text);
	if ((container.dir_fd < 0 && err->kind != ERR_NONE) ||
	    read_row(store, text, &container, err) < 0 ||
	    container_check_unmounted(store, &container, err) < 0)
		return -1;
	return container_remove(store, &container, err);
}

static int list_rows(struct store *store, struct container_list *list, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db,
		       "SELECT id, name, image, created FROM containers ORDER BY created DESC, id",
		       err) < 0)
		return -1;
	for (;;) {
		struct container_summary *item;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
		item = &list->items[list->count++];
		*item = (struct container_summary){ .name = str_dup(column_text(&query, 1)),
						    .created = str_dup(column_text(&query, 3)) };
		snprintf(item->id, sizeof(item->id), "%s", column_text(&query, 0));
		if (column_digest(&query, 2, &item->image_id, err) < 0)
			return -1;
	}
}

int container_list(struct store *store, struct container_list *out, struct err *err)
{
	auto_container_list struct container_list list = CONTAINER_LIST_INIT;

	if (list_rows(store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		struct err ignored = ERR_INIT; /* not to be opened is not running */
		int fd = try_lock(store, list.items[i].id, &list.items[i].running, &ignored);

		fd_close(&fd);
	}
	*out = list;
	list = (struct container_list)CONTAINER_LIST_INIT;
	return 0;
}

void container_list_release(struct container_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].name);
		free(list->items[i].created);
	}
	free(list->items);
	*list = (struct container_list)CONTAINER_LIST_INIT;
}
