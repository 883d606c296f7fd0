/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the order of a check, and for what it says: which rows are looked at, what was
 * found, and which images each fault concerns.
 */
#include "storage/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/ref.h"
#include "storage/check-internal.h"
#include "storage/gc-internal.h"
#include "storage/image-internal.h"
#include "storage/reading-internal.h"

/* ---- findings ---- */

static void finding_release(struct check_finding *finding)
{
	free(finding->id);
	free(finding->problem);
	free(finding->outcome);
	strlist_release(&finding->images);
}

void check_report_release(struct check_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		finding_release(&report->items[i]);
	free(report->items);
	strlist_release(&report->lost);
	*report = (struct check_report)CHECK_REPORT_INIT;
}

static bool is_damage(enum check_fault fault)
{
	switch (fault) {
	case CHECK_DATABASE:
	case CHECK_LAYER:
	case CHECK_BLOB:
	case CHECK_IMAGE:
	case CHECK_MANIFEST:
	case CHECK_INDEX:
	case CHECK_NAME:
	case CHECK_CONTAINER:
		return true;
	case CHECK_LEFTOVER:
	case CHECK_UNSYNCED:
	case CHECK_UNPROVEN:
	case CHECK_ELSEWHERE:
		break;
	}
	return false;
}

size_t check_damage_count(const struct check_report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		count += is_damage(report->items[i].fault) &&
			 report->items[i].state != CHECK_REPAIRED;
	return count;
}

struct check_finding *check_add(struct checker *checker, enum check_fault fault, const char *kind,
				const struct digest *digest, const char *id, const char *problem)
{
	struct check_report *report = &checker->report;
	char name[DIGEST_NAME_MAX];
	struct check_finding *finding;

	pthread_mutex_lock(&checker->lock);
	report->items = mem_resize(report->items, report->count + 1, sizeof(*report->items));
	finding = &report->items[report->count++];
	*finding = (struct check_finding){ .fault = fault, .kind = kind, .images = STRLIST_INIT };
	if (digest) {
		finding->has_digest = true;
		finding->digest = *digest;
	}
	finding->id = str_dup(id ? id : digest_name(digest, name));
	finding->problem = str_dup(problem);
	pthread_mutex_unlock(&checker->lock);
	return finding;
}

void check_mark_repaired(struct checker *checker, enum check_fault fault, const char *outcome)
{
	for (size_t i = 0; i < checker->report.count; i++) {
		struct check_finding *finding = &checker->report.items[i];

		if (finding->fault != fault)
			continue;
		finding->state = CHECK_REPAIRED;
		finding->outcome = str_dup(outcome);
	}
}

bool check_is_damage(const struct err *err)
{
	if (err->kind == ERR_INPUT)
		return true;
	return err->kind == ERR_SYSTEM &&
	       (err->sys_errno == EIO || err->sys_errno == ENOENT || err->sys_errno == ENOTDIR ||
		err->sys_errno == ELOOP || err->sys_errno == EUCLEAN || err->sys_errno == EBADMSG);
}

int check_row_is(struct checker *checker, const char *sql, int64_t seq, const struct digest *digest,
		 bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, checker->store->db, sql, err) < 0)
		return -1;
	bind_int(&query, seq);
	bind_digest(&query, digest);
	return query_step(&query, out, err);
}

/* ---- whom it concerns ---- */

static const char *users_sql(enum check_fault fault)
{
	switch (fault) {
	case CHECK_LAYER:
	case CHECK_UNPROVEN:
	case CHECK_ELSEWHERE:
		return "SELECT DISTINCT u.image, n.name FROM (SELECT image FROM image_layers WHERE"
		       " layer=?1 UNION SELECT m.idx FROM image_layers x JOIN index_images m ON"
		       " m.image=x.image WHERE x.layer=?1) u LEFT JOIN names n ON n.image=u.image"
		       " ORDER BY n.name";
	case CHECK_BLOB:
		return "SELECT DISTINCT u.image, n.name FROM (SELECT id AS image FROM images WHERE"
		       " id=?1 OR manifest=?1 UNION SELECT id FROM indexes WHERE id=?1 UNION "
		       "SELECT idx"
		       " FROM index_blobs WHERE blob=?1 UNION SELECT x.image FROM layer_blobs b "
		       "JOIN layers l"
		       " ON l.diff_id=b.diff_id JOIN image_layers x ON x.layer=l.id WHERE "
		       "b.blob=?1)"
		       " u LEFT JOIN names n ON n.image=u.image ORDER BY n.name";
	case CHECK_IMAGE:
	case CHECK_MANIFEST:
		return "SELECT id, name FROM images LEFT JOIN names ON image=id WHERE id=?1"
		       " ORDER BY name";
	case CHECK_INDEX:
		return "SELECT id, name FROM indexes LEFT JOIN names ON image=id WHERE id=?1"
		       " ORDER BY name";
	case CHECK_DATABASE:
	case CHECK_NAME:
	case CHECK_CONTAINER:
	case CHECK_LEFTOVER:
	case CHECK_UNSYNCED:
		break;
	}
	return NULL;
}

void check_add_image(struct strlist *list, const struct digest *id, const char *name)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err ignored = ERR_INIT;
	char digest[DIGEST_NAME_MAX];

	if (name && image_ref_parse(name, &ref, &ignored) == 0)
		image_ref_format_familiar(&ref, &text);
	strlist_add(list, text.len ? text.data : digest_name(id, digest));
}

static int note_users(struct checker *checker, struct check_finding *finding, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	const char *sql = users_sql(finding->fault);
	struct digest id;
	bool row = false;

	if (!sql || !finding->has_digest)
		return 0;
	if (query_open(&query, checker->store->db, sql, err) < 0)
		return -1;
	bind_digest(&query, &finding->digest);
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		if (column_digest(&query, 0, &id, err) < 0)
			return -1;
		check_add_image(&finding->images, &id, column_text(&query, 1));
	}
}

static int by_fault_and_id(const void *a, const void *b)
{
	const struct check_finding *left = a;
	const struct check_finding *right = b;

	if (left->fault != right->fault)
		return left->fault < right->fault ? -1 : 1;
	return strcmp(left->id, right->id);
}

static int settle_findings(struct checker *checker, struct err *err)
{
	struct check_report *report = &checker->report;

	if (report->count > 0)
		qsort(report->items, report->count, sizeof(*report->items), by_fault_and_id);
	for (size_t i = 0; i < report->count; i++)
		if (note_users(checker, &report->items[i], err) < 0)
			return -1;
	return 0;
}

/* ---- what is looked at ---- */

static int load_layers(struct checker *checker, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, checker->store->db,
		       "SELECT id, diff_id, tar_bytes, content_bytes, entries, is_ours, l.seq,"
		       " l.seq<=synced OR boot=?, place IS NOT NULL FROM layers l, meta"
		       " ORDER BY l.seq",
		       err) < 0)
		return -1;
	bind_text(&query, checker->store->boot_id);
	for (;;) {
		struct check_layer *item;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		checker->layers = mem_resize(checker->layers, checker->layer_count + 1,
					     sizeof(*checker->layers));
		item = &checker->layers[checker->layer_count++];
		*item = (struct check_layer){ .is_wanted = column_int(&query, 7),
					      .is_elsewhere = column_int(&query, 8) };
		if (column_digest(&query, 0, &item->layer.id, err) < 0 ||
		    column_digest(&query, 1, &item->layer.diff_id, err) < 0)
			return -1;
		item->layer.tar_bytes = (uint64_t)column_int(&query, 2);
		item->layer.content_bytes = (uint64_t)column_int(&query, 3);
		item->layer.entries = (uint64_t)column_int(&query, 4);
		item->layer.is_ours = column_int(&query, 5);
		item->seq = column_int(&query, 6);
	}
}

static int load_blobs(struct checker *checker, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, checker->store->db,
		       "SELECT digest, size, b.seq, b.seq<=synced OR boot=? FROM blobs b, meta"
		       " ORDER BY b.seq",
		       err) < 0)
		return -1;
	bind_text(&query, checker->store->boot_id);
	for (;;) {
		struct check_blob *item;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		checker->blobs = mem_resize(checker->blobs, checker->blob_count + 1,
					    sizeof(*checker->blobs));
		item = &checker->blobs[checker->blob_count++];
		*item = (struct check_blob){ .size_bytes = (uint64_t)column_int(&query, 1),
					     .seq = column_int(&query, 2),
					     .is_wanted = column_int(&query, 3) };
		if (column_digest(&query, 0, &item->digest, err) < 0)
			return -1;
	}
}

static int is_needed(struct checker *checker, const char *sql, const struct digest *image,
		     const struct digest *object, bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, checker->store->db, sql, err) < 0)
		return -1;
	bind_digest(&query, image);
	bind_digest(&query, object);
	return query_step(&query, out, err);
}

/* Mark what @image needs among what may be looked at: needed[] of layers, then of blobs. */
static int mark_image(struct checker *checker, const struct digest *image, bool *needed,
		      struct err *err)
{
	for (size_t i = 0; i < checker->layer_count; i++)
		if (!needed[i] &&
		    is_needed(checker, "SELECT 1 FROM image_layers WHERE image=? AND layer=?",
			      image, &checker->layers[i].layer.id, &needed[i], err) < 0)
			return -1;
	needed += checker->layer_count;
	for (size_t i = 0; i < checker->blob_count; i++)
		if (!needed[i] &&
		    is_needed(
			    checker,
			    "SELECT 1 FROM images WHERE id=?1 AND (id=?2 OR manifest=?2) UNION ALL"
			    " SELECT 1 FROM image_layers x JOIN layers l ON l.id=x.layer JOIN"
			    " layer_blobs b ON b.diff_id=l.diff_id WHERE x.image=?1 AND b.blob=?2",
			    image, &checker->blobs[i].digest, &needed[i], err) < 0)
			return -1;
	return 0;
}

/* The image; the index, and each of its images. */
static int mark_match(struct checker *checker, const struct image_match *match, bool *needed,
		      struct err *err)
{
	auto_digests struct digests images = { .items = NULL };

	if (mark_image(checker, &match->id, needed, err) < 0 ||
	    gc_select(checker->store, "SELECT DISTINCT image FROM index_images WHERE idx=?",
		      &match->id, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++)
		if (mark_image(checker, &images.items[i], needed, err) < 0)
			return -1;
	return 0;
}

static int choose_images(struct checker *checker, struct err *err)
{
	const struct strlist *names = checker->options->images;
	auto_free bool *needed =
		mem_array(checker->layer_count + checker->blob_count + 1, sizeof(*needed));

	if (!names || names->count == 0)
		return 0;
	for (size_t i = 0; i < names->count; i++) {
		auto_image_match struct image_match match = IMAGE_MATCH_INIT;

		if (image_must_resolve(checker->store, names->items[i], &match, err) < 0 ||
		    mark_match(checker, &match, needed, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < checker->layer_count; i++)
		checker->layers[i].is_wanted &= needed[i];
	for (size_t i = 0; i < checker->blob_count; i++)
		checker->blobs[i].is_wanted &= needed[checker->layer_count + i];
	return 0;
}

/* Of one moment: a layer and the image that has it were both there, or neither. */
static int load_all(struct checker *checker, struct err *err)
{
	auto_txn struct txn txn = TXN_INIT;

	if (txn_begin(&txn, checker->store->db, TXN_READ, err) < 0 ||
	    load_layers(checker, err) < 0 || load_blobs(checker, err) < 0 ||
	    choose_images(checker, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

/* ---- the check ---- */

static int check_all(struct checker *checker, struct err *err)
{
	bool everything = !checker->options->images || checker->options->images->count == 0;

	if (checker->store->is_read_only && checker->options->repair)
		return reading_check_writable(checker->store, err);
	if (check_database(checker, err) < 0)
		return -1;
	/* rows that cannot be read say nothing about files */
	if (check_damage_count(&checker->report) > 0)
		return 0;
	/* what is not ours to sweep is not rubbish to us */
	if (everything && !checker->store->is_read_only &&
	    (check_unsynced(checker, err) < 0 || check_leftovers(checker, err) < 0))
		return -1;
	if (load_all(checker, err) < 0 || check_documents(checker, err) < 0 ||
	    (everything && check_rows(checker, err) < 0) || check_content(checker, err) < 0 ||
	    settle_findings(checker, err) < 0)
		return -1;
	return checker->options->repair ? check_repair(checker, err) : 0;
}

int store_check(struct store *store, const struct check_options *options, struct check_report *out,
		struct err *err)
{
	struct checker checker = { .store = store,
				   .options = options,
				   .lock = PTHREAD_MUTEX_INITIALIZER,
				   .report = CHECK_REPORT_INIT };
	int result = check_all(&checker, err);

	free(checker.layers);
	free(checker.blobs);
	if (result < 0)
		check_report_release(&checker.report);
	else
		*out = checker.report;
	return result < 0 ? err_prefix(err, "check the store") : 0;
}
