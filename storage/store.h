/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "layers/entry.h"

/*
 * The store: one directory that every command of every process works on at the
 * same time, without a daemon.
 *
 *   ROOT/            mode 0700
 *     store.db       SQLite (WAL): the truth. A directory without a row is rubbish
 *     blobs/sha256/  manifests, configs, compressed layers, as in an OCI image layout
 *     layers/ID/fs/  unpacked layers in overlay form
 *     containers/ID/ upper fs/, work/, init/ of a container
 *     tmp/           everything half-made (common/tmpfile.h, tmpdir)
 *     cache-mounts/  directories of RUN --mount=type=cache (storage/cachemount.h)
 *     cache/         what can be made again (compiled seccomp filters)
 *     empty/         a directory that stays empty: the lower of "scratch"
 *
 * Publishing: made under tmp/, complete and checked, renamed, then a row.
 */
struct store;

/*
 * Open, and make when missing. @root: NULL takes $IMGBUILD_ROOT, else
 * /var/lib/imgbuild for real root, else $XDG_DATA_HOME/imgbuild (default
 * ~/.local/share/imgbuild). Call after userns_enter. A store of a newer schema is refused; an older
 * one is upgraded. Removes what dead processes left in tmp/ (cheap when there is nothing).
 */
int store_open(const char *root, struct store **out, struct err *err);

/*
 * Further stores are used where they lie when $IMGBUILD_ADD_STORES (DIR:DIR) names them as this
 * store is opened: their images are found after its own, their layers and blobs are used in place,
 * and nothing is ever written to them. Other processes may work on them at the same time; they
 * must not remove what is used here. ERR_INPUT for one that is none, or was made in another
 * kind of user namespace.
 */
#define STORE_ADD_VARIABLE "IMGBUILD_ADD_STORES"
/* The option that adds to it, for each command. */
#define OPTION_ADD_STORE                                                            \
	{                                                                           \
		0, "add-store", OPTION_PATHS, NULL, "DIR",                          \
			"use the images of this store, too, where they lie (also: " \
			"$" STORE_ADD_VARIABLE ")",                                 \
			STORE_ADD_VARIABLE                                          \
	}
/* Their paths, in order. */
size_t store_added_count(const struct store *store);
const char *store_added_path(const struct store *store, size_t at);
/*
 * The same for who looks whether all is well: a store that is not there is ERR_INPUT, nothing
 * is swept, and what an older boot has not synced is not forgotten. One that cannot be written is
 * read, as by store_open_reading.
 */
int store_open_as_is(const char *root, struct store **out, struct err *err);
/*
 * For who only reads. Where the store cannot be written (a read-only file system, somebody
 * else's), it is read as it is: what others do meanwhile shows, nothing in it is touched, and
 * what would write fails with EROFS. Else this is store_open.
 */
int store_open_reading(const char *root, struct store **out, struct err *err);
/* What store_open does besides opening: forget what is not on disk for sure, sweep. */
int store_settle(struct store *store, struct err *err);
void store_close(struct store *store);
#define auto_store __attribute__((cleanup(store_auto_close)))
void store_auto_close(struct store **store);

const char *store_root_path(const struct store *store);
int store_tmp_fd(const struct store *store);   /* borrowed: tmp/ */
int store_cache_fd(const struct store *store); /* borrowed: cache/ */
int store_empty_fd(const struct store *store); /* borrowed: empty/ */
/* How overlay attributes are written in this store's layers: user.overlay. in a user namespace. */
enum overlay_ns store_overlay_ns(const struct store *store);
/* Its layers lack the devices of their tars, which only root on the host may make. */
bool store_lacks_devices(const struct store *store);

/*
 * Make all that was published so far durable (one syncfs(2)) and mark it so.
 * Does nothing when nothing is unsynced. Naming an image calls it.
 */
int store_sync(struct store *store, struct err *err);

/*
 * Let the disk begin with what was written so far, in a thread of its own: for who writes much and
 * will call store_sync. A hint; returns at once, and does nothing while an earlier one is under
 * way.
 */
#define STORE_WRITE_BEHIND_BYTES ((uint64_t)64 * 1024 * 1024)
void store_write_behind(struct store *store);

/* Less than a megabyte, or no inode, is left where the store is: commands will fail for that. */
bool store_is_full(const struct store *store);

/* What there is, for people. */
struct store_counts {
	int version; /* of the store's form */
	uint64_t images;
	uint64_t names;
	uint64_t layers;
	uint64_t layer_bytes; /* content */
	uint64_t blobs;
	uint64_t blob_bytes;
	uint64_t containers;
	uint64_t cache_entries;
};
int store_count(struct store *store, struct store_counts *out, struct err *err);

#endif
