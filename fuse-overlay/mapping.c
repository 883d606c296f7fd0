/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners between the layers and the mount. Knows no file: what an owner that cannot be stored
 * means is for those who write.
 */
#include "fuse-overlay/mapping.h"

#include <string.h>

#include "common/mem.h"

#define FIELDS 3

int id_parse(const char *text, uint32_t *out, struct err *err)
{
	size_t len = strspn(text, "0123456789");
	uint64_t value = 0;

	if (len == 0 || text[len])
		return err_set(err, ERR_USAGE, "'%s' is not an id: want a decimal number", text);
	for (size_t i = 0; i < len && value < ID_NONE; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	if (value >= ID_NONE)
		return err_set(err, ERR_USAGE, "id '%s' is too large: at most %u", text,
			       ID_NONE - 1);

	*out = (uint32_t)value;
	return 0;
}

static int range_add(struct id_map *map, const uint32_t *fields, struct err *err)
{
	struct id_range range = { fields[0], fields[1], fields[2] };

	if (range.count == 0)
		return err_set(err, ERR_USAGE, "a range of no ids");
	if (range.count > ID_NONE - range.stored || range.count > ID_NONE - range.shown)
		return err_set(err, ERR_USAGE, "range %u:%u:%u goes beyond the last id, %u",
			       range.stored, range.shown, range.count, ID_NONE - 1);
	map->ranges = mem_resize(map->ranges, map->count + 1, sizeof(*map->ranges));
	map->ranges[map->count++] = range;
	return 0;
}

static int ranges_parse(char *text, struct id_map *map, struct err *err)
{
	uint32_t fields[FIELDS];
	size_t have = 0;
	char *rest = text;
	char *field;

	while ((field = strsep(&rest, ":"))) {
		if (!field[0])
			continue;
		if (id_parse(field, &fields[have], err) < 0)
			return -1;
		if (++have < FIELDS)
			continue;
		if (range_add(map, fields, err) < 0)
			return -1;
		have = 0;
	}
	if (have > 0)
		return err_set(err, ERR_USAGE, "want triples, STORED:SHOWN:COUNT");
	return 0;
}

int id_map_parse(const char *text, struct id_map *out, struct err *err)
{
	auto_free char *copy = str_dup(text);
	struct id_map map = { 0 };

	if (ranges_parse(copy, &map, err) < 0) {
		id_map_release(&map);
		return err_prefix(err, "id map '%s'", text);
	}
	id_map_release(out);
	*out = map;
	return 0;
}

void id_map_release(struct id_map *map)
{
	free(map->ranges);
	*map = (struct id_map){ 0 };
}

static uint32_t id_show(const struct id_map *map, uint32_t id)
{
	if (map->count == 0)
		return id;
	for (size_t i = map->count; i-- > 0;) {
		const struct id_range *range = &map->ranges[i];

		if (id >= range->stored && id - range->stored < range->count)
			return range->shown + (id - range->stored);
	}
	return ID_OVERFLOW;
}

static uint32_t id_store(const struct id_map *map, uint32_t id)
{
	if (map->count == 0 || id == ID_NONE)
		return id;
	for (size_t i = map->count; i-- > 0;) {
		const struct id_range *range = &map->ranges[i];

		if (id >= range->shown && id - range->shown < range->count)
			return range->stored + (id - range->shown);
	}
	return ID_OVERFLOW;
}

void mapping_show(const struct mapping *mapping, struct stat *st)
{
	st->st_uid = mapping->squash_uid >= 0 ? (uid_t)mapping->squash_uid
					      : id_show(&mapping->uids, st->st_uid);
	st->st_gid = mapping->squash_gid >= 0 ? (gid_t)mapping->squash_gid
					      : id_show(&mapping->gids, st->st_gid);
}

void mapping_store(const struct mapping *mapping, uid_t *uid, gid_t *gid)
{
	*uid = id_store(&mapping->uids, *uid);
	*gid = id_store(&mapping->gids, *gid);
}

bool mapping_squashes(const struct mapping *mapping)
{
	return mapping->squash_uid >= 0 || mapping->squash_gid >= 0;
}

bool mapping_is_given(const struct mapping *mapping)
{
	return mapping->uids.count > 0 || mapping->gids.count > 0;
}

void mapping_release(struct mapping *mapping)
{
	id_map_release(&mapping->uids);
	id_map_release(&mapping->gids);
}
