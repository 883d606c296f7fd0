/* SPDX-License-Identifier: Apache-2.0 */
/* imgoverlay's -o: what is taken can be mounted and maps ids within their range, all else is told.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "fuse-overlay/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_map_within(const struct id_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct id_range *range = &map->ranges[i];

		if (range->count == 0 || range->stored + range->count < range->count ||
		    range->shown + range->count < range->count)
			abort();
	}
}

/* The id of the last range's beginning goes there and back. */
static void must_go_back(const struct mapping *mapping)
{
	struct stat st = { 0 };
	uid_t none_uid = ID_NONE;
	gid_t none_gid = ID_NONE;

	mapping_store(mapping, &none_uid, &none_gid);
	if (none_uid != ID_NONE || none_gid != ID_NONE)
		abort();
	if (mapping->uids.count == 0 || mapping->squash_uid >= 0)
		return;
	st.st_uid = mapping->uids.ranges[mapping->uids.count - 1].stored;
	mapping_show(mapping, &st);
	mapping_store(mapping, &st.st_uid, &st.st_gid);
	if (st.st_uid != mapping->uids.ranges[mapping->uids.count - 1].stored)
		abort();
}

static void must_be_mountable(const struct options *options)
{
	auto_free char *mount = options_mount_string(options);

	if (options->lowers.count == 0 || !options->upper != !options->work || !mount[0])
		abort();
	if (!options->upper && !options->is_read_only)
		abort();
	if (!(options->timeout_s >= 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	auto_free char *list = str_ndup((const char *)data, size);
	const char *const argv[] = { "imgoverlay", "-o", list, "/mnt", NULL };
	auto_options struct options options = OPTIONS_INIT;
	struct err err = ERR_INIT;

	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	if (options_parse(&options, 4, argv, nowhere, &err) < 0) {
		if (err.kind != ERR_USAGE || !err.text[0])
			abort();
		return 0;
	}
	must_be_mountable(&options);
	must_map_within(&options.mapping.uids);
	must_map_within(&options.mapping.gids);
	must_go_back(&options.mapping);
	return 0;
}
