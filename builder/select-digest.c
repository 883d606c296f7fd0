/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the digests of selected files, and for what of them goes into a
 * cache key: all that the copy will have, but for times and how names are linked.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/select.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "storage/stepcache.h"

#define READ_BYTES ((size_t)256 * 1024)

int select_open(const struct select_tree *tree, const char *path, struct err *err)
{
	return beneath_open(tree->fd, path, BENEATH_NO_LINKS, O_RDONLY | O_NONBLOCK, err);
}

static int digest_file(const struct select_tree *tree, struct selection *selection,
		       struct select_item *item, void *buffer, struct err *err)
{
	auto_digest_state struct digest_state state = { 0 };
	auto_close int fd = -1;
	struct digest digest;
	struct stat st;
	ssize_t n;

	fd = select_open(tree, item->path, err);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", item->path);
	digest_state_init(&state);
	while ((n = fd_read_full(fd, buffer, READ_BYTES, item->path, err)) > 0)
		digest_state_update(&state, buffer, (size_t)n);
	if (n < 0)
		return -1;
	digest_state_final(&state, &digest);
	return select_set_digest(tree, selection, item, &st, &digest, err);
}

static int digest_source(const struct select_tree *tree, struct selection *selection,
			 size_t source, void *buffer, struct err *err)
{
	auto_select_reader struct select_reader reader = SELECT_READER_INIT;
	struct select_item *item;

	select_reader_init(&reader, selection, source);
	while (selection->missing_digests > 0) {
		if (select_next(&reader, &item, err) < 0)
			return -1;
		if (!item)
			break;
		if (S_ISREG(item->mode) && !item->has_digest &&
		    digest_file(tree, selection, item, buffer, err) < 0)
			return -1;
	}
	return 0;
}

int select_digest_all(const struct select_tree *tree, struct selection *selection,
		      size_t first_source, struct err *err)
{
	auto_free void *buffer = mem_alloc(READ_BYTES);

	for (size_t i = first_source; i < selection->source_count; i++)
		if (digest_source(tree, selection, i, buffer, err) < 0)
			return -1;
	return 0;
}

/*
 * Labels and access lists are made by the host that the files lie on: they are copied, but the
 * same files on another host are the same step.
 */
static bool is_of_host(const char *name)
{
	if (strncmp(name, "security.", strlen("security.")) == 0)
		return strcmp(name, "security.capability") != 0;
	return strncmp(name, "system.", strlen("system.")) == 0;
}

static void item_key(const struct select_item *item, const struct select_key_options *options,
		     struct cachekey *key)
{
	cachekey_string(key, "path", item->below);
	cachekey_number(key, "type", item->mode & S_IFMT);
	cachekey_number(key, "on the way", item->is_way);
	if (!options->has_mode)
		cachekey_number(key, "mode", item->mode & 07777);
	if (!options->has_owner) {
		cachekey_number(key, "uid", item->uid);
		cachekey_number(key, "gid", item->gid);
	}
	if (item->link)
		cachekey_string(key, "link", item->link);
	if (item->rdev)
		cachekey_number(key, "device", (int64_t)item->rdev);
	for (size_t i = 0; i < item->xattrs.count; i++) {
		if (is_of_host(item->xattrs.items[i].name))
			continue;
		cachekey_string(key, "attribute", item->xattrs.items[i].name);
		cachekey_bytes(key, "value", item->xattrs.items[i].value,
			       item->xattrs.items[i].value_len);
	}
	if (!S_ISREG(item->mode))
		return;
	cachekey_number(key, "size", (int64_t)item->size);
	if (options->with_content)
		cachekey_digest(key, "content", &item->digest);
}

static int source_key(const struct selection *selection, size_t source,
		      const struct select_key_options *options, struct cachekey *key,
		      struct err *err)
{
	auto_select_reader struct select_reader reader = SELECT_READER_INIT;
	struct select_item *item;

	select_reader_init(&reader, selection, source);
	for (;;) {
		if (select_next(&reader, &item, err) < 0)
			return -1;
		if (!item)
			return 0;
		item_key(item, options, key);
	}
}

int select_key(const struct selection *selection, const struct select_key_options *options,
	       struct cachekey *key, struct err *err)
{
	for (size_t i = 0; i < selection->source_count; i++) {
		const struct select_source *source = &selection->sources[i];

		/* the name of a directory is nowhere in the copy */
		cachekey_string(key, "source", source->is_directory ? "" : source->name);
		if (source_key(selection, i, options, key, err) < 0)
			return -1;
	}
	return 0;
}
