/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the store as a place: where it is, that it exists with its
 * directories, that it is the kind of store this process can use, and that it is
 * swept. What lies in it is left to blob.c, layer.c, image.c and container.c.
 */
#include "storage/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strlist.h"
#include "common/userns.h"
#include "layers/walk.h"
#include "storage/lease-internal.h"
#include "storage/reading-internal.h"
#include "storage/stepcache.h"
#include "storage/store-internal.h"
#include "storage/trash-internal.h"

#define DB_NAME    "store.db"
#define FULL_BYTES 1048576
#define DIR_FLAGS  (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

int store_random_name(char *buf, struct err *err)
{
	uint64_t number;

	while (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		if (errno != EINTR)
			return err_sys(err, "get random bytes");
	snprintf(buf, 17, "%016" PRIx64, number);
	return 0;
}

static char *default_root(struct err *err)
{
	const char *root = getenv("IMGBUILD_ROOT");
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (root && root[0])
		return str_dup(root);
	if (geteuid() == 0 && !userns_is_nested())
		return str_dup("/var/lib/imgbuild");
	if (data && data[0] == '/')
		return str_format("%s/imgbuild", data);
	if (home && home[0] == '/')
		return str_format("%s/.local/share/imgbuild", home);
	err_set(err, ERR_USAGE,
		"where is the store? neither --root nor IMGBUILD_ROOT nor HOME is "
		"set");
	return NULL;
}

/* mkdir -p: the parents as the umask says, the last one 0700. */
static int make_root(const char *path, struct err *err)
{
	auto_free char *copy = str_dup(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return err_sys(err, "make '%s'", copy);
		*slash = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make the store '%s'", copy);
	return 0;
}

/* A directory that holds other things is not turned into a store by a slip of --root. */
static int check_ours(int root_fd, const char *path, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	struct stat st;

	if (fstatat(root_fd, DB_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(err, "stat '%s/%s'", path, DB_NAME);
	if (walk_names(root_fd, &names, path, err) < 0)
		return -1;
	/* the database is made first of all: another process may be at it just now */
	if (names.count == 0 || strlist_has(&names, DB_NAME) ||
	    fstatat(root_fd, DB_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return err_set(err, ERR_INPUT, "'%s' is not a store: it holds '%s' but no %s", path,
		       names.items[0], DB_NAME);
}

static int open_root(struct store *store, const char *path, struct err *err)
{
	struct stat st;

	store->root_fd = open(path, DIR_FLAGS);
	if (store->root_fd < 0 && errno == ENOENT) {
		if (make_root(path, err) < 0)
			return -1;
		store->root_fd = open(path, DIR_FLAGS);
	}
	if (store->root_fd < 0)
		return err_sys(err, "open the store '%s'", path);
	if (check_ours(store->root_fd, path, err) < 0)
		return -1;
	if (fstat(store->root_fd, &st) < 0)
		return err_sys(err, "stat the store '%s'", path);
	store->root_path = realpath(path, NULL);
	if (!store->root_path)
		return err_sys(err, "resolve the path of the store '%s'", path);
	if (reading_check_writable(store, err) < 0)
		return -1;
	/* layers hold files of any owner with set-uid bits: nobody else may come near */
	if ((st.st_mode & 07777) != 0700 && fchmod(store->root_fd, 0700) < 0)
		return err_sys(err, "close the store '%s' to others", path);
	return 0;
}

static int open_dir(struct store *store, const char *name, int *out_fd, struct err *err)
{
	*out_fd = openat(store->root_fd, name, DIR_FLAGS | O_NOFOLLOW);
	if (*out_fd < 0 && errno == ENOENT) {
		if (mkdirat(store->root_fd, name, 0700) < 0 && errno != EEXIST)
			return err_sys(err, "make '%s' in the store", name);
		*out_fd = openat(store->root_fd, name, DIR_FLAGS | O_NOFOLLOW);
		if (*out_fd >= 0 && fchmod(*out_fd, 0700) < 0)
			return err_sys(err, "make '%s' in the store", name);
	}
	if (*out_fd < 0)
		return err_sys(err, "open '%s' in the store", name);
	return 0;
}

static int open_dirs(struct store *store, struct err *err)
{
	auto_close int blobs_fd = -1;
	struct stat st;

	if (open_dir(store, "blobs", &blobs_fd, err) < 0 ||
	    open_dir(store, "blobs/sha256", &store->blobs_fd, err) < 0 ||
	    open_dir(store, "layers", &store->layers_fd, err) < 0 ||
	    open_dir(store, "containers", &store->containers_fd, err) < 0 ||
	    open_dir(store, "cache-mounts", &store->cachemounts_fd, err) < 0 ||
	    open_dir(store, "tmp", &store->tmp_fd, err) < 0 ||
	    open_dir(store, "cache", &store->cache_fd, err) < 0)
		return -1;
	if (open_dir(store, "empty", &store->empty_fd, err) < 0)
		return -1;
	/* the root of an image without layers */
	if (fstat(store->empty_fd, &st) < 0 ||
	    ((st.st_mode & 07777) != 0755 && fchmod(store->empty_fd, 0755) < 0))
		return err_sys(err, "make 'empty' in the store");
	return 0;
}

/* New or older tables. The lock keeps two first commands from each other's half-made ones. */
static int upgrade(struct store *store, struct err *err)
{
	int version;

	while (flock(store->root_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, "lock the store '%s'", store->root_path);
	if (db_version(store->db, &version, err) < 0)
		return -1;
	if (version < DB_VERSION) {
		if (db_upgrade(store->db, err) < 0)
			return -1;
		spare_make(store);
	}
	(void)flock(store->root_fd, LOCK_UN); /* close would do it too */
	return 0;
}

/*
 * SQLite writes the index of its log through a mapping of a file that the first one to open it
 * makes anew, with a byte in each 4 KiB: where blocks are smaller the others are holes, and without
 * a byte free the kernel ends us when they are written. So the spare makes room for it.
 */
static int load_db(struct store *store, const char *path, int *out_version, struct err *err)
{
	bool is_full = store_is_full(store);
	int r;

	if (is_full)
		spare_drop(store);
	r = db_open(path, DB_WRITE, &store->db, err);
	if (r == 0)
		r = db_version(store->db, out_version, err);
	/* a new store has its tables first */
	if (is_full && (r < 0 || *out_version > 0))
		spare_make(store);
	return r;
}

static int open_db(struct store *store, struct err *err)
{
	char root[FD_PATH_MAX];
	auto_free char *path = str_format("%s/" DB_NAME, fd_path(store->root_fd, root));
	int version;

	if (load_db(store, path, &version, err) < 0)
		return -1;
	if (version < DB_VERSION)
		return upgrade(store, err);
	if (version > DB_VERSION)
		return err_set(err, ERR_INPUT,
			       "the store '%s' was made by a newer version (its form is %d, this "
			       "program knows %d)",
			       store->root_path, version, DB_VERSION);
	return 0;
}

static int load_ns(struct store *store, int64_t *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, "SELECT overlay_ns FROM meta", err) < 0 ||
	    query_step(&query, &row, err) < 0)
		return -1;
	*out = row ? column_int(&query, 0) : -1;
	return 0;
}

int store_refuse_ns(const struct store *store, int64_t ns, struct err *err)
{
	static const char *const places[] = {
		[OVERLAY_TRUSTED] = "outside of a user namespace",
		[OVERLAY_USER] = "in a user namespace",
		[OVERLAY_RECORDED] = "where owners can only be recorded",
	};

	if (ns > OVERLAY_RECORDED)
		return err_set(err, ERR_INPUT, "the store '%s' has a form that is not known here",
			       store->root_path);
	err_set(err, ERR_INPUT, "the store '%s' was made %s and cannot be used %s",
		store->root_path, places[ns], places[store->ns]);
	if (ns == OVERLAY_RECORDED)
		err_detail(err,
			   "go on with it by --isolation=%s (or IMGBUILD_ISOLATION), or use another "
			   "one: --root",
			   store->ns == OVERLAY_TRUSTED ? "chroot" : "single-id");
	return -1;
}

/* How deletions are marked in the layers is settled by who made the store. */
static int check_ns(struct store *store, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t ns;

	if (load_ns(store, &ns, err) < 0)
		return -1;
	if (ns == (int64_t)store->ns)
		return 0;
	if (ns >= 0)
		return store_refuse_ns(store, ns, err);
	if (query_open(&query, store->db, "UPDATE meta SET overlay_ns=? WHERE overlay_ns<0", err) <
	    0)
		return -1;
	bind_int(&query, store->ns);
	return query_run(&query, err);
}

int store_settle(struct store *store, struct err *err)
{
	struct err sweep_err = ERR_INIT;
	bool is_new_boot;

	if (sync_check_boot(store, &is_new_boot, err) < 0)
		return -1;
	/* what cannot be removed does no harm: it must not keep anybody from working */
	if (sweep_dead(store, is_new_boot, &sweep_err) < 0)
		log_warn("%s", sweep_err.text);
	return 0;
}

static enum overlay_ns ns_of_process(void)
{
	if (isolation_current() != ISOLATION_NAMESPACES)
		return OVERLAY_RECORDED;
	return userns_is_nested() ? OVERLAY_USER : OVERLAY_TRUSTED;
}

struct store *store_new(void)
{
	struct store *store = mem_alloc(sizeof(*store));

	store->root_fd = store->tmp_fd = store->cache_fd = store->empty_fd = -1;
	store->cachemounts_fd = -1;
	store->views = (struct tmpdir)TMPDIR_INIT;
	store->blobs_fd = store->layers_fd = store->containers_fd = store->lease_fd = -1;
	store->ns = ns_of_process();
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->daemons_lock, NULL);
	store->trash = trash_new();
	store->trusted_seq = INT64_MAX;
	return store;
}

static int open_at(const char *path, struct store **out, struct err *err)
{
	auto_store struct store *store = store_new();

	if (!path[0])
		return err_set(err, ERR_USAGE, "the path of the store is empty");
	if (open_root(store, path, err) < 0 || open_db(store, err) < 0 ||
	    open_dirs(store, err) < 0 || check_ns(store, err) < 0 ||
	    sync_boot_id(store->boot_id, err) < 0 || reading_add(store, err) < 0)
		return -1;
	*out = ptr_steal(&store);
	return 0;
}

int store_open(const char *root, struct store **out, struct err *err)
{
	auto_free char *path = root ? str_dup(root) : default_root(err);
	auto_store struct store *store = NULL;

	if (!path || open_at(path, &store, err) < 0 || store_settle(store, err) < 0)
		return -1;
	*out = ptr_steal(&store);
	return 0;
}

/* Only for reading where it cannot be written. */
static int open_or_read(const char *path, struct store **out, struct err *err)
{
	auto_store struct store *store = NULL;
	struct err why = ERR_INIT;

	if (open_at(path, out, &why) == 0)
		return 0;
	if (why.sys_errno != EROFS && why.sys_errno != EACCES) {
		*err = why;
		return -1;
	}
	if (reading_open(path, NULL, &store, err) < 0 || reading_add(store, err) < 0)
		return -1;
	*out = ptr_steal(&store);
	return 0;
}

int store_open_reading(const char *root, struct store **out, struct err *err)
{
	auto_free char *path = root ? str_dup(root) : default_root(err);
	auto_store struct store *store = NULL;

	if (!path || open_or_read(path, &store, err) < 0 ||
	    (!store->is_read_only && store_settle(store, err) < 0))
		return -1;
	*out = ptr_steal(&store);
	return 0;
}

int store_open_as_is(const char *root, struct store **out, struct err *err)
{
	auto_free char *path = root ? str_dup(root) : default_root(err);
	auto_free char *db_path = path ? str_format("%s/" DB_NAME, path) : NULL;

	if (!path)
		return -1;
	if (path[0] && access(db_path, F_OK) < 0 && errno == ENOENT)
		return err_set(err, ERR_INPUT, "there is no store at '%s'", path);
	return open_or_read(path, out, err);
}

void store_close(struct store *store)
{
	struct err err = ERR_INIT;

	if (!store)
		return;
	/* lost notes cost reading the files again, no more */
	if (store->db && !store->is_read_only && filecache_flush(store, &err) < 0)
		log_debug("%s", err.text);
	filecache_free(store);
	sync_join(store);
	tmpdir_release(&store->views);
	fuse_forget_daemons(store);
	trash_free(store->trash);
	lease_close(store);
	db_close(store->db);
	for (size_t i = 0; i < store->added_count; i++)
		store_close(store->added[i]);
	free(store->added);
	fd_close(&store->cachemounts_fd);
	fd_close(&store->containers_fd);
	fd_close(&store->layers_fd);
	fd_close(&store->blobs_fd);
	fd_close(&store->empty_fd);
	fd_close(&store->cache_fd);
	fd_close(&store->tmp_fd);
	fd_close(&store->root_fd);
	pthread_mutex_destroy(&store->daemons_lock);
	pthread_mutex_destroy(&store->lock);
	free(store->root_path);
	free(store);
}

void store_auto_close(struct store **store)
{
	store_close(*store);
}

const char *store_root_path(const struct store *store)
{
	return store->root_path;
}

int store_tmp_fd(const struct store *store)
{
	return store->tmp_fd;
}

int store_cache_fd(const struct store *store)
{
	return store->cache_fd;
}

int store_empty_fd(const struct store *store)
{
	return store->empty_fd;
}

bool store_is_full(const struct store *store)
{
	struct statvfs fs;

	if (fstatvfs(store->root_fd, &fs) < 0)
		return false;
	return (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES ||
	       (fs.f_files > 0 && fs.f_favail == 0);
}

bool store_lacks_devices(const struct store *store)
{
	return store->ns == OVERLAY_USER;
}

enum overlay_ns store_overlay_ns(const struct store *store)
{
	return store->ns;
}

int store_count(struct store *store, struct store_counts *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db,
		       "SELECT (SELECT count(*) FROM images), (SELECT count(*) FROM names),"
		       " (SELECT count(*) FROM layers),"
		       " (SELECT total(content_bytes) FROM layers WHERE place IS NULL),"
		       " (SELECT count(*) FROM blobs), (SELECT total(size) FROM blobs),"
		       " (SELECT count(*) FROM containers), (SELECT count(*) FROM steps)",
		       err) < 0 ||
	    query_step(&query, &row, err) < 0)
		return -1;
	*out = (struct store_counts){ .version = DB_VERSION,
				      .images = (uint64_t)column_int(&query, 0),
				      .names = (uint64_t)column_int(&query, 1),
				      .layers = (uint64_t)column_int(&query, 2),
				      .layer_bytes = (uint64_t)column_int(&query, 3),
				      .blobs = (uint64_t)column_int(&query, 4),
				      .blob_bytes = (uint64_t)column_int(&query, 5),
				      .containers = (uint64_t)column_int(&query, 6),
				      .cache_entries = (uint64_t)column_int(&query, 7) };
	return 0;
}
