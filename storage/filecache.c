/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the digests of context files: found by what stat(2) says of them,
 * written many at a time.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common/mem.h"
#include "storage/stepcache.h"
#include "storage/store-internal.h"

/* A write in the same tick of the file system's clock as the read would go unseen. */
#define SETTLED_NS INT64_C(2000000000)
#define NOTES_MAX  4096

struct file_note {
	int64_t dev;
	int64_t ino;
	int64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	struct digest digest;
};

static int64_t ns_of(const struct timespec *ts)
{
	return (int64_t)((uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec);
}

static void note_of(const struct stat *st, struct file_note *out)
{
	*out = (struct file_note){ .dev = (int64_t)st->st_dev,
				   .ino = (int64_t)st->st_ino,
				   .size = st->st_size,
				   .mtime_ns = ns_of(&st->st_mtim),
				   .ctime_ns = ns_of(&st->st_ctim) };
}

void filecache_item_init(struct filecache_item *item, const struct stat *st)
{
	*item = (struct filecache_item){ .dev = (int64_t)st->st_dev,
					 .ino = (int64_t)st->st_ino,
					 .size_bytes = st->st_size,
					 .mtime_ns = ns_of(&st->st_mtim),
					 .ctime_ns = ns_of(&st->st_ctim) };
}

static int find_item(struct store *store, struct filecache_item *item, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "SELECT digest FROM files WHERE dev=? AND ino=? AND size=? AND mtime_ns=?"
		       " AND ctime_ns=?",
		       err) < 0)
		return -1;
	bind_int(&query, item->dev);
	bind_int(&query, item->ino);
	bind_int(&query, item->size_bytes);
	bind_int(&query, item->mtime_ns);
	bind_int(&query, item->ctime_ns);
	if (query_step(&query, &item->is_found, err) < 0)
		return -1;
	return item->is_found ? column_digest(&query, 0, &item->digest, err) : 0;
}

int filecache_find(struct store *store, const struct stat *st, bool *out_found, struct digest *out,
		   struct err *err)
{
	struct filecache_item item;

	filecache_item_init(&item, st);
	if (find_item(store, &item, err) < 0)
		return -1;
	*out_found = item.is_found;
	if (item.is_found)
		*out = item.digest;
	return 0;
}

/* Without the transaction each look-up would lock and unlock the file. */
int filecache_find_many(struct store *store, struct filecache_item *items, size_t count,
			struct err *err)
{
	auto_txn struct txn txn = TXN_INIT;

	if (count == 0)
		return 0;
	if (txn_begin(&txn, store->db, TXN_READ, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (find_item(store, &items[i], err) < 0)
			return -1;
	return txn_commit(&txn, err);
}

int filecache_put(struct store *store, const struct stat *st, const struct digest *digest,
		  struct err *err)
{
	struct timespec now;
	struct file_note note;
	bool is_full;

	clock_gettime(CLOCK_REALTIME, &now);
	note_of(st, &note);
	note.digest = *digest;
	if (ns_of(&now) - note.mtime_ns < SETTLED_NS || ns_of(&now) - note.ctime_ns < SETTLED_NS)
		return 0;

	pthread_mutex_lock(&store->lock);
	if (store->note_count == store->note_cap) {
		store->note_cap = store->note_cap ? store->note_cap * 2 : 256;
		store->notes = mem_resize(store->notes, store->note_cap, sizeof(*store->notes));
	}
	store->notes[store->note_count++] = note;
	is_full = store->note_count >= NOTES_MAX;
	pthread_mutex_unlock(&store->lock);
	return is_full ? filecache_flush(store, err) : 0;
}

static int write_note(struct store *store, const struct file_note *note, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR REPLACE INTO files(dev, ino, size, mtime_ns, ctime_ns, digest)"
		       " VALUES(?, ?, ?, ?, ?, ?)",
		       err) < 0)
		return -1;
	bind_int(&query, note->dev);
	bind_int(&query, note->ino);
	bind_int(&query, note->size);
	bind_int(&query, note->mtime_ns);
	bind_int(&query, note->ctime_ns);
	bind_digest(&query, &note->digest);
	return query_run(&query, err);
}

int filecache_flush(struct store *store, struct err *err)
{
	auto_free struct file_note *notes = NULL;
	auto_txn struct txn txn = TXN_INIT;
	size_t count;

	/* taken out first: the database's lock comes before the store's */
	pthread_mutex_lock(&store->lock);
	notes = ptr_steal(&store->notes);
	count = store->note_count;
	store->note_count = store->note_cap = 0;
	pthread_mutex_unlock(&store->lock);
	if (count == 0)
		return 0;
	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (write_note(store, &notes[i], err) < 0)
			return -1;
	return txn_commit(&txn, err);
}

void filecache_free(struct store *store)
{
	free(store->notes);
	store->notes = NULL;
}
