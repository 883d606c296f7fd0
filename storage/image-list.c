/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the list of images and indexes. */
#include "storage/image.h"

#include <string.h>

#include "common/mem.h"
#include "layers/ref.h"
#include "storage/image-internal.h"
#include "storage/store-internal.h"

static int list_names(struct store *store, struct image_summary *item, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (image_names(store, &item->id, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
		auto_strbuf struct strbuf familiar = STRBUF_INIT;

		if (image_ref_parse(names.items[i], &ref, err) < 0)
			return -1;
		image_ref_format_familiar(&ref, &familiar);
		strlist_add(&item->names, familiar.data);
	}
	return 0;
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
		    " LEFT JOIN layers l ON l.id=x.layer GROUP BY i.id"
		    " UNION ALL SELECT i.id, i.created, count(l.id), total(l.content_bytes),"
		    " i.seq, i.platforms FROM indexes i LEFT JOIN layers l ON l.id IN (SELECT "
		    "x.layer FROM"
		    " index_images m JOIN image_layers x ON x.image=m.image WHERE m.idx=i.id)"
		    " GROUP BY i.id) ORDER BY rtrim(time, 'Z') DESC, place DESC",
		    err) < 0)
		return -1;
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

	if (list_rows(store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		if (list_names(store, &list.items[i], err) < 0)
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
