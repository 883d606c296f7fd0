/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the rows say of each other, and for what another boot left.
 */
#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "storage/check-internal.h"
#include "storage/gc-internal.h"

/* ---- the database ---- */

static int look_at_database(struct checker *checker, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, checker->store->db, "PRAGMA integrity_check(20)", err) < 0)
		return -1;
	for (;;) {
		const char *text;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		text = column_text(&query, 0);
		if (text && strcmp(text, "ok") != 0)
			check_add(checker, CHECK_DATABASE, "database", NULL, "store.db", text);
	}
}

int check_database(struct checker *checker, struct err *err)
{
	struct err problem = ERR_INIT;

	if (look_at_database(checker, &problem) < 0) {
		if (problem.kind != ERR_INPUT) {
			*err = problem;
			return -1;
		}
		check_add(checker, CHECK_DATABASE, "database", NULL, "store.db", problem.text);
	}
	if (check_damage_count(&checker->report) == 0 || !checker->options->repair)
		return 0;
	/* an index holds nothing that its table does not */
	if (gc_run(checker->store, "REINDEX", NULL, &problem) == 0) {
		size_t before = checker->report.count;

		if (look_at_database(checker, &problem) == 0 && checker->report.count == before)
			for (size_t i = 0; i < before; i++) {
				checker->report.items[i].state = CHECK_REPAIRED;
				checker->report.items[i].outcome =
					str_dup("its indexes were made again");
			}
	}
	return 0;
}

/* ---- rows of nothing ---- */

/* Each row of @sql gives an ID and, perhaps, what to say instead of @problem. */
static int add_rows(struct checker *checker, const char *sql, enum check_fault fault,
		    const char *kind, const char *problem, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, checker->store->db, sql, err) < 0)
		return -1;
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		check_add(checker, fault, kind, NULL, column_text(&query, 0), problem);
	}
}

/* An index that lacks anything is none. */
static int check_indexes(struct checker *checker, struct err *err)
{
	auto_digests struct digests indexes = { .items = NULL };

	if (gc_select(checker->store,
		      "SELECT id FROM indexes WHERE id NOT IN (SELECT digest FROM blobs) OR id IN"
		      " (SELECT idx FROM index_blobs WHERE blob NOT IN (SELECT digest FROM blobs))"
		      " OR id IN (SELECT idx FROM index_images WHERE image NOT IN (SELECT id FROM"
		      " images))",
		      NULL, &indexes, err) < 0)
		return -1;
	for (size_t i = 0; i < indexes.count; i++)
		check_add(checker, CHECK_INDEX, "index", &indexes.items[i], NULL,
			  "an image or a document of it is not in the store");
	return 0;
}

int check_rows(struct checker *checker, struct err *err)
{
	if (add_rows(checker,
		     "SELECT name FROM names WHERE image NOT IN (SELECT id FROM images) AND"
		     " image NOT IN (SELECT id FROM indexes)",
		     CHECK_NAME, "name", "its image is not in the store", err) < 0 ||
	    add_rows(checker,
		     "SELECT name FROM containers WHERE image NOT IN (SELECT id FROM images)",
		     CHECK_CONTAINER, "container", "its image is not in the store", err) < 0 ||
	    check_indexes(checker, err) < 0)
		return -1;
	return add_rows(
		checker,
		"SELECT 'image_layers' FROM image_layers WHERE image NOT IN (SELECT id FROM"
		" images) UNION SELECT 'layer_blobs' FROM layer_blobs WHERE blob NOT IN"
		" (SELECT digest FROM blobs) UNION SELECT 'steps' FROM steps WHERE layer NOT"
		" IN (SELECT id FROM layers)",
		CHECK_LEFTOVER, "rows", "some are of things that are gone", err);
}

/* ---- what another boot left ---- */

int check_unsynced(struct checker *checker, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	auto_free char *text = NULL;
	bool is_new_boot;
	bool row = false;

	if (query_open(&query, checker->store->db,
		       "SELECT (SELECT count(*) FROM layers WHERE seq>m.synced), (SELECT count(*)"
		       " FROM blobs WHERE seq>m.synced), (SELECT count(*) FROM images WHERE"
		       " seq>m.synced) FROM meta m WHERE boot<>?",
		       err) < 0)
		return -1;
	bind_text(&query, checker->store->boot_id);
	if (query_step(&query, &row, err) < 0)
		return -1;
	if (row && column_int(&query, 0) + column_int(&query, 1) + column_int(&query, 2) > 0) {
		text = str_format("%" PRId64 " layers, %" PRId64 " blobs and %" PRId64
				  " nameless images were not synced before the last boot: they are "
				  "not trusted",
				  column_int(&query, 0), column_int(&query, 1),
				  column_int(&query, 2));
		check_add(checker, CHECK_UNSYNCED, "boot", NULL, "unsynced", text);
	}
	query_release(&query);
	if (!row || !checker->options->repair)
		return 0;
	if (sync_check_boot(checker->store, &is_new_boot, err) < 0)
		return -1;
	check_mark_repaired(checker, CHECK_UNSYNCED, "forgotten");
	return 0;
}
