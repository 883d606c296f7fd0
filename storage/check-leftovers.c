/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what lies in the store's directories without a row. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/walk.h"
#include "storage/check-internal.h"
#include "storage/gc-internal.h"
#include "storage/lease-internal.h"

/* Nobody holds the lock of the file or directory @name. */
static bool is_dead(int dir_fd, const char *name)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static int look_at_temporaries(struct checker *checker, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(checker->store->tmp_fd, &names, "tmp", err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_free char *path = str_format("tmp/%s", names.items[i]);

		if (is_dead(checker->store->tmp_fd, names.items[i]))
			check_add(checker, CHECK_LEFTOVER, "file", NULL, path,
				  "the process that made it is gone");
	}
	return 0;
}

struct place {
	int dir_fd;
	const char *path;
	const char *sql;
	bool by_digest;
};

static int has_row(struct checker *checker, const struct place *place, const char *name, bool *out,
		   struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	struct err ignored = ERR_INIT;
	struct digest digest;

	*out = false;
	if (place->by_digest && digest_parse_hex(name, &digest, &ignored) < 0)
		return 0;
	if (query_open(&query, checker->store->db, place->sql, err) < 0)
		return -1;
	if (place->by_digest)
		bind_digest(&query, &digest);
	else
		bind_text(&query, name);
	return query_step(&query, out, err);
}

static int look_at_place(struct checker *checker, const struct place *place, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(place->dir_fd, &names, place->path, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_free char *path = str_format("%s/%s", place->path, names.items[i]);
		bool found = false;

		/* ".tmp-…": being written, where O_TMPFILE is missing */
		if (names.items[i][0] == '.')
			continue;
		if (has_row(checker, place, names.items[i], &found, err) < 0)
			return -1;
		if (!found)
			check_add(checker, CHECK_LEFTOVER, "file", NULL, path,
				  "nothing in store.db speaks of it");
	}
	return 0;
}

static int look_at_leases(struct checker *checker, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, checker->store->db, "SELECT DISTINCT lease FROM leases", err) < 0)
		return -1;
	for (;;) {
		const char *name;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		name = column_text(&query, 0);
		/* a file that is there was looked at in tmp/ */
		if (name && faccessat(checker->store->tmp_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			check_add(checker, CHECK_LEFTOVER, "lease", NULL, name,
				  "the process that took it is gone");
	}
}

static int look_for_leftovers(struct checker *checker, struct err *err)
{
	const struct place places[] = {
		{ checker->store->layers_fd, "layers",
		  "SELECT 1 FROM layers WHERE id=? AND place IS NULL", true },
		{ checker->store->blobs_fd, "blobs/sha256", "SELECT 1 FROM blobs WHERE digest=?",
		  true },
		{ checker->store->containers_fd, "containers",
		  "SELECT 1 FROM containers WHERE id=?", false },
	};
	/* who publishes holds this lock from the file's name to the row */
	auto_txn struct txn txn = TXN_INIT;

	if (txn_begin(&txn, checker->store->db, TXN_FAST, err) < 0 ||
	    look_at_temporaries(checker, err) < 0 || look_at_leases(checker, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (look_at_place(checker, &places[i], err) < 0)
			return -1;
	return txn_commit(&txn, err);
}

int check_leftovers(struct checker *checker, struct err *err)
{
	if (look_for_leftovers(checker, err) < 0)
		return -1;
	if (!checker->options->repair)
		return 0;
	if (sweep_dead(checker->store, false, err) < 0 ||
	    sweep_rubbish(checker->store, false, err) < 0)
		return -1;
	check_mark_repaired(checker, CHECK_LEFTOVER, "removed");
	return 0;
}
