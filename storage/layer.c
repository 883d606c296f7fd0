/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for unpacked layers: finding one, making one, publishing it. Their
 * packed forms are layer-blob.c's; putting them together is mount.c's.
 */
#include "storage/layer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/tree.h"
#include "storage/layer-internal.h"
#include "storage/lease-internal.h"
#include "storage/reading-internal.h"
#include "storage/store-internal.h"
#include "storage/trash-internal.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A row of another store's layer: which of those that are here has it. */
static int find_place(struct store *store, struct layer *layer, struct err *err)
{
	const struct store *home = store->beside ? store->beside : store;
	struct layer there;
	bool implicit = false;
	bool found = false;

	for (size_t i = 0; i < home->added_count && !found; i++) {
		if (home->added[i] == store)
			continue;
		if (layer_load(home->added[i], &layer->id, &found, &implicit, &there, err) < 0)
			return -1;
		found = found && !there.is_out_of_reach;
	}
	layer->lies_in = found ? there.lies_in : NULL;
	layer->is_out_of_reach = !found;
	return 0;
}

int layer_load(struct store *store, const struct digest *id, bool *out_found, bool *out_implicit,
	       struct layer *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	struct layer layer = { .id = *id, .lies_in = store->beside ? store : NULL };
	bool is_elsewhere;
	bool row = false;

	if (query_open(&query, store->db,
		       "SELECT diff_id, tar_bytes, content_bytes, entries, is_ours, implicit,"
		       " place IS NOT NULL FROM layers WHERE id=?1 AND seq<=?2",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_int(&query, store->trusted_seq);
	if (query_step(&query, &row, err) < 0)
		return -1;
	*out_found = row;
	if (!row)
		return 0;
	if (column_digest(&query, 0, &layer.diff_id, err) < 0)
		return -1;
	layer.tar_bytes = (uint64_t)column_int(&query, 1);
	layer.content_bytes = (uint64_t)column_int(&query, 2);
	layer.entries = (uint64_t)column_int(&query, 3);
	layer.is_ours = column_int(&query, 4);
	*out_implicit = layer.is_implicit = column_int(&query, 5);
	is_elsewhere = column_int(&query, 6);
	query_release(&query);
	if (is_elsewhere && find_place(store, &layer, err) < 0)
		return -1;
	*out = layer;
	return 0;
}

/* In one store. */
static int lookup_in(struct store *store, const struct digest *parent_chain,
		     const struct digest *diff_id, bool *out_found, struct layer *out,
		     struct err *err)
{
	struct digest chain;
	bool implicit = false;

	if (layer_load(store, diff_id, out_found, &implicit, out, err) < 0)
		return -1;
	/* one with implicit parents that was lowest elsewhere is another layer here */
	*out_found = *out_found && !out->is_out_of_reach && !(implicit && parent_chain);
	if (*out_found || !parent_chain)
		return 0;
	digest_chain(parent_chain, diff_id, &chain);
	if (layer_load(store, &chain, out_found, &implicit, out, err) < 0)
		return -1;
	*out_found = *out_found && !out->is_out_of_reach;
	return 0;
}

int layer_lookup(struct store *store, const struct digest *parent_chain,
		 const struct digest *diff_id, bool *out_found, struct layer *out, struct err *err)
{
	if (lookup_in(store, parent_chain, diff_id, out_found, out, err) < 0)
		return -1;
	for (size_t i = 0; i < store->added_count && !*out_found; i++)
		if (lookup_in(store->added[i], parent_chain, diff_id, out_found, out, err) < 0)
			return -1;
	return 0;
}

int layer_find(struct store *store, const struct digest *parent_chain, const struct digest *diff_id,
	       bool *out_found, struct layer *out, struct err *err)
{
	struct layer layer;
	bool found = false;

	if (layer_lookup(store, parent_chain, diff_id, &found, &layer, err) < 0)
		return -1;
	if (found && !lease_has(store, LEASE_LAYER, &layer.id)) {
		/* it may have gone between the look and the lease: look again under it */
		if (lease_take(store, LEASE_LAYER, &layer.id, err) < 0 ||
		    layer_lookup(store, parent_chain, diff_id, &found, &layer, err) < 0)
			return -1;
	}
	*out_found = found;
	if (found)
		*out = layer;
	return 0;
}

int layer_place(struct store *store, const struct layer *layer, struct strbuf *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, "SELECT place FROM layers WHERE id=?", err) < 0)
		return -1;
	bind_digest(&query, &layer->id);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (row && !column_is_null(&query, 0))
		strbuf_puts(out, column_text(&query, 0));
	return 0;
}

static int say_out_of_reach(struct store *store, const struct layer *layer, struct err *err)
{
	auto_strbuf struct strbuf place = STRBUF_INIT;
	char hex[DIGEST_HEX_MAX];

	if (layer_place(store, layer, &place, err) < 0)
		return -1;
	err_set(err, ERR_INPUT, "layer %s lies in the store '%s', which is not in use",
		digest_hex(&layer->id, hex), place.len ? place.data : "?");
	return err_detail(err, "name it: --add-store %s", place.len ? place.data : "DIR");
}

int layer_open(struct store *store, const struct layer *layer, struct err *err)
{
	const struct store *home = layer->lies_in ? layer->lies_in : store;
	char path[DIGEST_HEX_MAX + 8];
	char hex[DIGEST_HEX_MAX];
	int fd;

	if (layer->is_out_of_reach)
		return say_out_of_reach(store, layer, err);
	snprintf(path, sizeof(path), "%s/fs", digest_hex(&layer->id, hex));
	fd = beneath_open(home->layers_fd, path, BENEATH_NO_LINKS, O_RDONLY | O_DIRECTORY, err);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT) {
		err_clear(err);
		return err_set(err, ERR_INPUT,
			       "the store '%s' is damaged: layer %s has no directory",
			       home->root_path, hex);
	}
	return err_prefix(err, "open layer %s", hex);
}

/* Make @name below @dir_fd with exactly @mode and open it. */
static int make_dir(int dir_fd, const char *name, mode_t mode, struct err *err)
{
	auto_close int fd = -1;

	if (mkdirat(dir_fd, name, mode) < 0)
		return err_sys(err, "make '%s' of a layer", name);
	fd = openat(dir_fd, name, DIR_FLAGS);
	if (fd < 0)
		return err_sys(err, "open '%s' of a layer", name);
	if (fchmod(fd, mode) < 0)
		return err_sys(err, "make '%s' of a layer", name);
	return fd_steal(&fd);
}

int layer_draft_open(struct store *store, struct layer_draft *out, struct err *err)
{
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;

	if (store->is_read_only)
		return reading_refuse(store, "begin a layer", err);
	if (tmpdir_make(&draft.tmp, store->tmp_fd, err) < 0)
		return err_prefix(err, "begin a layer");
	draft.fs_fd = make_dir(draft.tmp.fd, "fs", 0755, err);
	if (draft.fs_fd < 0)
		return -1;
	draft.work_fd = make_dir(draft.tmp.fd, "work", 0755, err);
	if (draft.work_fd < 0)
		return -1;
	draft.store = store;
	*out = draft;
	draft = (struct layer_draft)LAYER_DRAFT_INIT;
	return 0;
}

void layer_draft_release(struct layer_draft *draft)
{
	fd_close(&draft->work_fd);
	fd_close(&draft->fs_fd);
	if (draft->store && draft->tmp.name[0])
		trash_take(draft->store->trash, &draft->tmp);
	tmpdir_release(&draft->tmp);
}

/* @place: the store where its directory lies; NULL: here. What was a row of another's becomes ours.
 */
static int insert_row(struct store *store, const struct digest *id, const struct layer_facts *facts,
		      const char *place, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	int64_t seq;

	if (sync_next_seq(store, &seq, err) < 0 ||
	    query_open(&query, store->db,
		       "INSERT OR REPLACE INTO layers(id, diff_id, tar_bytes, content_bytes,"
		       " entries, is_ours, implicit, seq, place) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_digest(&query, facts->diff_id);
	bind_int(&query, (int64_t)facts->tar_bytes);
	bind_int(&query, (int64_t)facts->content_bytes);
	bind_int(&query, (int64_t)facts->entries);
	bind_int(&query, facts->is_ours);
	bind_int(&query, facts->implicit_parents);
	bind_int(&query, seq);
	bind_text(&query, place);
	return query_run(&query, err);
}

int layer_note_place(struct store *store, const struct layer *layer, struct err *err)
{
	const struct layer_facts facts = {
		.diff_id = &layer->diff_id,
		.tar_bytes = layer->tar_bytes,
		.content_bytes = layer->content_bytes,
		.entries = layer->entries,
		.is_ours = layer->is_ours,
		.implicit_parents = layer->is_implicit,
	};
	struct layer known;
	bool implicit = false;
	bool found = false;

	if (!layer->lies_in)
		return 0;
	if (layer_load(store, &layer->id, &found, &implicit, &known, err) < 0)
		return -1;
	return found ? 0 : insert_row(store, &layer->id, &facts, layer->lies_in->root_path, err);
}

/* Somebody unpacked a layer that we can now pack ourselves: the better fact stays. */
static int improve_row(struct store *store, const struct digest *id,
		       const struct layer_facts *facts, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (!facts->is_ours)
		return 0;
	if (query_open(&query, store->db, "UPDATE layers SET is_ours=1 WHERE id=? AND is_ours=0",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	return query_run(&query, err);
}

static int publish(struct store *store, struct layer_draft *draft, const struct digest *id,
		   const struct layer_facts *facts, struct err *err)
{
	auto_tmpdir struct tmpdir gone = TMPDIR_INIT;
	auto_txn struct txn txn = TXN_INIT;
	char hex[DIGEST_HEX_MAX];
	struct stat st;
	struct layer layer;
	bool found = false;
	bool implicit = false;

	digest_hex(id, hex);
	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0 ||
	    layer_load(store, id, &found, &implicit, &layer, err) < 0 ||
	    lease_add(store, LEASE_LAYER, id, err) < 0)
		return -1;
	if (found && !layer.lies_in && !layer.is_out_of_reach) {
		if (improve_row(store, id, facts, err) < 0)
			return -1;
		return txn_commit(&txn, err);
	}
	if (insert_row(store, id, facts, NULL, err) < 0)
		return -1;
	/* a directory without a row is what a killed process left: never adopted */
	if (fstatat(store->layers_fd, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (tmpdir_make(&gone, store->tmp_fd, err) < 0 ||
	     sweep_discard(store->layers_fd, hex, gone.fd, err) < 0))
		return -1;
	if (tmpdir_commit(&draft->tmp, store->layers_fd, hex, err) < 0)
		return -1;
	if (txn_commit(&txn, err) < 0) {
		/* back into the draft's hands, which removes it */
		if (renameat(store->layers_fd, hex, store->tmp_fd, hex + 40) == 0)
			snprintf(draft->tmp.name, sizeof(draft->tmp.name), "%s", hex + 40);
		return -1;
	}
	return 0;
}

/* A layer that we lease cannot go away: there is nothing to do about it. */
static int find_leased(struct store *store, const struct digest *id, bool is_ours, bool *out_found,
		       struct layer *out, struct err *err)
{
	struct layer layer;
	bool implicit = false;

	*out_found = false;
	if (!lease_has(store, LEASE_LAYER, id))
		return 0;
	if (layer_load(store, id, out_found, &implicit, &layer, err) < 0)
		return -1;
	*out_found = *out_found && (layer.is_ours || !is_ours) && !layer.is_out_of_reach;
	if (*out_found)
		*out = layer;
	return 0;
}

int layer_draft_commit(struct store *store, struct layer_draft *draft,
		       const struct layer_facts *facts, struct layer *out, struct err *err)
{
	struct digest id = *facts->diff_id;
	char hex[DIGEST_HEX_MAX];
	bool implicit = false;
	bool found = false;

	if (facts->implicit_parents && facts->parent_chain)
		digest_chain(facts->parent_chain, facts->diff_id, &id);
	if (find_leased(store, &id, facts->is_ours, &found, out, err) < 0)
		return err_prefix(err, "store layer %s", digest_hex(&id, hex));
	if (found) {
		layer_draft_release(draft);
		return 0;
	}
	fd_close(&draft->work_fd);
	if (tree_remove(draft->tmp.fd, "work", err) < 0 || lease_open(store, err) < 0 ||
	    publish(store, draft, &id, facts, err) < 0)
		return err_prefix(err, "store layer %s", digest_hex(&id, hex));
	lease_note(store, LEASE_LAYER, &id);
	if (layer_load(store, &id, &found, &implicit, out, err) < 0)
		return -1;
	assert(found); /* it is in our lease */
	layer_draft_release(draft);
	return 0;
}

/* ---- one maker at a time --------------------------------------------------- */

/* Whether the locked file is still the one that has the name. -1 and errno on error. */
static int lock_is_named(const struct layer_lock *lock)
{
	struct stat locked;
	struct stat named;

	if (fstat(lock->fd, &locked) < 0)
		return -1;
	if (fstatat(lock->dir_fd, lock->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	return named.st_ino == locked.st_ino && named.st_dev == locked.st_dev;
}

int layer_lock_take(struct store *store, const struct digest *id, struct layer_lock *out,
		    struct err *err)
{
	struct layer_lock lock = { .fd = -1, .dir_fd = store->tmp_fd };
	char hex[DIGEST_HEX_MAX];
	int is_named = 0;

	snprintf(lock.name, sizeof(lock.name), "lock-%s", digest_hex(id, hex));
	while (!is_named) {
		fd_close(&lock.fd);
		lock.fd = openat(store->tmp_fd, lock.name,
				 O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (lock.fd < 0)
			return err_sys(err, "make a lock in the store");
		if (flock(lock.fd, LOCK_EX) < 0) {
			int saved = errno;

			fd_close(&lock.fd);
			errno = saved;
			if (saved == EINTR)
				return err_set(err, ERR_INTERRUPTED,
					       "interrupted while waiting for layer %s", hex);
			return err_sys(err, "lock layer %s", hex);
		}
		/* the one before us has removed it: the next one would make another */
		is_named = lock_is_named(&lock);
	}
	if (is_named < 0) {
		fd_close(&lock.fd);
		return err_sys(err, "stat the lock of layer %s", hex);
	}
	*out = lock;
	return 0;
}

void layer_lock_release(struct layer_lock *lock)
{
	/* while it is held: who waits for it sees that it has lost its name */
	if (lock->fd >= 0)
		(void)unlinkat(lock->dir_fd, lock->name, 0);
	fd_close(&lock->fd);
}
