/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the list of images and indexes. */
#include "storage/image.h"

#include <string.h>
#include <uthash.h>

#include "common/mem.h"
#include "layers/ref.h"
#include "storage/image-internal.h"
#include "storage/store-internal.h"

/* An image of the list by its ID, while the names are added. */
struct known {
	struct digest id;
	size_t at;
	UT_hash_handle hh;
};

static int add_name(struct strlist *names, const char *name, struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strbuf struct strbuf familiar = STRBUF_INIT;

	if (image_ref_parse(name, &ref, err) < 0)
		return -1;
	image_ref_format_familiar(&ref, &familiar);
	strlist_add(names, familiar.data);
	return 0;
}

static int load_names(struct store *store, struct known *by_id, struct image_list *list,
		      struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	if (query_open(&query, store->db, "SELECT image, name FROM names ORDER BY name", err) < 0)
		return -1;
	for (;;) {
		struct known *known;
		struct digest id;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		if (column_digest(&query, 0, &id, err) < 0)
			return -1;
		HASH_FIND(hh, by_id, &id, sizeof(id), known);
		/* named since the list was read */
		if (known &&
		    add_name(&list->items[known->at].names, column_text(&query, 1), err) < 0)
			return -1;
	}
}

/* In one query: a store has thousands of them. */
static int list_names(struct store *store, struct image_list *list, struct err *err)
{
	auto_free struct known *items = mem_array(list->count + 1, sizeof(*items));
	struct known *by_id = NULL;
	int result;

	for (size_t i = 0; i < list->count; i++) {
		items[i] = (struct known){ .id = list->items[i].id, .at = i };
		HASH_ADD(hh, by_id, id, sizeof(items[i].id), &items[i]);
	}
	result = load_names(store, by_id, list, err);
	HASH_CLEAR(hh, by_id);
	return result;
}

/* @text: "linux/amd64,linux/arm64", or NULL. */
static void add_platforms(const char *text, struct strlist *out)
{
	while (text && *text) {
		size_t len = strcspn(text, ",");
		auto_free char *platform = str_ndup(text, len);

		strlist_add(out, platform);
		text += len + (text[len] == ',');
	}
}

static int list_rows(struct store *store, struct image_list *list, struct err *err)
{
	auto_query struct query query = QUERY_INIT;
	bool row = false;

	/*
	 * Recorded later is newer where the creation times are equal. "…:01.5Z" is later than
	 * "…:01Z", and as a text only without the end.
	 */
	if (query_open(
		    &query, store->db,
		    "SELECT * FROM (SELECT i.id, i.created AS time, count(l.id), "
		    "total(l.content_bytes),"
		    " i.seq AS place, NULL FROM images i LEFT JOIN image_layers x ON x.image=i.id"
		    " LEFT JOIN layers l ON l.id=x.layer WHERE i.seq<=?1 GROUP BY i.id"
		    " UNION ALL SELECT i.id, i.created, count(l.id), total(l.content_bytes),"
		    " i.seq, i.platforms FROM indexes i LEFT JOIN layers l ON l.id IN (SELECT "
		    "x.layer FROM"
		    " index_images m JOIN image_layers x ON x.image=m.image WHERE m.idx=i.id)"
		    " WHERE i.seq<=?1 GROUP BY i.id) ORDER BY rtrim(time, 'Z') DESC, place DESC",
		    err) < 0)
		return -1;
	bind_int(&query, store->trusted_seq);
	for (;;) {
		struct image_summary *item;

		if (query_step(&query, &row, err) < 0)
			return -1;
		if (!row)
			return 0;
		list->items = mem_resize(list->items, list->count + 1, sizeof(*list->items));
		item = &list->items[list->count++];
		*item = (struct image_summary){ .created = str_dup(column_text(&query, 1)) };
		item->layer_count = (size_t)column_int(&query, 2);
		item->size_bytes = (uint64_t)column_int(&query, 3);
		item->is_index = !column_is_null(&query, 5);
		add_platforms(column_text(&query, 5), &item->platforms);
		if (column_digest(&query, 0, &item->id, err) < 0)
			return -1;
	}
}

int image_list(struct store *store, struct image_list *out, struct err *err)
{
	auto_image_list struct image_list list = IMAGE_LIST_INIT;

	if (list_rows(store, &list, err) < 0 || list_names(store, &list, err) < 0)
		return -1;
	*out = list;
	list = (struct image_list)IMAGE_LIST_INIT;
	return 0;
}

/* As by the query: the end of a time is no part of it. */
static bool is_newer(const struct image_summary *a, const struct image_summary *b)
{
	const char *a_time = a->created ? a->created : "";
	const char *b_time = b->created ? b->created : "";
	size_t a_len = strcspn(a_time, "Z");
	size_t b_len = strcspn(b_time, "Z");
	int order = memcmp(a_time, b_time, a_len < b_len ? a_len : b_len);

	return order > 0 || (order == 0 && a_len > b_len);
}

/* Two lists, each the newest first, become one; what @more holds is taken. */
static void merge(struct image_list *list, struct image_list *more)
{
	struct image_list all = { .items = mem_array(list->count + more->count + 1,
						     sizeof(*all.items)) };
	size_t i = 0;
	size_t j = 0;

	while (i < list->count || j < more->count) {
		bool is_more = i == list->count ||
			       (j < more->count && is_newer(&more->items[j], &list->items[i]));

		all.items[all.count++] = is_more ? more->items[j++] : list->items[i++];
	}
	free(list->items);
	free(more->items);
	*list = all;
}

static int add_list(struct store *added, struct image_list *list, struct err *err)
{
	struct image_list more = IMAGE_LIST_INIT;

	if (image_list(added, &more, err) < 0)
		return -1;
	for (size_t i = 0; i < more.count; i++)
		more.items[i].place = added->root_path;
	merge(list, &more);
	return 0;
}

int image_list_all(struct store *store, struct image_list *out, struct err *err)
{
	auto_image_list struct image_list list = IMAGE_LIST_INIT;

	if (image_list(store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < store->added_count; i++)
		if (add_list(store->added[i], &list, err) < 0)
			return -1;
	*out = list;
	list = (struct image_list)IMAGE_LIST_INIT;
	return 0;
}

void image_list_release(struct image_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		strlist_release(&list->items[i].names);
		strlist_release(&list->items[i].platforms);
		free(list->items[i].created);
	}
	free(list->items);
	*list = (struct image_list)IMAGE_LIST_INIT;
}
