/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the annotations that an image of the store was given: manifests are made when it
 * leaves, so they are kept beside it, as {"manifest": {"key": "value", …}}. That it was given
 * none is kept only where a manifest would say otherwise.
 */
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "layers/pairs.h"
#include "storage/image-internal.h"
#include "storage/store-internal.h"

int image_annotations_parse(const char *text, struct strlist *out, struct err *err)
{
	static const char what[] = "store.db is damaged: the annotations of an image";
	auto_json struct json *document = json_parse(text, strlen(text), what, err);

	return document ? pairs_take(document, "manifest", out, what, err) : -1;
}

#define TO_KEEP "coalesce(?2, CASE WHEN manifest IS NOT NULL THEN '{}' END)"

/* NULL: none. */
static char *format(const struct strlist *annotations)
{
	auto_json struct json *document = json_object();
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (annotations->count == 0)
		return NULL;
	pairs_set(document, "manifest", annotations);
	json_format(document, &text);
	return strbuf_steal(&text);
}

/* Most builds change nothing here, and a look costs less than a transaction. */
static int differs(struct store *store, const struct digest *id, const char *text, bool *out,
		   struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "SELECT 1 FROM images WHERE id=?1 AND annotations IS NOT " TO_KEEP, err) < 0)
		return -1;
	bind_digest(&query, id);
	bind_text(&query, text);
	return query_step(&query, out, err);
}

int image_annotate(struct store *store, const struct digest *id, const struct strlist *annotations,
		   struct err *err)
{
	auto_free char *text = format(annotations);
	auto_query struct query query = QUERY_INIT;
	bool is_new = false;

	if (differs(store, id, text, &is_new, err) < 0)
		return err_prefix(err, "annotate an image");
	if (!is_new)
		return 0;
	if (query_open(&query, store->db, "UPDATE images SET annotations=" TO_KEEP " WHERE id=?1",
		       err) < 0)
		return err_prefix(err, "annotate an image");
	bind_digest(&query, id);
	bind_text(&query, text);
	return query_run(&query, err);
}
