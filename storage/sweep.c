/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for rubbish: what killed processes left half-made in tmp/, and what
 * lies in layers/, blobs/ or containers/ without a row. Publishing renames and
 * writes the row in one transaction, so whoever holds the write lock and finds
 * no row has found rubbish.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/strlist.h"
#include "common/tmpfile.h"
#include "layers/walk.h"
#include "storage/lease-internal.h"
#include "storage/store-internal.h"

#define SPARE_NAME  "spare"
#define SPARE_BYTES 1048576
#define SPARE_MIN   65536
#define LOCK_PREFIX "lock-"

void spare_drop(struct store *store)
{
	/* there is none on a disk that was full when it should have been made */
	(void)unlinkat(store->root_fd, SPARE_NAME, 0);
}

void spare_make(struct store *store)
{
	auto_close int fd = openat(store->root_fd, SPARE_NAME,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	/* a removal that gave nothing back has eaten of it, and half is better than none */
	for (off_t bytes = SPARE_BYTES; bytes >= SPARE_MIN; bytes /= 2)
		if (fallocate(fd, 0, 0, bytes) == 0)
			return;
	/* no space: then what is being removed makes some, and the next one finds it */
	(void)unlinkat(store->root_fd, SPARE_NAME, 0);
}

int sweep_discard(int dir_fd, const char *name, int to_fd, struct err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(err, "stat '%s'", name);
	}
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
			return err_sys(err, "remove '%s'", name);
		return 0;
	}
	if (renameat(dir_fd, name, to_fd, name) < 0 && errno != ENOENT)
		return err_sys(err, "take '%s' away", name);
	return 0;
}

static int has_row(struct store *store, const char *sql, const struct digest *digest,
		   const char *text, bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, sql, err) < 0)
		return -1;
	if (digest)
		bind_digest(&query, digest);
	else
		bind_text(&query, text);
	return query_step(&query, out, err);
}

struct place {
	int dir_fd;
	const char *path;
	const char *sql;
	bool by_digest;
};

static int sweep_place(struct store *store, const struct place *place, bool with_temporaries,
		       int to_fd, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(place->dir_fd, &names, place->path, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		struct err ignored = ERR_INIT;
		struct digest digest;
		bool keep = false;

		if (name[0] == '.') /* a tmpfile where O_TMPFILE is missing */
			keep = !with_temporaries;
		else if (!place->by_digest)
			keep = has_row(store, place->sql, NULL, name, &keep, err) < 0 || keep;
		else if (digest_parse_hex(name, &digest, &ignored) == 0)
			keep = has_row(store, place->sql, &digest, NULL, &keep, err) < 0 || keep;
		if (err->kind != ERR_NONE)
			return -1;
		if (!keep && sweep_discard(place->dir_fd, name, to_fd, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * Rows of containers are not worth a sync of their own: after a power cut one may
 * be back whose directory is not, or never came.
 */
static int sweep_container_rows(struct store *store, struct err *err)
{
	auto_strlist struct strlist ids = STRLIST_INIT;
	bool row = false;

	{
		auto_query struct query query = QUERY_INIT;

		if (query_open(&query, store->db, "SELECT id FROM containers", err) < 0)
			return -1;
		while (query_step(&query, &row, err) == 0 && row)
			strlist_add(&ids, column_text(&query, 0));
		if (err->kind != ERR_NONE)
			return -1;
	}
	for (size_t i = 0; i < ids.count; i++) {
		auto_query struct query query = QUERY_INIT;

		if (faccessat(store->containers_fd, ids.items[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
		    errno != ENOENT)
			continue;
		if (query_open(&query, store->db, "DELETE FROM containers WHERE id=?", err) < 0)
			return -1;
		bind_text(&query, ids.items[i]);
		if (query_run(&query, err) < 0)
			return -1;
	}
	return 0;
}

int sweep_rubbish(struct store *store, bool with_temporaries, struct err *err)
{
	const struct place places[] = {
		{ store->layers_fd, "layers", "SELECT 1 FROM layers WHERE id=? AND place IS NULL",
		  true },
		{ store->blobs_fd, "blobs/sha256", "SELECT 1 FROM blobs WHERE digest=?", true },
		{ store->containers_fd, "containers", "SELECT 1 FROM containers WHERE id=?",
		  false },
	};
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT; /* emptied after the lock is free */
	auto_txn struct txn txn = TXN_INIT;

	if (tmpdir_make(&gone, store->tmp_fd, err) < 0 ||
	    txn_begin(&txn, store->db, TXN_FAST, err) < 0 || sweep_container_rows(store, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (sweep_place(store, &places[i], with_temporaries, gone.fd, err) < 0)
			return err_prefix(err, "sweep the store");
	return txn_commit(&txn, err);
}

/* Lock files of pulls (layer_lock_take) whose taker was killed. */
static void sweep_lock(struct store *store, const char *name)
{
	auto_close int fd = openat(store->tmp_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	/* who waits for it looks afterwards whether it still has its name */
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(store->tmp_fd, name, 0);
}

static size_t count_others(const struct strlist *names, const char *mine)
{
	size_t count = 0;

	for (size_t i = 0; i < names->count; i++)
		count += strcmp(names->items[i], mine) != 0;
	return count;
}

int sweep_dead(struct store *store, bool thorough, struct err *err)
{
	auto_strlist struct strlist before = STRLIST_INIT;
	auto_strlist struct strlist after = STRLIST_INIT;
	bool found = false;

	if (walk_names(store->tmp_fd, &before, "tmp", err) < 0)
		return -1;
	if (count_others(&before, store->lease_name) > 0) {
		for (size_t i = 0; i < before.count; i++)
			if (strncmp(before.items[i], LOCK_PREFIX, strlen(LOCK_PREFIX)) == 0)
				sweep_lock(store, before.items[i]);
		if (tmpdir_sweep(store->tmp_fd, err) < 0 || lease_sweep(store, &found, err) < 0 ||
		    walk_names(store->tmp_fd, &after, "tmp", err) < 0)
			return err_prefix(err, "sweep the store");
		found |= after.count < before.count;
	}
	if (!found && !thorough)
		return 0;
	spare_drop(store);
	if (sweep_rubbish(store, thorough, err) < 0)
		return -1;
	spare_make(store);
	return 0;
}
