/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_STORE_INTERNAL_H
#define STORAGE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/tmpfile.h"
#include "storage/db-internal.h"
#include "storage/driver-internal.h"
#include "storage/store.h"

#define BOOT_ID_MAX 40

struct trash;     /* what is being removed (trash.c) */
struct leased;    /* one entry of the lease's memory (lease.c) */
struct file_note; /* one digest to be written (filecache.c) */

struct store {
	char *root_path;
	int root_fd;
	int tmp_fd; /* of one that is only read, this and what it does not need may be -1 */
	int cache_fd;
	int empty_fd;
	int blobs_fd; /* blobs/sha256 */
	int layers_fd;
	int containers_fd;
	int cachemounts_fd; /* cache-mounts */
	enum overlay_ns ns;
	char boot_id[BOOT_ID_MAX];
	struct db *db;
	struct trash *trash; /* has a lock of its own */
	bool is_read_only;
	int64_t trusted_seq;        /* rows beyond it may speak of what is not on disk */
	const struct store *beside; /* the one that it was added to, or NULL */
	struct store **added;       /* only read; see reading-internal.h */
	size_t added_count;

	/* a driver may be tried out while the other lock is held */
	pthread_mutex_t daemons_lock;
	struct fuse_daemon *daemons; /* of the fuse driver (fuse.c) */

	/* taken last; protects all below */
	pthread_mutex_t lock;
	char lease_name[40]; /* "lease-…" below tmp/; empty: nothing leased yet */
	int lease_fd;
	struct leased *leased;
	struct file_note *notes;
	size_t note_count;
	size_t note_cap;
	const struct mount_driver *driver; /* NULL: not chosen yet */
	struct tmpdir views;               /* of the copy driver; removed with the store's end */
	unsigned view_count;
	pthread_t behind; /* writes to disk while others work */
	bool has_behind;  /* was started, and not joined yet */
	bool is_behind;   /* is still at it */
};

/* One with nothing open. */
struct store *store_new(void);

/* Say that a store which was made for @ns cannot be used by this process; -1. */
int store_refuse_ns(const struct store *store, int64_t ns, struct err *err);

/* 16 random hex digits (17 bytes with the NUL). */
int store_random_name(char *buf, struct err *err);

/* ---- sync.c: what is on disk for sure ---- */

/* The boot ID of the running kernel. */
int sync_boot_id(char *buf, struct err *err);
/*
 * When another boot used the store last: forget what it published without
 * syncing, and all that is bound to a boot. *out_changed tells whether it was so.
 */
int sync_check_boot(struct store *store, bool *out_changed, struct err *err);

/* Wait for store_write_behind: with the lock held only when it is known to be over. */
void sync_join(struct store *store);
/* In a transaction: the number of what is published next. */
int sync_next_seq(struct store *store, int64_t *out, struct err *err);

/* All rows up to this one were there when the data was synced. */
struct sync_mark {
	bool is_needed;
	int64_t seq;
};
/* Write the data of all that is unsynced to disk; @out for sync_note. */
int sync_data(struct store *store, struct sync_mark *out, struct err *err);
/* In a TXN_DURABLE transaction: the rows up to the mark are synced. */
int sync_note(struct store *store, const struct sync_mark *mark, struct err *err);

/* ---- sweep.c: what is on disk and should not be ---- */

/* Remove what dead processes left. @thorough: also look for things without a row. */
int sweep_dead(struct store *store, bool thorough, struct err *err);
/* Remove everything in layers/, blobs/ and containers/ that has no row. */
int sweep_rubbish(struct store *store, bool with_temporaries, struct err *err);
/*
 * In a transaction that removes its row or finds none: take the entry @name of
 * @dir_fd away. A file is unlinked, a directory moved to @to_fd, a tmpdir of
 * tmp/ that is removed when the lock is free again. Absent is fine.
 */
int sweep_discard(int dir_fd, const char *name, int to_fd, struct err *err);

/* A megabyte kept back, so that removing works on a full disk. */
void spare_drop(struct store *store);
void spare_make(struct store *store);

/* ---- filecache.c ---- */
void filecache_free(struct store *store);

#endif
