/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which nodes there are and how they are called. A name is found in one of many small
 * tables, each with a latch of its own, so that threads in different directories do not meet.
 *
 * A node whose last hold is gone is dead: whoever still finds it in a table cannot hold it
 * any more and makes a new one, and the last holder takes it out and frees it.
 *
 * Nodes without a name are in the tables, too, under a name without a parent that nobody asks for: so that
 * at the end all are found.
 */
#include "fuse-overlay/node.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"

#define SHARD_COUNT	64
#define INITIAL_BUCKETS 16

struct shard {
	struct latch latch;
	uint32_t count;
	uint32_t size; /* a power of two */
	struct name **buckets;
} __attribute__((aligned(64)));

struct table {
	struct shard shards[SHARD_COUNT];
	/* files of the upper with several names, by inode */
	struct latch by_ino_latch;
	struct node *by_ino[256];
};

static _Atomic uint64_t last_id = 1;

struct table *table_new(void)
{
	void *memory = NULL;

	if (posix_memalign(&memory, 64, sizeof(struct table)) != 0)
		mem_exhausted();
	memset(memory, 0, sizeof(struct table));
	return memory;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < SHARD_COUNT; i++)
		free(table->shards[i].buckets);
	free(table);
}

/* ---- directories ------------------------------------------------------------ */

struct dir *dir_new(uint16_t lower_count)
{
	struct dir *dir = mem_alloc(sizeof(*dir) + lower_count * sizeof(struct spot));

	dir->lower_count = lower_count;
	dir->subdirs = UNKNOWN_SUBDIRS;
	return dir;
}

void dir_free(struct dir *dir)
{
	if (!dir)
		return;
	for (uint16_t i = 0; i < dir->lower_count; i++)
		free(dir->lowers[i].path);
	free(dir->redirect);
	free(dir);
}

void dir_change_begin(struct node *node)
{
	auto_latch struct latch *held = latch_hold(&node->dir->latch);

	node->dir->changing++;
}

void dir_change_end(struct node *node, int subdirs)
{
	struct dir *dir = node->dir;
	auto_latch struct latch *held = latch_hold(&dir->latch);

	dir->changing--;
	atomic_fetch_add(&dir->version, 1);
	if (dir->subdirs != UNKNOWN_SUBDIRS)
		dir->subdirs += subdirs;
}

void dir_count_known(struct node *node, uint32_t version, int subdirs)
{
	struct dir *dir = node->dir;
	auto_latch struct latch *held = latch_hold(&dir->latch);

	if (dir->changing == 0 && atomic_load(&dir->version) == version)
		dir->subdirs = subdirs;
}

int dir_count(struct node *node)
{
	auto_latch struct latch *held = latch_hold(&node->dir->latch);

	return node->dir->subdirs;
}

/* ---- names ------------------------------------------------------------------ */

static uint32_t hash_of(const struct node *parent, const char *text)
{
	uint64_t hash = parent->id * 0x9E3779B97F4A7C15u;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		hash = (hash ^ *p) * 0x100000001B3u;
	hash ^= hash >> 32;
	return (uint32_t)(hash ^ (hash >> 15));
}

static struct shard *shard_of(struct overlay *overlay, uint32_t hash)
{
	return &overlay->table->shards[hash % SHARD_COUNT];
}

static struct name **bucket_of(struct shard *shard, uint32_t hash)
{
	return &shard->buckets[(hash / SHARD_COUNT) & (shard->size - 1)];
}

/* Sizes follow what is in use, both ways. */
static void shard_resize(struct shard *shard, uint32_t size)
{
	struct name **old = shard->buckets;
	uint32_t old_size = shard->size;

	shard->buckets = mem_array(size, sizeof(*shard->buckets));
	shard->size = size;
	for (uint32_t i = 0; i < old_size; i++)
		for (struct name *name = old[i], *next; name; name = next) {
			struct name **bucket = bucket_of(shard, name->hash);

			next = name->next_in_table;
			name->next_in_table = *bucket;
			*bucket = name;
		}
	free(old);
}

static void shard_add(struct shard *shard, struct name *name)
{
	struct name **bucket;

	if (shard->count >= shard->size)
		shard_resize(shard, shard->size ? shard->size * 2 : INITIAL_BUCKETS);
	bucket = bucket_of(shard, name->hash);
	name->next_in_table = *bucket;
	*bucket = name;
	shard->count++;
}

static void shard_remove(struct shard *shard, struct name *name)
{
	struct name **at = bucket_of(shard, name->hash);

	while (*at != name)
		at = &(*at)->next_in_table;
	*at = name->next_in_table;
	shard->count--;
	if (shard->size > INITIAL_BUCKETS && shard->count < shard->size / 4)
		shard_resize(shard, shard->size / 2);
}

static void nameless_add(struct overlay *overlay, struct node *node)
{
	struct name *name = mem_alloc(sizeof(*name) + 1);
	struct shard *shard;

	name->node = node;
	name->hash = hash_of(node, "");
	shard = shard_of(overlay, name->hash);
	latch_lock(&shard->latch);
	shard_add(shard, name);
	latch_unlock(&shard->latch);
}

static void nameless_remove(struct overlay *overlay, struct node *node)
{
	uint32_t hash = hash_of(node, "");
	struct shard *shard = shard_of(overlay, hash);
	struct name *name = NULL;

	latch_lock(&shard->latch);
	if (shard->size > 0)
		name = *bucket_of(shard, hash);
	while (name && (name->parent || name->node != node))
		name = name->next_in_table;
	if (name)
		shard_remove(shard, name);
	latch_unlock(&shard->latch);
	free(name);
}

static struct name *name_new(struct node *node, struct node *parent, const char *text)
{
	size_t len = strlen(text);
	struct name *name = mem_alloc(sizeof(*name) + len + 1);

	name->parent = node_hold(parent);
	name->node = node;
	name->hash = hash_of(parent, text);
	memcpy(name->text, text, len + 1);
	return name;
}

/* ---- holding ----------------------------------------------------------------- */

/* False: it is dead. */
static bool hold_living(struct node *node)
{
	uint64_t seen = atomic_load_explicit(&node->holds, memory_order_relaxed);

	while (seen > 0)
		if (atomic_compare_exchange_weak_explicit(&node->holds, &seen, seen + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

struct node *node_hold(struct node *node)
{
	atomic_fetch_add_explicit(&node->holds, 1, memory_order_relaxed);
	return node;
}

static struct node **by_ino_bucket(struct table *table, dev_t dev, ino_t ino)
{
	return &table->by_ino[(ino ^ (ino >> 8) ^ dev) % 256];
}

struct file_state *node_file_state(struct node *node)
{
	if (!node->file)
		node->file = mem_alloc(sizeof(*node->file));
	return node->file;
}

void node_file_settle(struct node *node)
{
	const struct file_state *file = node->file;

	if (!file || file->is_indexed || file->cached > 0 || file->direct > 0)
		return;
	free(node->file);
	node->file = NULL;
}

static bool is_indexed(const struct node *node)
{
	return !node_is_dir(node) && node->file && node->file->is_indexed;
}

static void unindex(struct overlay *overlay, struct node *node)
{
	struct table *table = overlay->table;
	struct node **at = by_ino_bucket(table, node->file->upper_dev, node->file->upper_ino);

	latch_lock(&table->by_ino_latch);
	while (*at != node)
		at = &(*at)->file->next_by_ino;
	*at = node->file->next_by_ino;
	latch_unlock(&table->by_ino_latch);
}

static void name_free(struct overlay *overlay, struct name *name)
{
	node_drop(overlay, name->parent, 1);
	free(name);
}

/* What is a node's own, and the node. */
static void free_nameless(struct node *node)
{
	if (node->fd >= 0)
		close(node->fd);
	if (node_is_dir(node))
		dir_free(node->dir);
	else
		free(node->file);
	free(node);
}

static void node_free(struct overlay *overlay, struct node *node)
{
	struct name *name;

	if (is_indexed(node))
		unindex(overlay, node);
	if (!node->names)
		nameless_remove(overlay, node);
	while ((name = node->names)) {
		struct shard *shard = shard_of(overlay, name->hash);

		node->names = name->next_of_node;
		latch_lock(&shard->latch);
		shard_remove(shard, name);
		latch_unlock(&shard->latch);
		name_free(overlay, name);
	}
	free_nameless(node);
}

void node_drop(struct overlay *overlay, struct node *node, uint64_t count)
{
	if (count == 0)
		return;
	if (atomic_fetch_sub_explicit(&node->holds, count, memory_order_acq_rel) == count)
		node_free(overlay, node);
}

void node_auto_drop(struct held_node *held)
{
	if (held->node)
		node_drop(held->overlay, held->node, 1);
}

static void free_alone(struct node *node)
{
	for (struct name *name = node->names, *next; name; name = next) {
		next = name->next_of_node;
		free(name);
	}
	free_nameless(node);
}

void table_free_nodes(struct overlay *overlay)
{
	struct node *all = NULL;

	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = &overlay->table->shards[i];

		for (uint32_t j = 0; j < shard->size; j++)
			for (struct name *name = shard->buckets[j], *next; name; name = next) {
				struct node *node = name->node;

				next = name->next_in_table;
				if (!name->parent)
					free(name);
				if (atomic_exchange(&node->holds, 0) == 0)
					continue; /* found by another name */
				node->id = (uint64_t)all; /* nobody asks for it any more */
				all = node;
			}
	}
	while (all) {
		struct node *node = all;

		all = (struct node *)node->id;
		free_alone(node);
	}
}

/* ---- finding and making -------------------------------------------------------- */

struct node *node_new(const struct node_draft *draft)
{
	struct node *node = mem_alloc(sizeof(*node));

	node->holds = 1;
	node->id = atomic_fetch_add(&last_id, 1);
	node->ino = draft->ino;
	node->is_upper = draft->is_upper;
	node->lower = draft->lower;
	node->type = draft->type;
	node->fd = -1;
	node->dir = draft->dir;
	return node;
}

struct node *node_new_nameless(struct overlay *overlay, const struct node_draft *draft)
{
	struct node *node = node_new(draft);

	nameless_add(overlay, node);
	return node;
}

static struct node *find_in(struct shard *shard, uint32_t hash, struct node *parent,
			    const char *text)
{
	if (shard->size == 0)
		return NULL;
	for (struct name *name = *bucket_of(shard, hash); name; name = name->next_in_table)
		if (name->hash == hash && name->parent == parent && strcmp(name->text, text) == 0 &&
		    hold_living(name->node))
			return name->node;
	return NULL;
}

struct node *node_find(struct overlay *overlay, struct node *parent, const char *text)
{
	uint32_t hash = hash_of(parent, text);
	struct shard *shard = shard_of(overlay, hash);
	struct node *found;

	latch_lock(&shard->latch);
	found = find_in(shard, hash, parent, text);
	latch_unlock(&shard->latch);
	return found;
}

/* Give a new node its first name, unless another thread was faster: then that one's node. */
static struct node *publish(struct overlay *overlay, struct node *node, struct node *parent,
			    const char *text)
{
	struct name *name = name_new(node, parent, text);
	struct shard *shard = shard_of(overlay, name->hash);
	struct node *other;

	latch_lock(&shard->latch);
	other = find_in(shard, name->hash, parent, text);
	if (!other) {
		node->names = name;
		shard_add(shard, name);
	}
	latch_unlock(&shard->latch);
	if (!other)
		return node;
	name_free(overlay, name);
	node_drop(overlay, node, 1);
	return other;
}

static struct node *find_by_ino(struct table *table, const struct stat *st)
{
	struct node *node = *by_ino_bucket(table, st->st_dev, st->st_ino);

	for (; node; node = node->file->next_by_ino)
		if (node->file->upper_ino == st->st_ino && node->file->upper_dev == st->st_dev &&
		    hold_living(node))
			return node;
	return NULL;
}

static void index_locked(struct table *table, struct node *node, const struct stat *st)
{
	struct node **bucket = by_ino_bucket(table, st->st_dev, st->st_ino);
	struct file_state *file = node_file_state(node);

	file->upper_dev = st->st_dev;
	file->upper_ino = st->st_ino;
	file->next_by_ino = *bucket;
	file->is_indexed = true;
	*bucket = node;
}

void node_index(struct overlay *overlay, struct node *node, const struct stat *upper_st)
{
	if (is_indexed(node))
		return;
	latch_lock(&overlay->table->by_ino_latch);
	index_locked(overlay->table, node, upper_st);
	latch_unlock(&overlay->table->by_ino_latch);
}

/* One more name of an inode of the upper that has a node, or the first one's node. */
static struct node *find_or_make_linked(struct overlay *overlay, struct node *parent,
					const char *text, const struct node_draft *draft)
{
	struct table *table = overlay->table;
	struct node *node;
	bool is_new = false;

	latch_lock(&table->by_ino_latch);
	node = find_by_ino(table, draft->upper_st);
	if (!node) {
		node = node_new(draft);
		index_locked(table, node, draft->upper_st);
		is_new = true;
	}
	latch_unlock(&table->by_ino_latch);
	if (!is_new && draft->dir)
		dir_free(draft->dir);

	latch_lock(&node->latch);
	node_add_name(overlay, node, parent, text);
	latch_unlock(&node->latch);
	return node;
}

struct node *node_find_or_make(struct overlay *overlay, struct node *parent, const char *text,
			       const struct node_draft *draft)
{
	struct node *node = node_find(overlay, parent, text);

	if (node) {
		dir_free(draft->dir);
		return node;
	}
	if (draft->upper_st && draft->is_upper && !draft->dir)
		return find_or_make_linked(overlay, parent, text, draft);
	return publish(overlay, node_new(draft), parent, text);
}

/* ---- changing names -------------------------------------------------------------- */

static struct name **name_of(struct node *node, struct node *parent, const char *text)
{
	struct name **at = &node->names;

	while (*at && ((*at)->parent != parent || strcmp((*at)->text, text) != 0))
		at = &(*at)->next_of_node;
	return at;
}

void node_add_name(struct overlay *overlay, struct node *node, struct node *parent,
		   const char *text)
{
	struct name *name;
	struct shard *shard;
	int fd;

	if (*name_of(node, parent, text))
		return;
	if (!node->names)
		nameless_remove(overlay, node);
	name = name_new(node, parent, text);
	shard = shard_of(overlay, name->hash);
	name->next_of_node = node->names;
	node->names = name;
	latch_lock(&shard->latch);
	shard_add(shard, name);
	latch_unlock(&shard->latch);
	fd = atomic_exchange(&node->fd, -1);
	if (fd >= 0)
		close(fd);
}

bool node_remove_name(struct overlay *overlay, struct node *node, struct node *parent,
		      const char *text)
{
	struct name **at = name_of(node, parent, text);
	struct name *name = *at;
	struct shard *shard;

	if (!name)
		return false;
	*at = name->next_of_node;
	shard = shard_of(overlay, name->hash);
	latch_lock(&shard->latch);
	shard_remove(shard, name);
	latch_unlock(&shard->latch);
	name_free(overlay, name);
	if (!node->names)
		nameless_add(overlay, node);
	return true;
}

struct node *node_parent(struct overlay *overlay, struct node *node)
{
	struct node *parent = NULL;

	if (node_is_dir(node))
		pthread_rwlock_rdlock(&overlay->shape);
	else
		latch_lock(&node->latch);
	if (node->names)
		parent = node_hold(node->names->parent);
	if (node_is_dir(node))
		pthread_rwlock_unlock(&overlay->shape);
	else
		latch_unlock(&node->latch);
	return parent;
}
