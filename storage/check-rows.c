/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the rows say of each other, of documents, and of what lies in the
 * store's directories without a row.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/config.h"
#include "layers/manifest.h"
#include "layers/walk.h"
#include "storage/check-internal.h"
#include "storage/gc-internal.h"
#include "storage/lease-internal.h"

#define DATABASE_FAULTS_MAX 20

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

/* ---- images ---- */

struct image_row {
	struct digest id;
	int64_t seq;
	bool has_manifest;
	struct digest manifest;
};

static int load_image_rows(struct checker *checker, struct image_row **out, size_t *out_count,
			   struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(
		    &query, checker->store->db,
		    "SELECT id, i.seq, manifest FROM images i, meta WHERE i.seq<=synced OR boot=?"
		    " ORDER BY i.seq",
		    err) < 0)
		return -1;
	bind_text(&query, checker->store->boot_id);
	for (;;) {
		struct image_row *item;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		*out = mem_resize(*out, *out_count + 1, sizeof(**out));
		item = &(*out)[(*out_count)++];
		*item = (struct image_row){ .seq = column_int(&query, 1),
					    .has_manifest = !column_is_null(&query, 2) };
		if (column_digest(&query, 0, &item->id, err) < 0 ||
		    (item->has_manifest && column_digest(&query, 2, &item->manifest, err) < 0))
			return -1;
	}
}

static const struct check_blob *find_blob(const struct checker *checker,
					  const struct digest *digest)
{
	for (size_t i = 0; i < checker->blob_count; i++)
		if (digest_equal(&checker->blobs[i].digest, digest))
			return &checker->blobs[i];
	return NULL;
}

/*
 * A document's bytes. *out_found false: they are not there, or not what they should be, which is
 * told of the blob.
 */
static int load_document(struct checker *checker, const struct digest *digest, size_t limit,
			 struct strbuf *out, bool *out_found, struct err *err)
{
	struct err problem = ERR_INIT;
	char hex[DIGEST_HEX_MAX];
	struct digest got;
	auto_close int fd = openat(checker->store->blobs_fd, digest_hex(digest, hex),
				   O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	*out_found = false;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, "open blob %s", hex);
	if (fd_read_all(fd, limit, out, hex, &problem) < 0) {
		if (check_is_damage(&problem))
			return 0;
		*err = problem;
		return -1;
	}
	digest_of(out->data ? out->data : "", out->len, &got);
	*out_found = digest_equal(&got, digest);
	return 0;
}

/* The layers that an image's rows name are those of its config. */
static int compare_layers(struct checker *checker, const struct image_row *image,
			  const struct image_config *config, struct err *problem, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	struct digest diff_id;
	size_t count = 0;
	bool row = false;

	if (query_open(&query, checker->store->db,
		       "SELECT x.layer, l.diff_id FROM image_layers x LEFT JOIN layers l ON"
		       " l.id=x.layer WHERE x.image=? ORDER BY x.position",
		       err) < 0)
		return -1;
	bind_digest(&query, &image->id);
	for (;; count++) {
		struct digest id;
		char name[DIGEST_NAME_MAX];

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			break;
		if (column_digest(&query, 0, &id, err) < 0)
			return -1;
		if (column_is_null(&query, 1))
			return err_set(problem, ERR_INPUT, "its layer %s is not in the store",
				       digest_name(&id, name)),
			       0;
		if (column_digest(&query, 1, &diff_id, err) < 0)
			return -1;
		if (count < config->diff_id_count &&
		    !digest_equal(&config->diff_ids[count], &diff_id))
			return err_set(problem, ERR_INPUT,
				       "layer %zu is not the one that its config names", count + 1),
			       0;
	}
	if (count != config->diff_id_count)
		err_set(problem, ERR_INPUT, "its config names %zu layers, the store knows %zu",
			config->diff_id_count, count);
	return 0;
}

static int look_at_config(struct checker *checker, const struct image_row *image,
			  struct err *problem, struct err *err)
{
	auto_image_config struct image_config config = { .created = NULL };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	bool found = false;

	if (gc_exists(checker->store, "SELECT 1 FROM blobs WHERE digest=?", &image->id, &found,
		      err) < 0)
		return -1;
	if (!found)
		return err_set(problem, ERR_INPUT, "its config is not in the store"), 0;
	if (load_document(checker, &image->id, CONFIG_MAX_BYTES, &bytes, &found, err) < 0)
		return -1;
	if (!found || image_config_parse(bytes.data, bytes.len, "its config", &config, problem) < 0)
		return 0;
	return compare_layers(checker, image, &config, problem, err);
}

static int look_at_manifest(struct checker *checker, const struct image_row *image,
			    struct err *problem, struct err *err)
{
	auto_manifest struct manifest manifest = { .format = IMAGE_OCI };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	bool found = false;

	if (!image->has_manifest)
		return 0;
	if (gc_exists(checker->store, "SELECT 1 FROM blobs WHERE digest=?", &image->manifest,
		      &found, err) < 0)
		return -1;
	if (!found)
		return err_set(problem, ERR_INPUT, "its manifest is not in the store"), 0;
	if (load_document(checker, &image->manifest, MANIFEST_MAX_BYTES, &bytes, &found, err) < 0)
		return -1;
	if (!found ||
	    manifest_parse(bytes.data, bytes.len, NULL, "its manifest", &manifest, problem) < 0)
		return 0;
	if (!digest_equal(&manifest.config.digest, &image->id))
		err_set(problem, ERR_INPUT, "its manifest is that of another image");
	return 0;
}

/*
 * A fault of an image that is still there. Its rows and blobs go in one transaction with its own
 * row, and are there before it: what is missing and was looked for after that row was read, is
 * missing in truth when the row has stayed. (The list of blobs is older, and would not do.)
 */
static int add_image_fault(struct checker *checker, const struct image_row *image,
			   enum check_fault fault, const struct err *problem, struct err *err)
{
	bool is_same = false;

	if (problem->kind == ERR_NONE)
		return 0;
	if (check_row_is(checker, "SELECT 1 FROM images WHERE seq=? AND id=?", image->seq,
			 &image->id, &is_same, err) < 0)
		return -1;
	if (is_same)
		check_add(checker, fault, fault == CHECK_IMAGE ? "image" : "manifest", &image->id,
			  NULL, problem->text);
	return 0;
}

static bool is_wanted(const struct checker *checker, const struct image_row *image)
{
	const struct strlist *names = checker->options->images;
	const struct check_blob *config = find_blob(checker, &image->id);

	return !names || names->count == 0 || (config && config->is_wanted);
}

int check_documents(struct checker *checker, struct err *err)
{
	auto_free struct image_row *rows = NULL;
	size_t count = 0;

	if (load_image_rows(checker, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct err config = ERR_INIT;
		struct err manifest = ERR_INIT;

		if (!is_wanted(checker, &rows[i]))
			continue;
		checker->report.images++;
		if (look_at_config(checker, &rows[i], &config, err) < 0 ||
		    look_at_manifest(checker, &rows[i], &manifest, err) < 0 ||
		    add_image_fault(checker, &rows[i], CHECK_IMAGE, &config, err) < 0 ||
		    add_image_fault(checker, &rows[i], CHECK_MANIFEST, &manifest, err) < 0)
			return -1;
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

/* ---- files of nothing ---- */

/* Nobody holds the lock of the file or directory @name. */
static bool is_dead(int dir_fd, const char *name)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static int look_at_temporaries(struct checker *checker, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(checker->store->tmp_fd, &names, "tmp", err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_free char *path = str_format("tmp/%s", names.items[i]);

		if (is_dead(checker->store->tmp_fd, names.items[i]))
			check_add(checker, CHECK_LEFTOVER, "file", NULL, path,
				  "the process that made it is gone");
	}
	return 0;
}

struct place {
	int dir_fd;
	const char *path;
	const char *sql;
	bool by_digest;
};

static int has_row(struct checker *checker, const struct place *place, const char *name, bool *out,
		   struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	struct err ignored = ERR_INIT;
	struct digest digest;

	*out = false;
	if (place->by_digest && digest_parse_hex(name, &digest, &ignored) < 0)
		return 0;
	if (query_open(&query, checker->store->db, place->sql, err) < 0)
		return -1;
	if (place->by_digest)
		bind_digest(&query, &digest);
	else
		bind_text(&query, name);
	return query_step(&query, out, err);
}

static int look_at_place(struct checker *checker, const struct place *place, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(place->dir_fd, &names, place->path, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_free char *path = str_format("%s/%s", place->path, names.items[i]);
		bool found = false;

		/* ".tmp-…": being written, where O_TMPFILE is missing */
		if (names.items[i][0] == '.')
			continue;
		if (has_row(checker, place, names.items[i], &found, err) < 0)
			return -1;
		if (!found)
			check_add(checker, CHECK_LEFTOVER, "file", NULL, path,
				  "nothing in store.db speaks of it");
	}
	return 0;
}

static int look_at_leases(struct checker *checker, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, checker->store->db, "SELECT DISTINCT lease FROM leases", err) < 0)
		return -1;
	for (;;) {
		const char *name;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		name = column_text(&query, 0);
		/* a file that is there was looked at in tmp/ */
		if (name && faccessat(checker->store->tmp_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			check_add(checker, CHECK_LEFTOVER, "lease", NULL, name,
				  "the process that took it is gone");
	}
}

static int look_for_leftovers(struct checker *checker, struct err *err)
{
	const struct place places[] = {
		{ checker->store->layers_fd, "layers",
		  "SELECT 1 FROM layers WHERE id=? AND place IS NULL", true },
		{ checker->store->blobs_fd, "blobs/sha256", "SELECT 1 FROM blobs WHERE digest=?",
		  true },
		{ checker->store->containers_fd, "containers",
		  "SELECT 1 FROM containers WHERE id=?", false },
	};
	/* who publishes holds this lock from the file's name to the row */
	auto_txn struct txn txn = TXN_INIT;

	if (txn_begin(&txn, checker->store->db, TXN_FAST, err) < 0 ||
	    look_at_temporaries(checker, err) < 0 || look_at_leases(checker, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (look_at_place(checker, &places[i], err) < 0)
			return -1;
	return txn_commit(&txn, err);
}

static void mark_removed(struct checker *checker, enum check_fault fault, const char *outcome)
{
	for (size_t i = 0; i < checker->report.count; i++) {
		struct check_finding *finding = &checker->report.items[i];

		if (finding->fault != fault)
			continue;
		finding->state = CHECK_REPAIRED;
		finding->outcome = str_dup(outcome);
	}
}

int check_leftovers(struct checker *checker, struct err *err)
{
	if (look_for_leftovers(checker, err) < 0)
		return -1;
	if (!checker->options->repair)
		return 0;
	if (sweep_dead(checker->store, false, err) < 0 ||
	    sweep_rubbish(checker->store, false, err) < 0)
		return -1;
	mark_removed(checker, CHECK_LEFTOVER, "removed");
	return 0;
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
	mark_removed(checker, CHECK_UNSYNCED, "forgotten");
	return 0;
}
