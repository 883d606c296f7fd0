/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CHECK_H
#define STORAGE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strlist.h"
#include "storage/store.h"

/*
 * Is the store what its rows say? Every blob is digested; every layer's tree is packed again and
 * held against its diff ID, or, when it came from elsewhere in another form of tar, against what
 * its kept blob unpacks to (below tmp/, a layer at a time and thread). Rows and files are held
 * against each other both ways.
 *
 * Other processes may work on the store meanwhile: what is found wrong counts only if the row
 * that speaks of it is still the same one afterwards.
 */
enum check_fault {
	CHECK_DATABASE,  /* store.db itself */
	CHECK_LAYER,     /* its tree is missing or not what its diff ID says */
	CHECK_BLOB,      /* its file is missing or has other bytes */
	CHECK_IMAGE,     /* its config or its list of layers cannot be used */
	CHECK_MANIFEST,  /* the manifest it came with cannot be used */
	CHECK_INDEX,     /* an image or document of it is not there */
	CHECK_NAME,      /* the name of nothing */
	CHECK_CONTAINER, /* its image is not there */
	CHECK_LEFTOVER, /* rubbish of killed processes: does no harm, the next command removes it */
	CHECK_UNSYNCED, /* published by an older boot, perhaps not on disk: will be forgotten */
	CHECK_UNPROVEN, /* nothing is there to hold it against */
	CHECK_ELSEWHERE, /* a layer in a store that was not added (--add-store) */
};

enum check_state {
	CHECK_FOUND,
	CHECK_REPAIRED, /* as good as it was */
	CHECK_LOST,     /* removed, with the images that needed it */
};

struct check_finding {
	enum check_fault fault;
	enum check_state state;
	const char *kind; /* "layer", "blob", "image", "name", "container", "file", … */
	char *id;         /* digest, name or path */
	bool has_digest;
	struct digest digest;
	char *problem;
	struct strlist images; /* that need it: names, or the ID of one without */
	char *outcome;         /* what the repair did, or why it could not; NULL */
};

struct check_report {
	struct check_finding *items;
	size_t count;
	uint64_t images;
	uint64_t layers;
	uint64_t blobs;
	uint64_t bytes;      /* read */
	struct strlist lost; /* images that the repair had to remove */
};
#define CHECK_REPORT_INIT     \
	{                     \
		.items = NULL \
	}
#define auto_check_report __attribute__((cleanup(check_report_release)))
void check_report_release(struct check_report *report);

/* Faults that are damage and were not repaired. */
size_t check_damage_count(const struct check_report *report);

struct check_options {
	bool repair;
	const struct strlist *images; /* only what these need; empty: everything */
	/* NULL, or told from time to time how far it is; in any thread, one at a time */
	void (*progress)(void *context, uint64_t done_bytes, uint64_t all_bytes);
	void *context;
};

/*
 * Look; with options->repair mend what can be mended (a layer from its blob, a blob of ours by
 * packing again), and remove what cannot, with the images that need it and nothing else. A thing
 * that a living process uses is left as it is. ERR_SYSTEM when looking itself fails.
 * @store is from store_open_as_is. Layers in added stores are looked for, not read: that is a
 * check of those.
 */
int store_check(struct store *store, const struct check_options *options, struct check_report *out,
		struct err *err);

#endif
