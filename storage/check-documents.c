/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what the rows of images say of their configs, manifests and layers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/config.h"
#include "layers/manifest.h"
#include "storage/check-internal.h"
#include "storage/gc-internal.h"

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
