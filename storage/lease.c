/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for leases: which objects living processes use. Who asks before
 * removing is gc.c.
 */
#include "storage/lease-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strlist.h"
#include "layers/walk.h"

struct leased {
	struct {
		int kind;
		struct digest id;
	} key;
	UT_hash_handle hh;
};

#define LEASE_PREFIX "lease-"

/* Whether the locked file @fd still is @name: a sweep may have been faster. */
static bool is_named(int fd, int dir_fd, const char *name)
{
	struct stat have;
	struct stat named;

	return fstat(fd, &have) == 0 && fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       have.st_dev == named.st_dev && have.st_ino == named.st_ino;
}

static int make_file(struct store *store, struct err *err)
{
	char random[17];
	char name[sizeof(store->lease_name)];

	for (int i = 0; i < 100; i++) {
		auto_close int fd = -1;

		if (store_random_name(random, err) < 0)
			return -1;
		snprintf(name, sizeof(name), LEASE_PREFIX "%s", random);
		fd = openat(store->tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
		if (fd < 0)
			return err_sys(err, "make a lease in the store");
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_named(fd, store->tmp_fd, name))
			continue;
		store->lease_fd = fd_steal(&fd);
		memcpy(store->lease_name, name, sizeof(name));
		return 0;
	}
	return err_set(err, ERR_SYSTEM, "make a lease in the store: others keep taking it away");
}

int lease_open(struct store *store, struct err *err)
{
	int result = 0;

	if (store->is_read_only)
		return 0;
	pthread_mutex_lock(&store->lock);
	if (!store->lease_name[0])
		result = make_file(store, err);
	pthread_mutex_unlock(&store->lock);
	return result;
}

static int drop_rows(struct store *store, const char *name, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "DELETE FROM leases WHERE lease=?", err) < 0)
		return -1;
	bind_text(&query, name);
	return query_run(&query, err);
}

void lease_close(struct store *store)
{
	struct err ignored = ERR_INIT;
	struct leased *item;
	struct leased *next;

	if (store->lease_name[0]) {
		/* should the rows stay, the next sweep finds them without a lock */
		(void)drop_rows(store, store->lease_name, &ignored);
		(void)unlinkat(store->tmp_fd, store->lease_name, 0);
		store->lease_name[0] = '\0';
	}
	fd_close(&store->lease_fd);
	HASH_ITER (hh, store->leased, item, next) {
		HASH_DEL(store->leased, item);
		free(item);
	}
}

bool lease_has(struct store *store, enum lease_kind kind, const struct digest *id)
{
	struct leased probe = { .key = { .kind = kind, .id = *id } };
	struct leased *found;

	pthread_mutex_lock(&store->lock);
	HASH_FIND(hh, store->leased, &probe.key, sizeof(probe.key), found);
	pthread_mutex_unlock(&store->lock);
	return found;
}

void lease_note(struct store *store, enum lease_kind kind, const struct digest *id)
{
	struct leased probe = { .key = { .kind = kind, .id = *id } };
	struct leased *item;

	/* one lock for both: another thread may note the same */
	pthread_mutex_lock(&store->lock);
	HASH_FIND(hh, store->leased, &probe.key, sizeof(probe.key), item);
	if (!item) {
		item = mem_dup(&probe, sizeof(probe));
		HASH_ADD(hh, store->leased, key, sizeof(item->key), item);
	}
	pthread_mutex_unlock(&store->lock);
}

int lease_add(struct store *store, enum lease_kind kind, const struct digest *id, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR IGNORE INTO leases(kind, object, lease) VALUES(?, ?, ?)",
		       err) < 0)
		return -1;
	bind_int(&query, kind);
	bind_digest(&query, id);
	bind_text(&query, store->lease_name);
	return query_run(&query, err);
}

int lease_drop(struct store *store, enum lease_kind kind, const struct digest *id, struct err *err)
{
	struct leased probe = { .key = { .kind = kind, .id = *id } };
	auto_query struct query query = QUERY_INIT;
	struct leased *item;

	if (query_open(&query, store->db,
		       "DELETE FROM leases WHERE kind=? AND object=? AND lease=?", err) < 0)
		return -1;
	bind_int(&query, kind);
	bind_digest(&query, id);
	bind_text(&query, store->lease_name);
	if (query_run(&query, err) < 0)
		return -1;
	pthread_mutex_lock(&store->lock);
	HASH_FIND(hh, store->leased, &probe.key, sizeof(probe.key), item);
	if (item)
		HASH_DEL(store->leased, item);
	pthread_mutex_unlock(&store->lock);
	free(item);
	return 0;
}

int lease_take(struct store *store, enum lease_kind kind, const struct digest *id, struct err *err)
{
	if (store->is_read_only || lease_has(store, kind, id))
		return 0;
	if (lease_open(store, err) < 0 || lease_add(store, kind, id, err) < 0)
		return -1;
	lease_note(store, kind, id);
	return 0;
}

/* 1: @name's process is dead, its file was removed; 0: it lives; -1: error. */
static int bury(struct store *store, const char *name, struct err *err)
{
	auto_close int fd = -1;

	if (strncmp(name, LEASE_PREFIX, strlen(LEASE_PREFIX)) != 0 || strchr(name, '/'))
		return err_set(err, ERR_INPUT, "store.db is damaged: a lease is called '%s'", name);
	fd = openat(store->tmp_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return err_sys(err, "open lease '%s'", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK || errno == EINTR)
			return 0;
		return err_sys(err, "lock lease '%s'", name);
	}
	if (is_named(fd, store->tmp_fd, name) && unlinkat(store->tmp_fd, name, 0) < 0)
		return err_sys(err, "remove lease '%s'", name);
	return 1;
}

/* All that may be leases: files in tmp/, and what rows speak of. */
static int list_leases(struct store *store, struct strlist *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	auto_strlist struct strlist names = STRLIST_INIT;
	bool row = false;

	if (walk_names(store->tmp_fd, &names, "tmp", err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (strncmp(names.items[i], LEASE_PREFIX, strlen(LEASE_PREFIX)) == 0)
			strlist_add(out, names.items[i]);
	if (query_open(&query, store->db, "SELECT DISTINCT lease FROM leases", err) < 0)
		return -1;
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		if (!strlist_has(out, column_text(&query, 0)))
			strlist_add(out, column_text(&query, 0));
	}
}

int lease_sweep(struct store *store, bool *out_found, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	bool found = false;

	if (list_leases(store, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		int dead;

		if (strcmp(names.items[i], store->lease_name) == 0)
			continue;
		dead = bury(store, names.items[i], err);
		if (dead < 0)
			return -1;
		if (!dead)
			continue;
		found = true;
		if (drop_rows(store, names.items[i], err) < 0)
			return -1;
	}
	if (out_found)
		*out_found = found;
	return 0;
}
