/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the names in a merged directory. All layers' names go into one array, sorted by a
 * hash of the name, the topmost layer's first among equals; marks are names, too, until they
 * have hidden what they hide.
 *
 * The hash is the cookie. It needs nothing to be remembered between two requests, so it does
 * not matter that the last listings are kept only to save reading the directory again.
 */
#include "fuse-overlay/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "fuse-overlay/attr.h"
#include "fuse-overlay/marks.h"
#include "fuse-overlay/place.h"

#define FIRST_COOKIE 3 /* before it: "." and ".." */
#define SLOT_COUNT   64
#define READ_SIZE    (64 << 10)
#define LARGE	     4096 /* entries */

struct item {
	uint64_t cookie;
	uint64_t ino;
	uint32_t text; /* where the name is in listing.text */
	uint16_t layer;
	uint8_t type; /* DT_… */
	bool hides;   /* a whiteout: it is no name itself */
	bool is_file_mark; /* a ".wh." file: it hides only what is further down */
};

struct listing {
	_Atomic unsigned int holds;
	uint32_t version;
	uint64_t node_id;
	size_t count;
	size_t capacity;
	struct item *items;
	size_t text_len;
	size_t text_capacity;
	char *text;
};

struct slot {
	struct latch latch;
	struct listing *listing;
};

struct listings {
	struct slot slots[SLOT_COUNT];
};

struct listings *listings_new(void)
{
	return mem_alloc(sizeof(struct listings));
}

void listing_put(struct listing *listing)
{
	if (!listing || atomic_fetch_sub(&listing->holds, 1) != 1)
		return;
	free(listing->items);
	free(listing->text);
	free(listing);
}

void listings_free(struct listings *listings)
{
	if (!listings)
		return;
	for (size_t i = 0; i < SLOT_COUNT; i++)
		listing_put(listings->slots[i].listing);
	free(listings);
}

/* ---- reading a layer ------------------------------------------------------------------ */

static uint64_t cookie_of(const char *name)
{
	uint64_t hash = 0xCBF29CE484222325u;

	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		hash = (hash ^ *p) * 0x100000001B3u;
	hash = (hash ^ (hash >> 31)) * 0x9E3779B97F4A7C15u;
	hash = (hash ^ (hash >> 32)) >> 1;
	return hash < FIRST_COOKIE ? hash + FIRST_COOKIE : hash;
}

static void add_item(struct listing *listing, const char *name, struct item item)
{
	size_t len = strlen(name) + 1;

	if (listing->count == listing->capacity) {
		listing->capacity = listing->capacity ? listing->capacity * 2 : 32;
		listing->items =
			mem_resize(listing->items, listing->capacity, sizeof(*listing->items));
	}
	if (listing->text_len + len > listing->text_capacity) {
		listing->text_capacity = (listing->text_capacity + len) * 2;
		listing->text = mem_resize(listing->text, listing->text_capacity, 1);
	}
	item.cookie = cookie_of(name);
	item.text = (uint32_t)listing->text_len;
	memcpy(listing->text + listing->text_len, name, len);
	listing->text_len += len;
	listing->items[listing->count++] = item;
}

struct reading {
	struct overlay *overlay;
	struct listing *listing;
	uint16_t layer;
	bool is_lowest; /* nothing below: marks hide nothing */
	int fd;
};

static bool is_whiteout(const struct reading *reading, const struct dirent64 *entry)
{
	struct stat st;

	if (entry->d_type != DT_CHR && entry->d_type != DT_UNKNOWN &&
	    (entry->d_type != DT_REG || reading->is_lowest))
		return false;
	return fstatat(reading->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mark_is_whiteout(reading->overlay, reading->fd, entry->d_name, &st);
}

static void take_entry(const struct reading *reading, const struct dirent64 *entry)
{
	const struct layer *layer = &reading->overlay->layers[reading->layer];
	const char *name = entry->d_name;
	const char *target = NULL;
	struct item item = { .layer = reading->layer, .type = entry->d_type };

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (mark_is_name(name)) {
		target = name + strlen(WHITEOUT_PREFIX);
		item.hides = item.is_file_mark = true;
		add_item(reading->listing, target, item);
		return;
	}
	item.ino = attr_ino(reading->overlay, layer, entry->d_ino);
	item.hides = is_whiteout(reading, entry);
	add_item(reading->listing, name, item);
}

static int read_layer(struct reading *reading, const struct place *place)
{
	auto_free char *buf = mem_alloc(READ_SIZE);
	auto_close int fd = openat(place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	reading->fd = fd;
	while ((n = syscall(SYS_getdents64, fd, buf, READ_SIZE)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(buf + at);

			take_entry(reading, entry);
			at += entry->d_reclen;
		}
	return n < 0 ? -errno : 0;
}

/* ---- merging --------------------------------------------------------------------------- */

static int compare_items(const void *a, const void *b, void *text)
{
	const struct item *x = a, *y = b;
	int order;

	if (x->cookie != y->cookie)
		return x->cookie < y->cookie ? -1 : 1;
	order = strcmp((char *)text + x->text, (char *)text + y->text);
	if (order != 0)
		return order;
	if (x->layer != y->layer)
		return x->layer < y->layer ? -1 : 1;
	return (int)x->is_file_mark - (int)y->is_file_mark;
}

/* Of each name the first, unless it hides. */
static void merge(struct listing *listing)
{
	size_t kept = 0;
	const char *last = NULL;

	if (listing->count == 0)
		return;
	qsort_r(listing->items, listing->count, sizeof(*listing->items), compare_items,
		listing->text);
	for (size_t i = 0; i < listing->count; i++) {
		const char *name = listing->text + listing->items[i].text;

		if (last && strcmp(last, name) == 0)
			continue;
		last = name;
		if (!listing->items[i].hides)
			listing->items[kept++] = listing->items[i];
	}
	listing->count = kept;
}

static int read_place(struct overlay *overlay, struct node *node, uint16_t layer, bool is_lowest,
		      struct listing *listing)
{
	struct reading reading = {
		.overlay = overlay, .listing = listing, .layer = layer, .is_lowest = is_lowest
	};
	auto_place struct place place = PLACE_INIT;
	int r = place_get(overlay, node, layer, &place);

	return r < 0 ? r : read_layer(&reading, &place);
}

static int read_all(struct overlay *overlay, struct node *node, struct listing *listing)
{
	const struct dir *dir = node->dir;
	int r = 0;

	if (node_is_upper(node))
		r = read_place(overlay, node, 0, dir->lower_count == 0, listing);
	for (uint16_t i = 0; r == 0 && i < dir->lower_count; i++)
		r = read_place(overlay, node, dir->lowers[i].layer, i == dir->lower_count - 1,
			       listing);
	if (r == 0)
		merge(listing);
	return r;
}

/* ---- the last ones ------------------------------------------------------------------------ */

static struct slot *slot_of(struct overlay *overlay, const struct node *node)
{
	return &overlay->listings->slots[node->id % SLOT_COUNT];
}

static struct listing *find_kept(struct slot *slot, const struct node *node, uint32_t version)
{
	struct listing *found = NULL;

	latch_lock(&slot->latch);
	if (slot->listing && slot->listing->node_id == node->id &&
	    slot->listing->version == version) {
		found = slot->listing;
		atomic_fetch_add(&found->holds, 1);
	}
	latch_unlock(&slot->latch);
	return found;
}

static void keep(struct slot *slot, struct listing *listing)
{
	struct listing *old;

	atomic_fetch_add(&listing->holds, 1);
	latch_lock(&slot->latch);
	old = slot->listing;
	slot->listing = listing;
	latch_unlock(&slot->latch);
	listing_put(old);
}

static struct listing *listing_new(const struct node *node, uint32_t version)
{
	struct listing *listing = mem_alloc(sizeof(*listing));

	listing->holds = 1;
	listing->node_id = node->id;
	listing->version = version;
	return listing;
}

int overlay_list(struct overlay *overlay, struct node *node, struct listing **out)
{
	uint32_t version = atomic_load(&node->dir->version);
	struct slot *slot = slot_of(overlay, node);
	struct listing *listing = find_kept(slot, node, version);
	int r;

	if (!listing) {
		listing = listing_new(node, version);
		r = read_all(overlay, node, listing);
		if (r < 0) {
			listing_put(listing);
			return r;
		}
		keep(slot, listing);
	}
	*out = listing;
	return 0;
}

void overlay_list_done(struct overlay *overlay, struct listing *listing)
{
	struct slot *slot = &overlay->listings->slots[listing->node_id % SLOT_COUNT];
	bool is_kept;

	if (listing->count < LARGE)
		return;
	latch_lock(&slot->latch);
	is_kept = slot->listing == listing;
	if (is_kept)
		slot->listing = NULL;
	latch_unlock(&slot->latch);
	if (is_kept)
		listing_put(listing);
}

static mode_t mode_of_type(uint8_t type)
{
	return type == DT_UNKNOWN ? 0 : DTTOIF(type);
}

bool listing_next(const struct listing *listing, uint64_t cookie, struct listing_entry *out)
{
	size_t low = 0, high = listing->count;
	const struct item *item;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (listing->items[middle].cookie <= cookie)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == listing->count)
		return false;
	item = &listing->items[low];
	*out = (struct listing_entry){ .name = listing->text + item->text,
				       .cookie = item->cookie,
				       .type = mode_of_type(item->type),
				       .ino = item->ino,
				       .layer = item->layer,
				       .version = listing->version };
	return true;
}

int listing_is_empty(struct overlay *overlay, struct node *node)
{
	struct listing *listing = NULL;
	int r = overlay_list(overlay, node, &listing);

	if (r < 0)
		return r;
	r = listing->count == 0;
	listing_put(listing);
	return r;
}

int listing_count_dirs(struct overlay *overlay, struct node *node)
{
	struct listing *listing = NULL;
	int count = 0;
	int r = overlay_list(overlay, node, &listing);

	if (r < 0)
		return r;
	for (size_t i = 0; i < listing->count; i++)
		count += listing->items[i].type == DT_DIR;
	dir_count_known(node, listing->version, count);
	listing_put(listing);
	return count;
}
