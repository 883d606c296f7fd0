/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the rows that say where blobs were seen. What a place is, and how something is
 * fetched from it, is known to the registry programs alone.
 */
#include "storage/origin.h"

#include <time.h>

#include "storage/store-internal.h"

#define NS_PER_SECOND INT64_C(1000000000)

static int record_one(struct store *store, const char *place, const struct digest *blob,
		      int64_t now_ns, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR REPLACE INTO origins(blob, place, seen_ns) VALUES(?, ?, ?)",
		       err) < 0)
		return -1;
	bind_digest(&query, blob);
	bind_text(&query, place);
	bind_int(&query, now_ns);
	return query_run(&query, err);
}

int origin_record(struct store *store, const char *place, const struct digest *blobs, size_t count,
		  struct err *err)
{
	auto_txn struct txn txn = TXN_INIT;
	struct timespec now;

	if (count == 0)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	if (txn_begin(&txn, store->db, TXN_FAST, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (record_one(store, place, &blobs[i],
			       (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec, err) < 0)
			return err_prefix(err, "note where a blob is");
	return txn_commit(&txn, err);
}

int origin_list(struct store *store, const struct digest *blob, const char *prefix,
		struct strlist *out_places, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db,
		       "SELECT place FROM origins WHERE blob=?1 AND substr(place, 1, length(?2))=?2"
		       " ORDER BY seen_ns DESC, place",
		       err) < 0)
		return -1;
	bind_digest(&query, blob);
	bind_text(&query, prefix);
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		strlist_add(out_places, column_text(&query, 0));
	}
}

int origin_forget(struct store *store, const struct digest *blob, const char *place,
		  struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "DELETE FROM origins WHERE blob=? AND place=?", err) < 0)
		return -1;
	bind_digest(&query, blob);
	bind_text(&query, place);
	return query_run(&query, err);
}
