/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for mounts that outlive their command, and their rows: what is mounted where, and
 * whether it still is. What is mounted is mount.c's.
 */
#include "storage/attach-internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/walk.h"
#include "storage/mount.h"
#include "storage/store-internal.h"
#include "storage/view-internal.h"

/* NS_GET_MNTNS_ID of Linux 6.11 */
#define MOUNT_NS_ID _IOR(0xb7, 5, uint64_t)

/*
 * What is in a row and names a mount namespace: its id, which no other has until the next boot.
 * Before Linux 6.11 its inode number, which the next one may have as soon as this one is gone.
 */
static int ns_number(int dir_fd, const char *path, int64_t *out)
{
	auto_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint64_t id;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	*out = ioctl(fd, MOUNT_NS_ID, &id) == 0 ? (int64_t)id : (int64_t)st.st_ino;
	return 0;
}

static int own_ns(int64_t *out, struct err *err)
{
	if (ns_number(AT_FDCWD, "/proc/self/ns/mnt", out) < 0)
		return err_sys(err, "look at '/proc/self/ns/mnt'");
	return 0;
}

static int record(struct store *store, const struct attachment *attachment, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t ns;

	if (own_ns(&ns, err) < 0 ||
	    query_open(&query, store->db,
		       "INSERT OR REPLACE INTO mounts(mount_ns, path, image, container)"
		       " VALUES(?, ?, ?, ?)",
		       err) < 0)
		return -1;
	bind_int(&query, ns);
	bind_text(&query, attachment->path);
	bind_digest(&query, attachment->image);
	bind_text(&query, attachment->container);
	return query_run(&query, err);
}

/* A sweep of somebody else's may take the row before something is mounted: it is written again. */
int attach_mount(struct store *store, const struct attachment *attachment, struct err *err)
{
	struct err ignored = ERR_INIT; /* the next sweep forgets it */

	if (record(store, attachment, err) < 0)
		return -1;
	if (attachment->mount_fd < 0)
		return 0;
	if (mount_attach(attachment->mount_fd, attachment->path, attachment->is_read_only, err) <
	    0) {
		(void)attach_forget(store, attachment->path, &ignored);
		return -1;
	}
	if (record(store, attachment, err) == 0)
		return 0;
	/* what is not known cannot be protected from removal */
	(void)umount2(attachment->path, MNT_DETACH);
	return -1;
}

static int forget(struct store *store, int64_t ns, const char *path, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "DELETE FROM mounts WHERE mount_ns=? AND path=?", err) <
	    0)
		return -1;
	bind_int(&query, ns);
	bind_text(&query, path);
	return query_run(&query, err);
}

int attach_forget(struct store *store, const char *path, struct err *err)
{
	int64_t ns;

	if (own_ns(&ns, err) < 0)
		return -1;
	return forget(store, ns, path, err);
}

static int add_paths(struct query *query, struct strlist *out, struct err *err)
{
	bool row = false;

	for (;;) {
		if (query_step(query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		strlist_add(out, column_text(query, 0));
	}
}

int attach_paths(struct store *store, const struct digest *image, struct strlist *out,
		 struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t ns;

	if (own_ns(&ns, err) < 0 ||
	    query_open(&query, store->db,
		       "SELECT path FROM mounts WHERE mount_ns=?1 AND container IS NULL AND"
		       " (image=?2 OR image IN (SELECT image FROM index_images WHERE idx=?2))"
		       " ORDER BY path",
		       err) < 0)
		return -1;
	bind_int(&query, ns);
	bind_digest(&query, image);
	return add_paths(&query, out, err);
}

int attach_container_paths(struct store *store, const char *id, struct strlist *out,
			   struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t ns;

	if (own_ns(&ns, err) < 0 ||
	    query_open(&query, store->db,
		       "SELECT path FROM mounts WHERE mount_ns=? AND container=? ORDER BY path",
		       err) < 0)
		return -1;
	bind_int(&query, ns);
	bind_text(&query, id);
	return add_paths(&query, out, err);
}

static int take_text(struct query *query, char **out, struct err *err)
{
	bool row = false;

	if (query_step(query, &row, err) < 0)
		return -1;
	*out = row && column_text(query, 0) ? str_dup(column_text(query, 0)) : NULL;
	return 0;
}

int attach_of_container(struct store *store, const char *id, char **out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "SELECT path FROM mounts WHERE container=? LIMIT 1",
		       err) < 0)
		return -1;
	bind_text(&query, id);
	return take_text(&query, out, err);
}

int attach_container_at(struct store *store, const char *path, char **out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t ns;

	if (own_ns(&ns, err) < 0 ||
	    query_open(&query, store->db,
		       "SELECT container FROM mounts WHERE mount_ns=? AND path=?", err) < 0)
		return -1;
	bind_int(&query, ns);
	bind_text(&query, path);
	return take_text(&query, out, err);
}

int attach_is_known(struct store *store, const char *path, bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t ns;

	if (own_ns(&ns, err) < 0 ||
	    query_open(&query, store->db, "SELECT 1 FROM mounts WHERE mount_ns=? AND path=?", err) <
		    0)
		return -1;
	bind_int(&query, ns);
	bind_text(&query, path);
	return query_step(&query, out, err);
}

/* Where nothing can be mounted, the directory itself is shown. */
static bool is_in_store(const struct store *store, const char *path)
{
	const char *root = store_root_path(store);
	const size_t len = strlen(root);

	return view_is_at(store, path) ||
	       (strncmp(path, root, len) == 0 &&
		strncmp(path + len, "/containers/", strlen("/containers/")) == 0);
}

/* In our namespace: a mount is there as long as its directory is the root of one. */
static bool is_mounted(const char *path)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &stx) <
	    0)
		return errno != ENOENT && errno != ENOTDIR;
	return stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* Has another namespace still a process? What we may not look at may be in it. */
static int is_alive(int64_t ns, bool *out, struct err *err)
{
	auto_close int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_strlist struct strlist names = STRLIST_INIT;
	char path[64];
	int64_t number;

	if (proc_fd < 0)
		return err_sys(err, "open '/proc'");
	if (walk_names(proc_fd, &names, "/proc", err) < 0)
		return -1;
	*out = false;
	for (size_t i = 0; i < names.count && !*out; i++) {
		if (!isdigit((unsigned char)names.items[i][0]))
			continue;
		snprintf(path, sizeof(path), "%.20s/ns/mnt", names.items[i]);
		if (ns_number(proc_fd, path, &number) == 0)
			*out = number == ns;
	}
	return 0;
}

struct attached {
	int64_t ns;
	char *path;
};

static int list_rows(struct store *store, struct attached **out, size_t *out_count, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, "SELECT mount_ns, path FROM mounts", err) < 0)
		return -1;
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		*out = mem_resize(*out, *out_count + 1, sizeof(**out));
		(*out)[(*out_count)++] =
			(struct attached){ .ns = column_int(&query, 0),
					   .path = str_dup(column_text(&query, 1)) };
	}
}

static int sweep_rows(struct store *store, const struct attached *rows, size_t count,
		      struct err *err)
{
	int64_t ns;
	bool stays = false;

	if (count == 0)
		return 0;
	if (own_ns(&ns, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (rows[i].ns == ns)
			stays = is_in_store(store, rows[i].path) ? access(rows[i].path, F_OK) == 0
								 : is_mounted(rows[i].path);
		else if (is_alive(rows[i].ns, &stays, err) < 0)
			return -1;
		if (!stays && forget(store, rows[i].ns, rows[i].path, err) < 0)
			return -1;
	}
	return 0;
}

int attach_sweep(struct store *store, struct err *err)
{
	struct attached *rows = NULL;
	size_t count = 0;
	int result = list_rows(store, &rows, &count, err);

	if (result == 0)
		result = sweep_rows(store, rows, count, err);
	for (size_t i = 0; i < count; i++)
		free(rows[i].path);
	free(rows);
	return result < 0 ? -1 : view_sweep(store, err);
}
