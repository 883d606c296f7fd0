/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_DB_INTERNAL_H
#define STORAGE_DB_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

/*
 * The store's tables. SQLite is known to db.c alone; who asks writes SQL and
 * binds values through these functions.
 *
 * A struct db may be used by several threads: a query or a transaction holds
 * the db's lock (recursive) from its opening to its release, so keep both
 * short, and take no other lock inside but the lease's.
 */
struct db;

#define DB_VERSION 6

enum db_use {
	DB_WRITE, /* made when it is not there */
	DB_COPY,  /* a private copy of what others wrote */
	DB_LIVE,  /* others', perhaps in use: it is there with its log, and nothing is touched */
};
/* @path, absolute, is used as it is and to the end; it may lead through /proc/self/fd. */
int db_open(const char *path, enum db_use use, struct db **out, struct err *err);
void db_close(struct db *db);

/* 0 for a new one. */
int db_version(struct db *db, int *out, struct err *err);
/* Make the tables, or bring them up to DB_VERSION. The caller holds the store's creation lock. */
int db_upgrade(struct db *db, struct err *err);
/* From here on whatever would write fails with EROFS. */
int db_freeze(struct db *db, struct err *err);

/* ---- queries ---- */
struct query {
	struct db *db;
	int slot;
	int bound;
};
#define QUERY_INIT                     \
	{                              \
		.db = NULL, .slot = -1 \
	}
#define auto_query __attribute__((cleanup(query_release)))

/* @sql is a string literal: the statement is kept for the next time, by its address. */
int query_open(struct query *query, struct db *db, const char *sql, struct err *err);
void query_release(struct query *query);

/* Each binds the next "?"; NULL pointers bind NULL. What is bound must live until the release. */
void bind_int(struct query *query, int64_t n);
void bind_text(struct query *query, const char *text);
void bind_digest(struct query *query, const struct digest *digest);

/* The next row: *out_row false at the end. */
int query_step(struct query *query, bool *out_row, struct err *err);
/* All rows, forgotten. */
int query_run(struct query *query, struct err *err);
/* Rows that the last INSERT, UPDATE or DELETE changed. */
int64_t db_changes(struct db *db);

int64_t column_int(struct query *query, int column);
/* Borrowed until the next step; NULL for NULL. */
const char *column_text(struct query *query, int column);
bool column_is_null(struct query *query, int column);
/* ERR_INPUT when it holds none: the database is damaged. */
int column_digest(struct query *query, int column, struct digest *out, struct err *err);

/* ---- transactions ---- */
enum txn_kind {
	TXN_READ,    /* nothing is written: what is read is of one moment, and found faster */
	TXN_FAST,    /* survives the death of the process */
	TXN_DURABLE, /* its commit, and all commits before it, survive a power cut */
};

struct txn {
	struct db *db;
	enum txn_kind kind;
};
#define TXN_INIT           \
	{                  \
		.db = NULL \
	}
/* Rolled back at the end of the scope unless committed. */
#define auto_txn __attribute__((cleanup(txn_release)))

/* Takes the write lock of all processes (waits for it). Never nested. */
int txn_begin(struct txn *txn, struct db *db, enum txn_kind kind, struct err *err);
int txn_commit(struct txn *txn, struct err *err);
void txn_release(struct txn *txn);

#endif
