/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the database file: connection, tables, statements, transactions,
 * and the wording of SQLite's errors. What the rows mean is left to the modules
 * that ask.
 *
 * WAL with synchronous=NORMAL: a commit costs no fsync(2) and readers never
 * wait. After a power cut the last commits may be missing, but never a part of
 * one; what must not be missing is committed TXN_DURABLE.
 */
#include "storage/db-internal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "common/mem.h"
#include "storage/db-files-internal.h"

/* How long to wait for another process's transaction; each of ours takes milliseconds. */
#define BUSY_TIMEOUT_MS 30000
#define MMAP_BYTES      67108864
/*
 * Who opens the database alone reads the whole WAL first, about 2 µs a page; to
 * write it back costs some fsyncs. So it is done when a process leaves, and only
 * now and then; in a long one when the WAL grows out of all bounds.
 */
#define LEAVE_PAGES      400
#define CHECKPOINT_PAGES 8000

struct statement {
	const char *sql;
	sqlite3_stmt *stmt;
	bool busy;
};

struct db {
	sqlite3 *handle;
	pthread_mutex_t lock;
	struct statement *statements;
	int statement_count;
	int wal_pages; /* as of our last commit */
	bool is_frozen;
};

/*
 * upgrades[N] makes version N+1 of version N.
 *
 * What is published takes the next meta.seq. All up to meta.synced is known to be on
 * disk; what came later was published under meta.boot. Pages are what a commit
 * costs, so there is no index that a look without hurry can do without.
 */
static const char *const upgrades[DB_VERSION] = {
	"CREATE TABLE meta(boot TEXT NOT NULL, overlay_ns INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" synced INTEGER NOT NULL);"
	"INSERT INTO meta VALUES('', -1, 0, 0);"
	"CREATE TABLE blobs(seq INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE,"
	" size INTEGER NOT NULL);"
	"CREATE TABLE layers(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
	" diff_id BLOB NOT NULL, tar_bytes INTEGER NOT NULL, content_bytes INTEGER NOT NULL,"
	" entries INTEGER NOT NULL, is_ours INTEGER NOT NULL, implicit INTEGER NOT NULL);"
	"CREATE INDEX layers_chained ON layers(diff_id) WHERE id<>diff_id;"
	"CREATE TABLE images(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, manifest BLOB,"
	" created TEXT);"
	"CREATE INDEX images_manifest ON images(manifest);"
	"CREATE TABLE image_layers(image BLOB, position INTEGER, layer BLOB NOT NULL,"
	" PRIMARY KEY(image, position)) WITHOUT ROWID;"
	"CREATE INDEX image_layers_layer ON image_layers(layer);"
	"CREATE TABLE names(name TEXT PRIMARY KEY, image BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX names_image ON names(image);"
	"CREATE TABLE layer_blobs(diff_id BLOB, blob BLOB, codec INTEGER NOT NULL,"
	" level INTEGER NOT NULL, PRIMARY KEY(diff_id, blob)) WITHOUT ROWID;"
	"CREATE INDEX layer_blobs_blob ON layer_blobs(blob);"
	"CREATE TABLE steps(key BLOB PRIMARY KEY, layer BLOB NOT NULL, created_ns INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE INDEX steps_layer ON steps(layer);"
	"CREATE TABLE files(dev INTEGER, ino INTEGER, size INTEGER, mtime_ns INTEGER,"
	" ctime_ns INTEGER, digest BLOB NOT NULL, PRIMARY KEY(dev, ino)) WITHOUT ROWID;"
	"CREATE TABLE containers(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" image BLOB NOT NULL, created TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX containers_image ON containers(image);"
	"CREATE TABLE mounts(mount_ns INTEGER, path TEXT, image BLOB NOT NULL,"
	" PRIMARY KEY(mount_ns, path)) WITHOUT ROWID;"
	"CREATE TABLE leases(kind INTEGER, object BLOB, lease TEXT,"
	" PRIMARY KEY(kind, object, lease)) WITHOUT ROWID;",

	/* names.image may be an index's ID from here on */
	"CREATE TABLE indexes(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, created TEXT,"
	" platforms TEXT NOT NULL);"
	"CREATE TABLE index_images(idx BLOB, manifest BLOB, image BLOB NOT NULL,"
	" PRIMARY KEY(idx, manifest)) WITHOUT ROWID;"
	"CREATE INDEX index_images_image ON index_images(image);"
	"CREATE TABLE index_blobs(idx BLOB, blob BLOB, PRIMARY KEY(idx, blob)) WITHOUT ROWID;"
	"CREATE INDEX index_blobs_blob ON index_blobs(blob);",

	/* a row with no row of blobs beside it means nothing, but while a repair is at it */
	"CREATE TABLE origins(blob BLOB, place TEXT, seen_ns INTEGER NOT NULL,"
	" PRIMARY KEY(blob, place)) WITHOUT ROWID;",

	/* not NULL: the layer's directory lies in another store, that one */
	"ALTER TABLE layers ADD COLUMN place TEXT;",

	/* not NULL: what its manifests carry, whatever the kept one does; image-annotation.c's */
	"ALTER TABLE images ADD COLUMN annotations TEXT;",

	/* not NULL: it shows that container's files, which are written to */
	"ALTER TABLE mounts ADD COLUMN container TEXT;",
};

static int say_frozen(struct err *err)
{
	errno = EROFS;
	return err_sys(err, "write to a store that is only read");
}

static int db_error(struct db *db, const char *what, struct err *err)
{
	int code = sqlite3_errcode(db->handle);
	int sys = sqlite3_system_errno(db->handle);

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		err_set(err, ERR_SYSTEM,
			"%s: another process has kept the store's database locked for %d seconds",
			what, BUSY_TIMEOUT_MS / 1000);
		err->sys_errno = EBUSY;
		return -1;
	case SQLITE_FULL:
		errno = ENOSPC;
		return err_sys(err, "%s", what);
	case SQLITE_READONLY:
		if (!db->is_frozen)
			break;
		return say_frozen(err);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, ERR_INPUT, "%s: store.db is damaged (%s)", what,
			       sqlite3_errmsg(db->handle));
	}
	if (sys) {
		errno = sys;
		return err_sys(err, "%s", what);
	}
	return err_set(err, ERR_SYSTEM, "%s: %s", what, sqlite3_errmsg(db->handle));
}

static int exec(struct db *db, const char *sql, const char *what, struct err *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_error(db, what, err);
	return 0;
}

static int after_commit(void *context, sqlite3 *handle, const char *name, int pages)
{
	struct db *db = context;

	db->wal_pages = pages;
	if (pages >= CHECKPOINT_PAGES) /* what is busy now is done the next time */
		(void)sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL,
						NULL);
	return SQLITE_OK;
}

/*
 * Of a database that is only read, SQLite maps the log's index for reading and takes part in the
 * locks of those who write; where nobody has it open it reads the log itself, into memory.
 */
static int open_handle(struct db *db, const char *path, enum db_use use)
{
	/* no lock inside SQLite: db->lock is held around every use */
	int flags = SQLITE_OPEN_NOMUTEX;
	auto_free char *uri = str_format("file:%s?readonly_shm=1", path);

	if (use == DB_LIVE)
		return sqlite3_open_v2(uri, &db->handle,
				       flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
				       db_files_for_reading());
	return sqlite3_open_v2(path, &db->handle,
			       flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, db_files());
}

/* What others wrote is data: no view or trigger in it does anything. */
static void distrust(struct db *db)
{
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, (int *)NULL);
}

int db_open(const char *path, enum db_use use, struct db **out, struct err *err)
{
	struct db *db = mem_alloc(sizeof(*db));
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&db->lock, &attr);
	pthread_mutexattr_destroy(&attr);

	if (open_handle(db, path, use) != SQLITE_OK) {
		if (db->handle)
			db_error(db, "open the store's database", err);
		else
			err_set(err, ERR_SYSTEM, "open the store's database: out of memory");
		db_close(db);
		return -1;
	}
	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	sqlite3_wal_hook(db->handle, after_commit, db);
	/* the last one to leave would otherwise write all back every time */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	/* whoever else owns it may shorten it under our eyes */
	sqlite3_int64 mmap_bytes = use == DB_WRITE ? MMAP_BYTES : 0;
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_MMAP_SIZE, &mmap_bytes);
	if (use != DB_WRITE)
		distrust(db);
	if (exec(db, "PRAGMA synchronous=NORMAL", "open the store's database", err) < 0) {
		db_close(db);
		return -1;
	}
	*out = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (int i = 0; i < db->statement_count; i++)
		sqlite3_finalize(db->statements[i].stmt);
	if (db->wal_pages >= LEAVE_PAGES) {
		/* without waiting: whoever is in the way leaves later than we do */
		sqlite3_busy_timeout(db->handle, 0);
		(void)sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
						NULL);
	}
	sqlite3_close(db->handle);
	pthread_mutex_destroy(&db->lock);
	free(db->statements);
	free(db);
}

int db_version(struct db *db, int *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, db, "PRAGMA user_version", err) < 0 ||
	    query_step(&query, &row, err) < 0)
		return -1;
	*out = row ? (int)column_int(&query, 0) : 0;
	return 0;
}

int db_upgrade(struct db *db, struct err *err)
{
	auto_txn struct txn txn = TXN_INIT;
	auto_free char *pragma = NULL;
	int version;

	/* kept in the file; must be set outside of a transaction */
	if (exec(db, "PRAGMA journal_mode=WAL", "prepare the store's database", err) < 0)
		return -1;
	if (txn_begin(&txn, db, TXN_DURABLE, err) < 0 || db_version(db, &version, err) < 0)
		return -1;
	for (; version < DB_VERSION; version++)
		if (exec(db, upgrades[version], "make the store's tables", err) < 0)
			return -1;
	pragma = str_format("PRAGMA user_version=%d", DB_VERSION);
	if (exec(db, pragma, "make the store's tables", err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

int db_freeze(struct db *db, struct err *err)
{
	db->is_frozen = true;
	return exec(db, "PRAGMA query_only=1", "open the store's database", err);
}

/* A statement for @sql that nobody is stepping through; prepared when there is none. */
static int statement_slot(struct db *db, const char *sql, struct err *err)
{
	struct statement *statement;

	for (int i = 0; i < db->statement_count; i++)
		if (db->statements[i].sql == sql && !db->statements[i].busy)
			return i;
	db->statements = mem_resize(db->statements, (size_t)db->statement_count + 1,
				    sizeof(*db->statements));
	statement = &db->statements[db->statement_count];
	*statement = (struct statement){ .sql = sql };
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->stmt,
			       NULL) != SQLITE_OK)
		return db_error(db, "ask the store's database", err);
	return db->statement_count++;
}

int query_open(struct query *query, struct db *db, const char *sql, struct err *err)
{
	int slot;

	assert(!query->db);
	pthread_mutex_lock(&db->lock);
	slot = statement_slot(db, sql, err);
	if (slot < 0) {
		pthread_mutex_unlock(&db->lock);
		return -1;
	}
	db->statements[slot].busy = true;
	*query = (struct query){ .db = db, .slot = slot };
	return 0;
}

static sqlite3_stmt *stmt_of(const struct query *query)
{
	return query->db->statements[query->slot].stmt;
}

void query_release(struct query *query)
{
	struct db *db = query->db;

	if (!db)
		return;
	sqlite3_reset(stmt_of(query));
	sqlite3_clear_bindings(stmt_of(query));
	db->statements[query->slot].busy = false;
	query->db = NULL;
	pthread_mutex_unlock(&db->lock);
}

void bind_int(struct query *query, int64_t n)
{
	int r = sqlite3_bind_int64(stmt_of(query), ++query->bound, n);

	assert(r == SQLITE_OK);
	(void)r;
}

void bind_text(struct query *query, const char *text)
{
	int r = sqlite3_bind_text(stmt_of(query), ++query->bound, text, -1, SQLITE_STATIC);

	assert(r == SQLITE_OK);
	(void)r;
}

void bind_digest(struct query *query, const struct digest *digest)
{
	int r = sqlite3_bind_blob(stmt_of(query), ++query->bound, digest ? digest->bytes : NULL,
				  DIGEST_BYTES, SQLITE_STATIC);

	assert(r == SQLITE_OK);
	(void)r;
}

int query_step(struct query *query, bool *out_row, struct err *err)
{
	int r = sqlite3_step(stmt_of(query));

	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return db_error(query->db, "use the store's database", err);
	*out_row = r == SQLITE_ROW;
	return 0;
}

int query_run(struct query *query, struct err *err)
{
	bool row = false;

	do {
		if (query_step(query, &row, err) < 0)
			return -1;
	} while (row);
	return 0;
}

int64_t db_changes(struct db *db)
{
	return sqlite3_changes64(db->handle);
}

int64_t column_int(struct query *query, int column)
{
	return sqlite3_column_int64(stmt_of(query), column);
}

const char *column_text(struct query *query, int column)
{
	return (const char *)sqlite3_column_text(stmt_of(query), column);
}

bool column_is_null(struct query *query, int column)
{
	return sqlite3_column_type(stmt_of(query), column) == SQLITE_NULL;
}

int column_digest(struct query *query, int column, struct digest *out, struct err *err)
{
	const void *bytes = sqlite3_column_blob(stmt_of(query), column);

	if (!bytes || sqlite3_column_bytes(stmt_of(query), column) != DIGEST_BYTES)
		return err_set(err, ERR_INPUT, "store.db is damaged: a digest is missing");
	memcpy(out->bytes, bytes, DIGEST_BYTES);
	return 0;
}

int txn_begin(struct txn *txn, struct db *db, enum txn_kind kind, struct err *err)
{
	if (db->is_frozen && kind != TXN_READ)
		return say_frozen(err);
	pthread_mutex_lock(&db->lock);
	assert(sqlite3_get_autocommit(db->handle));
	if ((kind == TXN_DURABLE &&
	     exec(db, "PRAGMA synchronous=FULL", "begin a transaction", err) < 0) ||
	    exec(db, kind == TXN_READ ? "BEGIN" : "BEGIN IMMEDIATE", "begin a transaction", err) <
		    0) {
		if (kind == TXN_DURABLE)
			sqlite3_exec(db->handle, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
		pthread_mutex_unlock(&db->lock);
		return -1;
	}
	*txn = (struct txn){ .db = db, .kind = kind };
	return 0;
}

static void txn_end(struct txn *txn)
{
	struct db *db = txn->db;

	/* the pragma touches no file: it cannot fail outside of a transaction */
	if (txn->kind == TXN_DURABLE)
		sqlite3_exec(db->handle, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
	txn->db = NULL;
	pthread_mutex_unlock(&db->lock);
}

int txn_commit(struct txn *txn, struct err *err)
{
	if (exec(txn->db, "COMMIT", "write the store's database", err) < 0)
		return -1; /* rolled back by the release */
	txn_end(txn);
	return 0;
}

void txn_release(struct txn *txn)
{
	if (!txn->db)
		return;
	/* an error may have rolled back already: nothing else can fail here */
	if (!sqlite3_get_autocommit(txn->db->handle))
		sqlite3_exec(txn->db->handle, "ROLLBACK", NULL, NULL, NULL);
	txn_end(txn);
}
