/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_STORE_SCRATCH_H
#define TESTS_UNIT_STORE_SCRATCH_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tree.h"
#include "storage/store-internal.h"

/* A store for one test, gone afterwards: setup and teardown are cmocka's. Include after cmocka. */
#define assert_ok(call) assert_fine((call), &err)

static char root[64];

static inline void assert_fine(int result, const struct err *err)
{
	if (result < 0)
		fail_msg("%s", err->text);
}

static inline void assert_error(const struct err *err, enum err_kind kind, const char *part)
{
	assert_int_equal(err->kind, kind);
	if (!strstr(err->text, part))
		fail_msg("'%s' does not say '%s'", err->text, part);
}

static inline int setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/test-store-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static inline int teardown(void **state)
{
	auto_close int tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_INIT;

	(void)state;
	return tree_remove(tmp_fd, strrchr(root, '/') + 1, &err);
}

static inline struct store *open_store(void)
{
	struct store *store = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_open(root, &store, &err));
	return store;
}

static inline void make_file(int dir_fd, const char *name, const char *text)
{
	auto_close int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct err err = ERR_INIT;

	assert_true(fd >= 0);
	assert_ok(fd_write_all(fd, text, strlen(text), name, &err));
}

static inline void sql(const char *text)
{
	auto_free char *path = str_format("%s/store.db", root);
	auto_query struct query query = QUERY_INIT;
	struct err err = ERR_INIT;
	struct db *db = NULL;

	assert_ok(db_open(path, DB_WRITE, &db, &err));
	assert_ok(query_open(&query, db, text, &err));
	assert_ok(query_run(&query, &err));
	query_release(&query);
	db_close(db);
}

#endif
