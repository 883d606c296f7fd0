/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for files with several names in an upper: which name came first, and
 * whether one of them has to be given, for then all of them are.
 */
#include "layers/diff-internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "common/mem.h"

struct link_key {
	uint64_t device;
	uint64_t inode;
};

struct diff_link {
	struct link_key key;
	bool is_given;
	char *first; /* the name given as the file, NULL as long as there is none */
	UT_hash_handle hh;
};

void diff_links_release(struct diff_links *links)
{
	struct diff_link *link;
	struct diff_link *next;

	HASH_ITER (hh, links->table, link, next) {
		HASH_DEL(links->table, link);
		free(link->first);
		free(link);
	}
}

static struct diff_link *find(const struct diff_links *links, const struct stat *st)
{
	struct link_key key = { .device = st->st_dev, .inode = st->st_ino };
	struct diff_link *link = NULL;

	HASH_FIND(hh, links->table, &key, sizeof(key), link);
	return link;
}

static struct diff_link *find_or_add(struct diff_links *links, const struct stat *st)
{
	struct diff_link *link = find(links, st);

	if (link)
		return link;
	link = mem_alloc(sizeof(*link));
	link->key = (struct link_key){ .device = st->st_dev, .inode = st->st_ino };
	HASH_ADD(hh, links->table, key, sizeof(link->key), link);
	return link;
}

void diff_links_note(struct diff_links *links, const struct stat *st, bool is_given)
{
	struct diff_link *link = find_or_add(links, st);

	link->is_given = link->is_given || is_given;
}

bool diff_links_is_given(const struct diff_links *links, const struct stat *st)
{
	const struct diff_link *link = find(links, st);

	return link && link->is_given;
}

const char *diff_links_first(struct diff_links *links, const struct stat *st, const char *path)
{
	struct diff_link *link = find_or_add(links, st);

	link->is_given = true;
	if (link->first)
		return link->first;
	link->first = str_dup(path);
	return NULL;
}
