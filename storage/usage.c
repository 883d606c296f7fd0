/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what the store takes on its disk, and for whom. */
#include "storage/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/walk.h"
#include "storage/gc-internal.h"
#include "storage/image.h"
#include "storage/store-internal.h"

#define BLOCK_BYTES 512 /* of st_blocks, on every file system */
#define DIR_FLAGS   (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A layer or a blob. */
struct item {
	struct digest digest;
	uint64_t bytes;
	size_t users;
	size_t last_user; /* image's position plus one */
};

/* A file with several names that was counted. */
struct linked {
	struct {
		dev_t dev;
		ino_t ino;
	} key;
	UT_hash_handle hh;
};

struct survey {
	struct store *store;
	struct usage *usage;
	dev_t dev;
	struct linked *linked;
	struct item *layers; /* both by digest */
	size_t layer_count;
	struct item *blobs;
	size_t blob_count;
};

void usage_release(struct usage *usage)
{
	for (size_t i = 0; i < usage->count; i++)
		strlist_release(&usage->images[i].names);
	free(usage->images);
	*usage = (struct usage)USAGE_INIT;
}

/* ---- sizes ---- */

static bool is_counted(struct survey *survey, const struct stat *st)
{
	struct linked probe;
	struct linked *found;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return false;
	memset(&probe, 0, sizeof(probe)); /* the padding is part of the key */
	probe.key.dev = st->st_dev;
	probe.key.ino = st->st_ino;
	HASH_FIND(hh, survey->linked, &probe.key, sizeof(probe.key), found);
	if (found)
		return true;
	found = mem_dup(&probe, sizeof(probe));
	HASH_ADD(hh, survey->linked, key, sizeof(found->key), found);
	return false;
}

struct measure {
	struct survey *survey;
	uint64_t bytes;
};

static int add_file(void *context, const struct walk_item *item, struct err *err)
{
	struct measure *measure = context;

	if (item->event == WALK_LEAVE)
		return 0;
	/* an image mounted inside the store (imgstore mount) is not on its disk */
	if (item->st->st_dev != measure->survey->dev) {
		if (item->event == WALK_ENTER)
			*item->out_descend = false;
		return 0;
	}
	if (!is_counted(measure->survey, item->st))
		measure->bytes += (uint64_t)item->st->st_blocks * BLOCK_BYTES;
	return 0;
}

/* A file, or a directory with all that is in it; what is gone meanwhile has no size. */
static int measure(struct survey *survey, int dir_fd, const char *name, uint64_t *out,
		   struct err *err)
{
	struct measure measure = { .survey = survey };
	struct err problem = ERR_INIT;
	auto_close int fd = -1;
	struct stat st;

	*out = 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "stat '%s'", name);
	if (!S_ISDIR(st.st_mode)) {
		*out = is_counted(survey, &st) ? 0 : (uint64_t)st.st_blocks * BLOCK_BYTES;
		return 0;
	}
	fd = openat(dir_fd, name, DIR_FLAGS);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open '%s'", name);
	if (walk_tree(fd, add_file, &measure, &problem) < 0 && problem.sys_errno != ENOENT) {
		*err = problem;
		return -1;
	}
	*out = measure.bytes;
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct item *)a)->digest.bytes,
		      ((const struct item *)b)->digest.bytes, DIGEST_BYTES);
}

/* All in a directory whose names are digests; other names are what killed processes left. */
static int measure_place(struct survey *survey, int dir_fd, const char *path, struct item **out,
			 size_t *out_count, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(dir_fd, &names, path, err) < 0)
		return -1;
	*out = mem_array(names.count + 1, sizeof(**out));
	for (size_t i = 0; i < names.count; i++) {
		struct item *item = &(*out)[*out_count];
		struct err ignored = ERR_INIT;

		if (measure(survey, dir_fd, names.items[i], &item->bytes, err) < 0)
			return -1;
		if (digest_parse_hex(names.items[i], &item->digest, &ignored) == 0)
			++*out_count;
		else
			survey->usage->temporary_bytes += item->bytes;
	}
	qsort(*out, *out_count, sizeof(**out), by_digest);
	return 0;
}

/* ---- whose they are ---- */

static void use(struct item *items, size_t count, const struct digests *used, size_t user)
{
	for (size_t i = 0; i < used->count; i++) {
		const struct item key = { .digest = used->items[i] };
		struct item *item = bsearch(&key, items, count, sizeof(*items), by_digest);

		if (!item || item->last_user == user + 1)
			continue;
		item->users++;
		item->last_user = user + 1;
	}
}

static void charge(struct usage_image *image, const struct item *items, size_t count,
		   const struct digests *used)
{
	for (size_t i = 0; i < used->count; i++) {
		const struct item key = { .digest = used->items[i] };
		const struct item *item = bsearch(&key, items, count, sizeof(*items), by_digest);

		if (item && item->users > 1)
			image->shared_bytes += item->bytes;
		else if (item)
			image->own_bytes += item->bytes;
	}
}

struct needs {
	struct digests layers;
	struct digests blobs;
};

/* An index has its documents; the images in it are images like others. */
static int load_needs(struct store *store, const struct digest *id, struct needs *out,
		      struct err *err)
{
	if (gc_select(store, "SELECT DISTINCT layer FROM image_layers WHERE image=?", id,
		      &out->layers, err) < 0)
		return -1;
	return gc_select(
		store,
		"SELECT ?1 UNION SELECT manifest FROM images WHERE id=?1 AND manifest IS"
		" NOT NULL UNION SELECT blob FROM index_blobs WHERE idx=?1 UNION SELECT"
		" b.blob FROM image_layers x JOIN layers l ON l.id=x.layer JOIN layer_blobs b"
		" ON b.diff_id=l.diff_id WHERE x.image=?1",
		id, &out->blobs, err);
}

static int load_images(struct survey *survey, struct needs **out_needs, struct err *err)
{
	auto_image_list struct image_list list = IMAGE_LIST_INIT;
	struct usage *usage = survey->usage;

	if (image_list(survey->store, &list, err) < 0)
		return -1;
	usage->images = mem_array(list.count + 1, sizeof(*usage->images));
	*out_needs = mem_array(list.count + 1, sizeof(**out_needs));
	for (size_t i = 0; i < list.count; i++) {
		usage->images[i].id = list.items[i].id;
		strlist_copy(&usage->images[i].names, &list.items[i].names);
		usage->count++;
		if (load_needs(survey->store, &list.items[i].id, &(*out_needs)[i], err) < 0)
			return -1;
	}
	return 0;
}

static void sum_items(struct usage *usage, const struct item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (items[i].users == 0)
			usage->cache_bytes += items[i].bytes;
		else if (items[i].users == 1)
			usage->own_bytes += items[i].bytes;
		else
			usage->shared_bytes += items[i].bytes;
	}
}

static int share_out(struct survey *survey, struct err *err)
{
	struct usage *usage = survey->usage;
	struct needs *needs = NULL;
	int result = load_images(survey, &needs, err);

	for (size_t i = 0; result == 0 && i < usage->count; i++) {
		use(survey->layers, survey->layer_count, &needs[i].layers, i);
		use(survey->blobs, survey->blob_count, &needs[i].blobs, i);
	}
	for (size_t i = 0; result == 0 && i < usage->count; i++) {
		charge(&usage->images[i], survey->layers, survey->layer_count, &needs[i].layers);
		charge(&usage->images[i], survey->blobs, survey->blob_count, &needs[i].blobs);
	}
	sum_items(usage, survey->layers, survey->layer_count);
	sum_items(usage, survey->blobs, survey->blob_count);
	for (size_t i = 0; needs && i < usage->count; i++) {
		digests_release(&needs[i].layers);
		digests_release(&needs[i].blobs);
	}
	free(needs);
	return result;
}

/* ---- everything ---- */

static uint64_t *part_of(struct usage *usage, const char *name)
{
	if (strcmp(name, "containers") == 0)
		return &usage->container_bytes;
	if (strcmp(name, "cache-mounts") == 0)
		return &usage->cachemount_bytes;
	if (strcmp(name, "cache") == 0)
		return &usage->fetched_bytes;
	if (strcmp(name, "tmp") == 0)
		return &usage->temporary_bytes;
	if (strncmp(name, "store.db", strlen("store.db")) == 0)
		return &usage->database_bytes;
	return &usage->other_bytes;
}

/* The directory's own blocks, without what is in it. */
static void add_own(struct survey *survey, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		survey->usage->other_bytes += (uint64_t)st.st_blocks * BLOCK_BYTES;
}

static int measure_rest(struct survey *survey, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	auto_close int blobs_fd = openat(survey->store->root_fd, "blobs", DIR_FLAGS);

	add_own(survey, survey->store->root_fd);
	add_own(survey, survey->store->layers_fd);
	add_own(survey, survey->store->blobs_fd);
	if (blobs_fd >= 0)
		add_own(survey, blobs_fd);
	if (walk_names(survey->store->root_fd, &names, "the store", err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		uint64_t bytes;

		if (strcmp(name, "layers") == 0 || strcmp(name, "blobs") == 0)
			continue;
		if (measure(survey, survey->store->root_fd, name, &bytes, err) < 0)
			return -1;
		*part_of(survey->usage, name) += bytes;
	}
	return 0;
}

static int survey_all(struct survey *survey, struct err *err)
{
	struct usage *usage = survey->usage;
	struct stat st;

	if (fstat(survey->store->root_fd, &st) < 0)
		return err_sys(err, "stat the store");
	survey->dev = st.st_dev;
	if (measure_place(survey, survey->store->layers_fd, "layers", &survey->layers,
			  &survey->layer_count, err) < 0 ||
	    measure_place(survey, survey->store->blobs_fd, "blobs/sha256", &survey->blobs,
			  &survey->blob_count, err) < 0 ||
	    share_out(survey, err) < 0 || measure_rest(survey, err) < 0)
		return -1;
	usage->total_bytes = usage->own_bytes + usage->shared_bytes + usage->cache_bytes +
			     usage->container_bytes + usage->cachemount_bytes +
			     usage->fetched_bytes + usage->database_bytes + usage->temporary_bytes +
			     usage->other_bytes;
	return 0;
}

static void forget_linked(struct survey *survey)
{
	struct linked *item;
	struct linked *next;

	HASH_ITER (hh, survey->linked, item, next) {
		HASH_DEL(survey->linked, item);
		free(item);
	}
}

int usage_layer(struct store *store, const struct digest *id, uint64_t *out_bytes, struct err *err)
{
	struct survey survey = { .store = store };
	char hex[DIGEST_HEX_MAX];
	struct stat st;
	int result;

	if (fstat(store->root_fd, &st) < 0)
		return err_sys(err, "stat the store");
	survey.dev = st.st_dev;
	result = measure(&survey, store->layers_fd, digest_hex(id, hex), out_bytes, err);
	forget_linked(&survey);
	return result;
}

int usage_load(struct store *store, struct usage *out, struct err *err)
{
	auto_usage struct usage usage = USAGE_INIT;
	struct survey survey = { .store = store, .usage = &usage };
	int result = survey_all(&survey, err);

	forget_linked(&survey);
	free(survey.layers);
	free(survey.blobs);
	if (result < 0)
		return err_prefix(err, "measure the store");
	*out = usage;
	usage = (struct usage)USAGE_INIT;
	return 0;
}
