/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a power cut leaves: which rows speak of data that is on disk
 * for sure. Publishing does not wait for the disk; it numbers its rows, and a sync
 * notes up to which number all is on disk. Within one boot the kernel's cache is the
 * truth; what another boot published after its last sync is forgotten.
 */
#include "storage/store-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/thread.h"

/* Beyond this many blobs one syncfs(2) is cheaper than their fsync(2)s. */
#define FSYNC_BLOBS_MAX 8

int sync_boot_id(char *buf, struct err *err)
{
	auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "open '/proc/sys/kernel/random/boot_id'");
	n = fd_read_full(fd, buf, BOOT_ID_MAX - 1, "/proc/sys/kernel/random/boot_id", err);
	if (n < 0)
		return -1;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	if (!buf[0])
		return err_set(err, ERR_SYSTEM, "the kernel gives no boot ID");
	return 0;
}

static int run(struct store *store, const char *sql, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, sql, err) < 0)
		return -1;
	return query_run(&query, err);
}

static int load_boot(struct store *store, bool *out_same, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, "SELECT boot FROM meta", err) < 0 ||
	    query_step(&query, &row, err) < 0)
		return -1;
	if (!row || !column_text(&query, 0))
		return err_set(err, ERR_INPUT, "store.db is damaged: table meta is empty");
	*out_same = strcmp(column_text(&query, 0), store->boot_id) == 0;
	return 0;
}

/* An index that lacks anything is none. */
static int forget_indexes(struct store *store, struct err *err)
{
	if (run(store,
		"DELETE FROM indexes WHERE seq>(SELECT synced FROM meta)"
		" OR id NOT IN (SELECT digest FROM blobs)"
		" OR id IN (SELECT idx FROM index_blobs WHERE blob NOT IN"
		" (SELECT digest FROM blobs))"
		" OR id IN (SELECT idx FROM index_images WHERE image NOT IN"
		" (SELECT id FROM images))",
		err) < 0 ||
	    run(store, "DELETE FROM index_images WHERE idx NOT IN (SELECT id FROM indexes)", err) <
		    0)
		return -1;
	return run(store, "DELETE FROM index_blobs WHERE idx NOT IN (SELECT id FROM indexes)", err);
}

static int forget_unsynced(struct store *store, struct err *err)
{
	/*
	 * A named image was synced before it got its name, so the last two lines
	 * take names only where a disk lied about its syncs.
	 */
	if (run(store, "DELETE FROM blobs WHERE seq>(SELECT synced FROM meta)", err) < 0 ||
	    run(store, "DELETE FROM layers WHERE seq>(SELECT synced FROM meta)", err) < 0 ||
	    run(store, "DELETE FROM images WHERE seq>(SELECT synced FROM meta)", err) < 0 ||
	    run(store, "DELETE FROM leases", err) < 0 ||
	    run(store, "DELETE FROM mounts", err) < 0 || run(store, "DELETE FROM files", err) < 0 ||
	    run(store, "DELETE FROM steps WHERE layer NOT IN (SELECT id FROM layers)", err) < 0 ||
	    run(store, "DELETE FROM layer_blobs WHERE blob NOT IN (SELECT digest FROM blobs)",
		err) < 0 ||
	    run(store, "DELETE FROM origins WHERE blob NOT IN (SELECT digest FROM blobs)", err) <
		    0 ||
	    run(store,
		"UPDATE images SET manifest=NULL WHERE manifest NOT IN (SELECT digest FROM blobs)",
		err) < 0 ||
	    run(store,
		"DELETE FROM images WHERE id NOT IN (SELECT digest FROM blobs) OR id IN"
		" (SELECT image FROM image_layers WHERE layer NOT IN (SELECT id FROM layers))",
		err) < 0 ||
	    run(store, "DELETE FROM image_layers WHERE image NOT IN (SELECT id FROM images)", err) <
		    0 ||
	    forget_indexes(store, err) < 0)
		return -1;
	return run(store,
		   "DELETE FROM names WHERE image NOT IN (SELECT id FROM images)"
		   " AND image NOT IN (SELECT id FROM indexes)",
		   err);
}

int sync_check_boot(struct store *store, bool *out_changed, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	auto_txn struct txn txn = TXN_INIT;
	bool is_same;

	*out_changed = false;
	if (load_boot(store, &is_same, err) < 0)
		return -1;
	if (is_same)
		return 0;
	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0 || load_boot(store, &is_same, err) < 0)
		return -1;
	if (is_same) /* another process has just done it */
		return 0;
	if (forget_unsynced(store, err) < 0 ||
	    query_open(&query, store->db, "UPDATE meta SET boot=?, synced=seq", err) < 0)
		return -1;
	bind_text(&query, store->boot_id);
	if (query_run(&query, err) < 0)
		return -1;
	query_release(&query);
	*out_changed = true;
	return txn_commit(&txn, err);
}

int sync_next_seq(struct store *store, int64_t *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, "UPDATE meta SET seq=seq+1 RETURNING seq", err) < 0 ||
	    query_step(&query, &row, err) < 0)
		return -1;
	if (!row)
		return err_set(err, ERR_INPUT, "store.db is damaged: table meta is empty");
	*out = column_int(&query, 0);
	return query_run(&query, err);
}

struct unsynced {
	int64_t from; /* synced up to here */
	int64_t to;
	int64_t layers;
	int64_t blobs;
};

static int load_unsynced(struct store *store, struct unsynced *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db,
		       "SELECT synced, seq, (SELECT count(*) FROM layers WHERE seq>m.synced),"
		       " (SELECT count(*) FROM blobs WHERE seq>m.synced) FROM meta m",
		       err) < 0 ||
	    query_step(&query, &row, err) < 0)
		return -1;
	if (!row)
		return err_set(err, ERR_INPUT, "store.db is damaged: table meta is empty");
	*out = (struct unsynced){ .from = column_int(&query, 0),
				  .to = column_int(&query, 1),
				  .layers = column_int(&query, 2),
				  .blobs = column_int(&query, 3) };
	return 0;
}

static int list_blobs(struct store *store, const struct unsynced *range, struct digest **out,
		      size_t *out_count, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	auto_free struct digest *list = NULL;
	size_t count = 0;
	bool row = false;

	if (query_open(&query, store->db, "SELECT digest FROM blobs WHERE seq>? AND seq<=?", err) <
	    0)
		return -1;
	bind_int(&query, range->from);
	bind_int(&query, range->to);
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			break;
		list = mem_resize(list, count + 1, sizeof(*list));
		if (column_digest(&query, 0, &list[count++], err) < 0)
			return -1;
	}
	*out = ptr_steal(&list);
	*out_count = count;
	return 0;
}

/* The few files alone: other people's dirty pages on this file system need not wait. */
static int sync_blobs(struct store *store, const struct unsynced *range, struct err *err)
{
	auto_free struct digest *list = NULL;
	size_t count = 0;
	char hex[DIGEST_HEX_MAX];

	if (list_blobs(store, range, &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		auto_close int fd = openat(store->blobs_fd, digest_hex(&list[i], hex),
					   O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT) /* removed meanwhile */
			continue;
		if (fd < 0 || fsync(fd) < 0)
			return err_sys(err, "write blob '%s' to disk", hex);
	}
	if (fsync(store->blobs_fd) < 0)
		return err_sys(err, "write 'blobs/sha256' to disk");
	return 0;
}

int sync_data(struct store *store, struct sync_mark *out, struct err *err)
{
	struct unsynced unsynced = { .to = 0 };

	if (load_unsynced(store, &unsynced, err) < 0)
		return -1;
	*out = (struct sync_mark){ .is_needed = unsynced.to > unsynced.from, .seq = unsynced.to };
	if (!out->is_needed)
		return 0;
	if (unsynced.layers == 0 && unsynced.blobs <= FSYNC_BLOBS_MAX)
		return sync_blobs(store, &unsynced, err);
	if (syncfs(store->root_fd) < 0)
		return err_sys(err, "write the store '%s' to disk", store->root_path);
	return 0;
}

int sync_note(struct store *store, const struct sync_mark *mark, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "UPDATE meta SET synced=max(synced, ?)", err) < 0)
		return -1;
	bind_int(&query, mark->seq);
	return query_run(&query, err);
}

int store_sync(struct store *store, struct err *err)
{
	auto_txn struct txn txn = TXN_INIT;
	struct sync_mark mark;

	if (sync_data(store, &mark, err) < 0)
		return -1;
	if (!mark.is_needed)
		return 0;
	if (txn_begin(&txn, store->db, TXN_DURABLE, err) < 0 || sync_note(store, &mark, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

/* ---- beforehand -------------------------------------------------------------- */

static void *write_behind(void *arg)
{
	struct store *store = arg;

	/* who wants to know whether all is on disk asks again */
	(void)syncfs(store->root_fd);
	pthread_mutex_lock(&store->lock);
	store->is_behind = false;
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

void sync_join(struct store *store)
{
	if (!store->has_behind)
		return;
	store->has_behind = false;
	pthread_join(store->behind, NULL);
}

void store_write_behind(struct store *store)
{
	struct err ignored = ERR_INIT; /* it is only faster with it */

	pthread_mutex_lock(&store->lock);
	if (!store->is_behind) {
		sync_join(store); /* has nothing left to do but to end */
		store->is_behind = store->has_behind =
			thread_start(&store->behind, write_behind, store, &ignored) == 0;
	}
	pthread_mutex_unlock(&store->lock);
}
