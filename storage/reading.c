/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for opening stores that are only read. What is looked up in them beside the
 * store they were added to is for image-name.c, layer.c and blob.c to say.
 */
#include "storage/reading-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/tree.h"
#include "common/userns.h"

#define DB_NAME      "store.db"
#define LOG_NAME     "store.db-wal"
#define INDEX_NAME   "store.db-shm"
#define DB_MAX_BYTES ((uint64_t)4 * 1024 * 1024 * 1024)
#define DIR_FLAGS    (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define TRIES        5
#define NOBODY       65534 /* what ids look like that a user namespace does not have */
#define TAKE_OVER    "take the image over with imgpush oci:DIR there and imgpull oci:DIR here"

/* ---- directories ---- */

static int open_root(struct store *store, const char *path, struct err *err)
{
	store->root_fd = open(path, DIR_FLAGS);
	if (store->root_fd < 0 && errno == ENOENT)
		return err_set(err, ERR_INPUT, "there is no store at '%s'", path);
	if (store->root_fd < 0) {
		err_sys(err, "open the store '%s'", path);
		return err->sys_errno == EACCES ? err_detail(err, TAKE_OVER) : -1;
	}
	if (faccessat(store->root_fd, DB_NAME, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, ERR_INPUT, "'%s' is not a store: it has no " DB_NAME, path);
	store->root_path = realpath(path, NULL);
	if (!store->root_path)
		return err_sys(err, "resolve the path of the store '%s'", path);
	return 0;
}

/* The same store twice would lose SQLite's locks, and say everything twice. */
static int check_other(const struct store *store, const struct store *beside, struct err *err)
{
	struct stat mine;
	struct stat its;

	if (!beside || fstat(store->root_fd, &mine) < 0 || fstat(beside->root_fd, &its) < 0 ||
	    mine.st_dev != its.st_dev || mine.st_ino != its.st_ino)
		return 0;
	return err_set(err, ERR_INPUT, "'%s' is the store itself", store->root_path);
}

struct dir {
	const char *name;
	int *fd;
	bool is_needed;
};

static int open_dirs(struct store *store, struct err *err)
{
	const struct dir dirs[] = {
		{ "blobs/sha256", &store->blobs_fd, true },
		{ "layers", &store->layers_fd, true },
		{ "empty", &store->empty_fd, true },
		{ "containers", &store->containers_fd, false },
		{ "cache-mounts", &store->cachemounts_fd, false },
		{ "cache", &store->cache_fd, false },
		{ "tmp", &store->tmp_fd, false },
	};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct err why = ERR_INIT;

		*dirs[i].fd = beneath_open(store->root_fd, dirs[i].name, BENEATH_NO_LINKS,
					   O_RDONLY | O_DIRECTORY, &why);
		if (*dirs[i].fd < 0 && dirs[i].is_needed) {
			*err = why;
			return err_prefix(err, "open the store '%s'", store->root_path);
		}
	}
	return 0;
}

/* ---- the database ---- */

/* What tells that somebody has been at it. */
struct trace {
	struct stat db;
	struct stat log;
};

static void note_trace(int root_fd, struct trace *out)
{
	memset(out, 0, sizeof(*out));
	(void)fstatat(root_fd, DB_NAME, &out->db, AT_SYMLINK_NOFOLLOW);
	(void)fstatat(root_fd, LOG_NAME, &out->log, AT_SYMLINK_NOFOLLOW);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool is_in_use(int root_fd)
{
	return faccessat(root_fd, LOG_NAME, R_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	       faccessat(root_fd, INDEX_NAME, R_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int copy_file(int root_fd, const char *name, int to_fd, bool *out_found, struct err *err)
{
	auto_close int from = openat(root_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_close int to = -1;
	struct stat st;

	*out_found = from >= 0;
	if (from < 0 && errno == ENOENT)
		return 0;
	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(err, "open '%s'", name);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > DB_MAX_BYTES)
		return err_set(err, ERR_INPUT, "'%s' is not the file of a database", name);
	to = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(err, "copy '%s'", name);
	return fd_copy(from, to, (uint64_t)st.st_size, NULL, name, err);
}

/* Open the copy in @dir_fd; SQLite has its files open when it has read something. */
static int open_copied(int dir_fd, struct db **out, struct err *err)
{
	char dir[FD_PATH_MAX];
	auto_free char *path = str_format("%s/" DB_NAME, fd_path(dir_fd, dir));
	struct db *db = NULL;
	int version;

	if (db_open(path, DB_COPY, &db, err) < 0)
		return -1;
	if (db_version(db, &version, err) < 0 ||
	    (version > 0 && version < DB_VERSION && db_upgrade(db, err) < 0)) {
		db_close(db);
		return -1;
	}
	*out = db;
	return 0;
}

static int copy_into(struct store *store, int dir_fd, bool *out_changed, struct err *err)
{
	struct trace before;
	struct trace after;
	bool found;

	note_trace(store->root_fd, &before);
	if (copy_file(store->root_fd, DB_NAME, dir_fd, &found, err) < 0 ||
	    copy_file(store->root_fd, LOG_NAME, dir_fd, &found, err) < 0)
		return -1;
	note_trace(store->root_fd, &after);
	*out_changed =
		!is_same_file(&before.db, &after.db) || !is_same_file(&before.log, &after.log);
	return *out_changed ? 0 : open_copied(dir_fd, &store->db, err);
}

static int open_copy(struct store *store, bool *out_changed, struct err *err)
{
	const char *parent = getenv("TMPDIR");
	auto_free char *path =
		str_format("%s/imgbuild-XXXXXX", parent && parent[0] == '/' ? parent : "/tmp");
	struct err ignored = ERR_INIT;
	auto_close int dir_fd = -1;
	int result;

	if (!mkdtemp(path))
		return err_sys(err, "make '%s' for a copy of its database", path);
	dir_fd = open(path, DIR_FLAGS);
	result = dir_fd < 0 ? err_sys(err, "open '%s'", path)
			    : copy_into(store, dir_fd, out_changed, err);
	if (dir_fd >= 0)
		(void)tree_empty(dir_fd, &ignored);
	(void)rmdir(path);
	return result;
}

static int open_live(struct store *store, int *out_version, struct err *err)
{
	char root[FD_PATH_MAX];
	auto_free char *path = str_format("%s/" DB_NAME, fd_path(store->root_fd, root));

	if (db_open(path, DB_LIVE, &store->db, err) < 0)
		return -1;
	return db_version(store->db, out_version, err);
}

/* 1: opened; 0: it changes under our eyes. */
static int try_db(struct store *store, struct err *err)
{
	bool is_changed = false;
	int version = 0;

	if (is_in_use(store->root_fd)) {
		if (open_live(store, &version, err) < 0)
			return -1;
		if (version >= DB_VERSION)
			return 1;
		db_close(store->db);
		store->db = NULL;
	}
	if (open_copy(store, &is_changed, err) < 0)
		return -1;
	return !is_changed;
}

static int open_db(struct store *store, struct err *err)
{
	int version = 0;
	int opened = 0;

	for (int i = 0; i < TRIES && !opened; i++)
		opened = try_db(store, err);
	if (opened < 0)
		return -1;
	if (!opened)
		return err_set(
			err, ERR_SYSTEM,
			"others keep writing to its database, which is of an older form: any "
			"command of its owner's upgrades it");
	if (db_version(store->db, &version, err) < 0)
		return -1;
	if (version > DB_VERSION)
		return err_set(
			err, ERR_INPUT,
			"it was made by a newer version (its form is %d, this program knows %d)",
			version, DB_VERSION);
	if (version == 0)
		return err_set(err, ERR_INPUT, "its database is empty");
	return db_freeze(store->db, err);
}

/* ---- what may be believed, and used ---- */

/* The rows of another boot, or of another machine's, only as far as they were synced. */
static int load_meta(struct store *store, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;
	int64_t ns;

	if (query_open(&query, store->db,
		       "SELECT overlay_ns, CASE WHEN boot=? THEN NULL ELSE synced END FROM meta",
		       err) < 0)
		return -1;
	bind_text(&query, store->boot_id);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (!row)
		return err_set(err, ERR_INPUT, DB_NAME " is damaged: table meta is empty");
	ns = column_int(&query, 0);
	store->trusted_seq = column_is_null(&query, 1) ? INT64_MAX : column_int(&query, 1);
	if (ns < 0 || ns == (int64_t)store->ns)
		return 0;
	store_refuse_ns(store, ns, err);
	return ns == OVERLAY_RECORDED ? -1 : err_detail(err, TAKE_OVER);
}

static int check_owner(const struct store *store, struct err *err)
{
	struct stat st;

	if (fstat(store->layers_fd, &st) < 0)
		return err_sys(err, "stat its layers");
	if (st.st_uid != NOBODY || !userns_is_nested())
		return 0;
	err_set(err, ERR_INPUT, "its owner has no id in your user namespace");
	return err_detail(err, "its files would be nobody's: " TAKE_OVER);
}

int reading_open(const char *path, const struct store *beside, struct store **out, struct err *err)
{
	auto_store struct store *store = store_new();

	store->is_read_only = true;
	store->beside = beside;
	if (open_root(store, path, err) < 0 || check_other(store, beside, err) < 0)
		return -1;
	if (sync_boot_id(store->boot_id, err) < 0 || open_dirs(store, err) < 0 ||
	    check_owner(store, err) < 0 || open_db(store, err) < 0)
		return err_prefix(err, "the store '%s'", store->root_path);
	if (load_meta(store, err) < 0)
		return -1;
	*out = ptr_steal(&store);
	return 0;
}

static int add_remedy(const struct store *store, struct err *err)
{
	return err_detail(err, "beside a store of your own it can be used: --add-store %s",
			  store->root_path);
}

int reading_check_writable(const struct store *store, struct err *err)
{
	if (faccessat(store->root_fd, DB_NAME, W_OK, AT_EACCESS) == 0 || errno == ENOENT)
		return 0;
	err_sys(err, "write to the store '%s'", store->root_path);
	return add_remedy(store, err);
}

int reading_refuse(const struct store *store, const char *what, struct err *err)
{
	errno = EROFS;
	err_sys(err, "%s: write to the store '%s'", what, store->root_path);
	return add_remedy(store, err);
}

/* ---- beside another ---- */

static int add_one(struct store *store, const char *path, struct err *err)
{
	struct store *added = NULL;

	if (reading_open(path, store, &added, err) < 0)
		return err_prefix(err, "--add-store");
	store->added = mem_resize(store->added, store->added_count + 1, sizeof(*store->added));
	store->added[store->added_count++] = added;
	for (size_t i = 0; i + 1 < store->added_count; i++)
		if (strcmp(store->added[i]->root_path, added->root_path) == 0)
			return err_set(err, ERR_USAGE, "--add-store: '%s' is named twice", path);
	return 0;
}

int reading_add(struct store *store, struct err *err)
{
	const char *list = getenv(STORE_ADD_VARIABLE);

	while (list && *list) {
		size_t len = strcspn(list, ":");
		auto_free char *path = str_ndup(list, len);

		if (len > 0 && add_one(store, path, err) < 0)
			return -1;
		list += len + (list[len] == ':');
	}
	return 0;
}

size_t store_added_count(const struct store *store)
{
	return store->added_count;
}

const char *store_added_path(const struct store *store, size_t at)
{
	return store->added[at]->root_path;
}
