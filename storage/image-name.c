/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the names of images: what a text means, giving a name, listing
 * names. Taking names away is gc.c's, for it may remove the image.
 */
#include <string.h>

#include "common/cmdline.h"
#include "common/mem.h"
#include "layers/ref.h"
#include "storage/image-internal.h"
#include "storage/store-internal.h"

#define PREFIX_MIN 4

void image_match_release(struct image_match *match)
{
	free(match->name);
	match->name = NULL;
}

static int lookup_name(struct store *store, const char *name, bool *out_found, struct digest *out,
		       struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "SELECT image FROM names WHERE name=?", err) < 0)
		return -1;
	bind_text(&query, name);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	return *out_found ? column_digest(&query, 0, out, err) : 0;
}

/* "debian@sha256:…": the manifest of an image, or an index, that has any name in that repository.
 */
static int lookup_digest(struct store *store, const struct image_ref *ref, bool *out_found,
			 struct digest *out, struct err *err)
{
	auto_free char *repository = str_format("%s/%s", ref->host, ref->path);
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "SELECT c.id FROM (SELECT id, id AS named FROM images WHERE manifest=?1"
		       " UNION ALL SELECT id, id FROM indexes WHERE id=?1"
		       " UNION ALL SELECT image, idx FROM index_images WHERE manifest=?1) c"
		       " JOIN names n ON n.image=c.named"
		       " WHERE substr(n.name, 1, length(?2)+1)=?2||':'"
		       " OR substr(n.name, 1, length(?2)+1)=?2||'@'",
		       err) < 0)
		return -1;
	bind_digest(&query, &ref->digest);
	bind_text(&query, repository);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	return *out_found ? column_digest(&query, 0, out, err) : 0;
}

static bool is_hex(const char *text)
{
	return strspn(text, "0123456789abcdef") == strlen(text);
}

/* All IDs beginning with @prefix lie between it filled up with zeros and with "f"s. */
static int lookup_prefix(struct store *store, const char *text, const char *prefix, bool *out_found,
			 struct digest *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	char low[DIGEST_HEX_MAX];
	char high[DIGEST_HEX_MAX];
	size_t len = strlen(prefix);
	struct digest from;
	struct digest to;
	bool more = false;

	memset(low, '0', DIGEST_HEX_MAX - 1);
	memset(high, 'f', DIGEST_HEX_MAX - 1);
	low[DIGEST_HEX_MAX - 1] = high[DIGEST_HEX_MAX - 1] = '\0';
	memcpy(low, prefix, len);
	memcpy(high, prefix, len);
	if (digest_parse_hex(low, &from, err) < 0 || digest_parse_hex(high, &to, err) < 0 ||
	    query_open(&query, store->db,
		       "SELECT id FROM images WHERE id BETWEEN ?1 AND ?2"
		       " UNION ALL SELECT id FROM indexes WHERE id BETWEEN ?1 AND ?2",
		       err) < 0)
		return -1;
	bind_digest(&query, &from);
	bind_digest(&query, &to);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	if (column_digest(&query, 0, out, err) < 0 || query_step(&query, &more, err) < 0)
		return -1;
	if (more)
		return err_set(err, ERR_INPUT, "several images have an ID that begins with '%s'",
			       text);
	return 0;
}

static int resolve_name(struct store *store, const char *text, struct image_match *match,
			bool *out_found, struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strbuf struct strbuf name = STRBUF_INIT;

	if (image_ref_parse(text, &ref, err) < 0)
		return -1;
	image_ref_format(&ref, &name);
	if (lookup_name(store, name.data, out_found, &match->id, err) < 0)
		return -1;
	if (*out_found) {
		match->by_name = true;
		match->name = strbuf_steal(&name);
		return 0;
	}
	return ref.has_digest ? lookup_digest(store, &ref, out_found, &match->id, err) : 0;
}

static int is_index(struct store *store, const struct digest *id, bool *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "SELECT 1 FROM indexes WHERE id=?", err) < 0)
		return -1;
	bind_digest(&query, id);
	return query_step(&query, out, err);
}

/* In one store. */
static int resolve_in(struct store *store, const char *text, bool *out_found,
		      struct image_match *out, struct err *err)
{
	auto_image_match struct image_match match = { .home = store };
	bool has_algorithm = strncmp(text, "sha256:", 7) == 0;
	const char *prefix = has_algorithm ? text + 7 : text;
	bool can_be_id =
		is_hex(prefix) && strlen(prefix) >= PREFIX_MIN && strlen(prefix) < DIGEST_HEX_MAX;
	bool found = false;

	/* 64 hex digits are no name: references forbid it */
	if (!(can_be_id && (has_algorithm || strlen(prefix) == DIGEST_HEX_MAX - 1)) &&
	    resolve_name(store, text, &match, &found, err) < 0)
		return -1;
	if (!found && can_be_id && lookup_prefix(store, text, prefix, &found, &match.id, err) < 0)
		return -1;
	if (found && is_index(store, &match.id, &match.is_index, err) < 0)
		return -1;
	*out_found = found;
	if (found) {
		*out = match;
		match.name = NULL;
	}
	return 0;
}

int image_resolve(struct store *store, const char *text, bool *out_found, struct image_match *out,
		  struct err *err)
{
	if (resolve_in(store, text, out_found, out, err) < 0)
		return -1;
	for (size_t i = 0; i < store->added_count && !*out_found; i++)
		if (resolve_in(store->added[i], text, out_found, out, err) < 0)
			return -1;
	return 0;
}

/* Who means "debian" and has "debian:12": say so. */
static void hint(struct store *store, const char *text, struct err *err)
{
	auto_image_list struct image_list list = IMAGE_LIST_INIT;
	auto_free const char **names = NULL;
	struct err ignored = ERR_INIT;
	const char *near;
	size_t count = 0;

	if (image_list_all(store, &list, &ignored) < 0)
		return;
	for (size_t i = 0; i < list.count; i++)
		for (size_t j = 0; j < list.items[i].names.count; j++) {
			names = mem_resize(names, count + 2, sizeof(*names));
			names[count++] = list.items[i].names.items[j];
			names[count] = NULL;
		}
	if (!names) {
		err_detail(err,
			   "the store %s has no named image yet: see imgpull, imgbuild and "
			   "imgstore import",
			   store->root_path);
		return;
	}
	near = cmdline_nearest(text, names);
	if (near)
		err_detail(err, "there is '%s'", near);
	else
		err_detail(err, "imgstore ls shows what there is in %s", store->root_path);
}

int image_must_resolve(struct store *store, const char *text, struct image_match *out,
		       struct err *err)
{
	bool found = false;

	if (image_resolve(store, text, &found, out, err) < 0)
		return -1;
	if (found)
		return 0;
	err_set(err, ERR_INPUT, "image '%s' is not in the store", text);
	hint(store, text, err);
	return -1;
}

static int put_name(struct store *store, const struct digest *id, const char *name, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR REPLACE INTO names(name, image) SELECT ?1, ?2 WHERE EXISTS("
		       "SELECT 1 FROM images WHERE id=?2) OR EXISTS("
		       "SELECT 1 FROM indexes WHERE id=?2)",
		       err) < 0)
		return -1;
	bind_text(&query, name);
	bind_digest(&query, id);
	if (query_run(&query, err) < 0)
		return -1;
	if (db_changes(store->db) == 0) {
		char hex[DIGEST_HEX_MAX];

		return err_set(err, ERR_INPUT, "image %s is not in the store", digest_hex(id, hex));
	}
	return 0;
}

int image_tag(struct store *store, const struct digest *id, const char *name, struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strbuf struct strbuf key = STRBUF_INIT;
	auto_txn struct txn txn = TXN_INIT;
	struct sync_mark mark;
	struct digest now;
	bool found = false;

	if (image_ref_parse(name, &ref, err) < 0)
		return -1;
	image_ref_format(&ref, &key);
	/* the data first: a name that survives a power cut must not lead to an image that does not
	 */
	if (sync_data(store, &mark, err) < 0 || lookup_name(store, key.data, &found, &now, err) < 0)
		return -1;
	if (found && !mark.is_needed && digest_equal(&now, id))
		return 0;
	if (txn_begin(&txn, store->db, TXN_DURABLE, err) < 0 || sync_note(store, &mark, err) < 0 ||
	    put_name(store, id, key.data, err) < 0)
		return err_prefix(err, "name an image '%s'", name);
	return txn_commit(&txn, err);
}

int image_names(struct store *store, const struct digest *id, struct strlist *out, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, "SELECT name FROM names WHERE image=? ORDER BY name",
		       err) < 0)
		return -1;
	bind_digest(&query, id);
	for (;;) {
		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		strlist_add(out, column_text(&query, 0));
	}
}
