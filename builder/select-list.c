/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the list that a selection is: how an item is written into the spool and read
 * again, and for the digests that are found or made after it was written.
 */
#include <string.h>
#include <unistd.h>

#include "builder/select-internal.h"
#include "common/mem.h"
#include "storage/stepcache.h"

#define NOTES_MAX 4096

struct record_digest {
	struct digest digest;
	bool is_known;
};

struct record {
	struct record_digest digest; /* first: it alone is changed later */
	bool is_way;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size;
	dev_t rdev;
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	size_t below_len;
	size_t link_len;
	size_t xattr_count;
	/* then below, link, and of each attribute the lengths and bytes of name and value */
};

void select_item_release(struct select_item *item)
{
	free(item->path);
	free(item->link);
	xattrs_release(&item->xattrs);
}

static void release_notes(struct selection *selection)
{
	free(selection->notes);
	free(selection->note_places);
	selection->notes = NULL;
	selection->note_places = NULL;
	selection->note_count = selection->note_cap = 0;
}

void selection_release(struct selection *selection)
{
	for (size_t i = 0; i < selection->source_count; i++) {
		free(selection->sources[i].name);
		free(selection->sources[i].path);
	}
	free(selection->sources);
	release_notes(selection);
	spool_release(&selection->items);
	*selection = (struct selection)SELECTION_INIT;
}

struct select_mark select_mark(const struct selection *selection)
{
	return (struct select_mark){ .at = spool_end(&selection->items),
				     .count = selection->count,
				     .way_count = selection->way_count };
}

bool select_has_solid(const struct selection *selection, const struct select_mark *since)
{
	return selection->count - since->count > selection->way_count - since->way_count;
}

/* ---- writing ---- */

static void put_bytes(struct spool *spool, const void *data, size_t len)
{
	spool_add(spool, &len, sizeof(len));
	spool_add(spool, data, len);
}

static void put_item(struct spool *spool, const struct select_item *item)
{
	struct record record;

	memset(&record, 0, sizeof(record)); /* the padding too: it goes to a file */
	record.digest.digest = item->digest;
	record.digest.is_known = item->has_digest;
	record.is_way = item->is_way;
	record.mode = item->mode;
	record.uid = item->uid;
	record.gid = item->gid;
	record.size = item->size;
	record.rdev = item->rdev;
	record.dev = item->dev;
	record.ino = item->ino;
	record.mtime = item->mtime;
	record.below_len = strlen(item->below);
	record.link_len = item->link ? strlen(item->link) : 0;
	record.xattr_count = item->xattrs.count;
	spool_add(spool, &record, sizeof(record));
	spool_add(spool, item->below, record.below_len);
	spool_add(spool, item->link, record.link_len);
	for (size_t i = 0; i < item->xattrs.count; i++) {
		const struct xattr *xattr = &item->xattrs.items[i];

		put_bytes(spool, xattr->name, strlen(xattr->name) + 1);
		put_bytes(spool, xattr->value, xattr->value_len);
	}
}

static int add_item(struct selection *selection, const struct select_item *item, struct err *err)
{
	put_item(&selection->items, item);
	selection->count++;
	selection->way_count += item->is_way;
	if (S_ISREG(item->mode) && !item->has_digest)
		selection->missing_digests++;
	return spool_settle(&selection->items, err);
}

/* What stat(2) says of a file of the context, to look for its digest with those of others. */
static void note_file(struct selection *selection, const struct stat *st, uint64_t at)
{
	if (selection->note_count == selection->note_cap) {
		selection->note_cap = selection->note_cap ? selection->note_cap * 2 : 64;
		selection->notes = mem_resize(selection->notes, selection->note_cap,
					      sizeof(*selection->notes));
		selection->note_places = mem_resize(selection->note_places, selection->note_cap,
						    sizeof(*selection->note_places));
	}
	filecache_item_init(&selection->notes[selection->note_count], st);
	selection->note_places[selection->note_count++] = at;
}

static int look_up(const struct select_tree *tree, struct selection *selection, struct err *err)
{
	if (filecache_find_many(tree->store, selection->notes, selection->note_count, err) < 0)
		return -1;
	for (size_t i = 0; i < selection->note_count; i++) {
		struct select_item item = { .at = selection->note_places[i] };

		if (selection->notes[i].is_found &&
		    select_share_digest(selection, &item, &selection->notes[i].digest, err) < 0)
			return -1;
	}
	selection->note_count = 0;
	return 0;
}

int select_find_digests(const struct select_tree *tree, struct selection *selection,
			struct err *err)
{
	if (look_up(tree, selection, err) < 0)
		return -1;
	release_notes(selection);
	return 0;
}

int select_add_item(const struct select_tree *tree, struct selection *selection,
		    const struct select_item *item, const struct stat *st, struct err *err)
{
	uint64_t at = spool_end(&selection->items);

	if (tree->store)
		selection->items.dir_fd = store_tmp_fd(tree->store);
	if (st->st_uid != 0 || st->st_gid != 0)
		selection->has_foreign = true;
	if (add_item(selection, item, err) < 0)
		return -1;
	if (!S_ISREG(st->st_mode) || !tree->is_context || tree->is_new)
		return 0;
	note_file(selection, st, at);
	return selection->note_count < NOTES_MAX ? 0 : look_up(tree, selection, err);
}

void select_add_source(struct selection *selection, const struct select_mark *mark,
		       const char *name, const char *path, bool is_directory)
{
	struct select_source source = { .name = str_dup(name),
					.path = str_dup(path),
					.first = mark->at,
					.count = selection->count - mark->count,
					.is_directory = is_directory };

	selection->sources =
		mem_resize(selection->sources, selection->source_count + 1, sizeof(source));
	selection->sources[selection->source_count++] = source;
}

int select_add_file(struct selection *selection, const char *name, const struct select_item *item,
		    struct err *err)
{
	struct select_mark mark = select_mark(selection);

	if (add_item(selection, item, err) < 0)
		return -1;
	select_add_source(selection, &mark, name, item->path, false);
	return 0;
}

/* ---- reading ---- */

void select_reader_init(struct select_reader *reader, const struct selection *selection,
			size_t source)
{
	*reader = (struct select_reader)SELECT_READER_INIT;
	reader->source = &selection->sources[source];
	reader->left = reader->source->count;
	spool_reader_init(&reader->from, &selection->items, reader->source->first);
}

void select_reader_release(struct select_reader *reader)
{
	spool_reader_release(&reader->from);
	xattrs_release(&reader->item.xattrs);
	strbuf_release(&reader->path);
	strbuf_release(&reader->link);
}

/* Append @len bytes to @out. */
static int read_text(struct select_reader *reader, size_t len, struct strbuf *out, struct err *err)
{
	strbuf_reserve(out, len);
	if (len > 0 && spool_read(&reader->from, out->data + out->len, len, err) < 0)
		return -1;
	if (len > 0)
		out->data[out->len += len] = '\0';
	return 0;
}

static int read_xattrs(struct select_reader *reader, size_t count, struct err *err)
{
	auto_strbuf struct strbuf name = STRBUF_INIT;
	auto_strbuf struct strbuf value = STRBUF_INIT;

	for (size_t i = 0; i < count; i++) {
		size_t len;

		strbuf_truncate(&name, 0);
		strbuf_truncate(&value, 0);
		if (spool_read(&reader->from, &len, sizeof(len), err) < 0 ||
		    read_text(reader, len, &name, err) < 0 ||
		    spool_read(&reader->from, &len, sizeof(len), err) < 0 ||
		    read_text(reader, len, &value, err) < 0)
			return -1;
		xattrs_set(&reader->item.xattrs, name.data, value.data, value.len);
	}
	return 0;
}

/* The path is the source's, and then what is below it. */
static int read_path(struct select_reader *reader, size_t below_len, struct err *err)
{
	struct strbuf *path = &reader->path;

	strbuf_truncate(path, 0);
	strbuf_puts(path, reader->source->path);
	if (path->len > 0 && below_len > 0)
		strbuf_putc(path, '/');
	if (read_text(reader, below_len, path, err) < 0)
		return -1;
	reader->item.path = path->data;
	reader->item.below = path->data + path->len - below_len;
	return 0;
}

int select_next(struct select_reader *reader, struct select_item **out, struct err *err)
{
	struct select_item *item = &reader->item;
	struct record record;

	*out = NULL;
	xattrs_release(&item->xattrs);
	if (reader->left == 0)
		return 0;
	reader->left--;
	*item = (struct select_item){ .at = reader->from.at };
	if (spool_read(&reader->from, &record, sizeof(record), err) < 0 ||
	    read_path(reader, record.below_len, err) < 0)
		return -1;
	strbuf_truncate(&reader->link, 0);
	if (read_text(reader, record.link_len, &reader->link, err) < 0 ||
	    read_xattrs(reader, record.xattr_count, err) < 0)
		return -1;
	item->digest = record.digest.digest;
	item->has_digest = record.digest.is_known;
	item->is_way = record.is_way;
	item->mode = record.mode;
	item->uid = record.uid;
	item->gid = record.gid;
	item->size = record.size;
	item->rdev = record.rdev;
	item->dev = record.dev;
	item->ino = record.ino;
	item->mtime = record.mtime;
	item->link = S_ISLNK(record.mode) ? reader->link.data : NULL;
	*out = item;
	return 0;
}

/* ---- digests ---- */

int select_share_digest(struct selection *selection, struct select_item *item,
			const struct digest *digest, struct err *err)
{
	struct record_digest change = { .digest = *digest, .is_known = true };

	if (item->has_digest)
		return 0;
	if (spool_change(&selection->items, item->at, &change, sizeof(change), err) < 0)
		return -1;
	item->digest = *digest;
	item->has_digest = true;
	selection->missing_digests--;
	return 0;
}

int select_set_digest(const struct select_tree *tree, struct selection *selection,
		      struct select_item *item, const struct stat *st, const struct digest *digest,
		      struct err *err)
{
	if (item->has_digest)
		return 0;
	if (select_share_digest(selection, item, digest, err) < 0)
		return -1;
	return tree->is_context && !tree->is_new ? filecache_put(tree->store, st, digest, err) : 0;
}
