/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CHECK_INTERNAL_H
#define STORAGE_CHECK_INTERNAL_H

#include <pthread.h>

#include "storage/check.h"
#include "storage/layer.h"
#include "storage/store-internal.h"

struct check_layer {
	struct layer layer;
	int64_t seq;      /* tells whether the row is still this one */
	bool is_wanted;   /* else another image's */
	bool is_packable; /* found: packing its tree gives its tar */
	bool is_damaged;
	bool is_elsewhere; /* in another store */
};

struct check_blob {
	struct digest digest;
	int64_t seq;
	uint64_t size_bytes;
	bool is_wanted;
	bool is_damaged;
};

struct checker {
	struct store *store;
	const struct check_options *options;
	struct check_layer *layers;
	size_t layer_count;
	struct check_blob *blobs;
	size_t blob_count;

	pthread_mutex_t lock; /* protects all below */
	struct check_report report;
	uint64_t done_bytes;
	uint64_t all_bytes;
	size_t next_job;
	bool has_failed;
	struct err err; /* of the first that failed */
};

/* Copies the texts; @digest may be NULL. The returned one is valid until the next is added. */
struct check_finding *check_add(struct checker *checker, enum check_fault fault, const char *kind,
				const struct digest *digest, const char *id, const char *problem);
/* Everything of the kind @fault is mended: @outcome says how. */
void check_mark_repaired(struct checker *checker, enum check_fault fault, const char *outcome);

/* The familiar form of a name, or the ID of an image without one. */
void check_add_image(struct strlist *list, const struct digest *id, const char *name);

/* Is the row with @seq the one of @digest in @sql ("SELECT 1 … WHERE seq=? AND …=?")? */
int check_row_is(struct checker *checker, const char *sql, int64_t seq, const struct digest *digest,
		 bool *out, struct err *err);

/* An error that says how the thing is, and not how we are. */
bool check_is_damage(const struct err *err);

/* ---- check-content.c: the bytes of layers and blobs, by several threads ---- */
int check_content(struct checker *checker, struct err *err);

/* ---- check-rows.c: what rows say of each other, and what another boot left ---- */
int check_database(struct checker *checker, struct err *err);
int check_rows(struct checker *checker, struct err *err);
int check_unsynced(struct checker *checker, struct err *err);

/* ---- check-documents.c: what rows say of documents ---- */
int check_documents(struct checker *checker, struct err *err);

/* ---- check-leftovers.c: files without a row ---- */
int check_leftovers(struct checker *checker, struct err *err);

/* ---- check-again.c ---- */
/*
 * Pull one of the images that need what was found, from where it was seen. What is lost has lost its
 * row before. *out_place stays empty when that could not be done; else it is where from.
 */
int check_pull_again(struct checker *checker, const struct check_finding *finding,
		     struct strbuf *out_place, struct err *err);

/* ---- check-repair.c ---- */
int check_repair(struct checker *checker, struct err *err);

#endif
