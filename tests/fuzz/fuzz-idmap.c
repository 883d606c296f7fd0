/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of ids, a range a line: what is taken maps each id to one, and none two to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/idmap.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct idmap *map)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct idmap_range *range = &map->ranges[i];
		uint32_t outside;

		if (range->count == 0 || range->inside + range->count <= range->inside ||
		    range->outside + range->count <= range->outside)
			abort();
		if (!idmap_find(map, range->inside, &outside) || outside != range->outside)
			abort();
		if (!idmap_find(map, range->inside + range->count - 1, &outside) ||
		    outside != range->outside + range->count - 1)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free struct idmap *map = mem_alloc(sizeof(*map));
	auto_free char *text = str_ndup((const char *)data, size);
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct err err = ERR_INIT;

		if (idmap_parse(line, map, &err) < 0 && err.kind != ERR_USAGE)
			abort();
	}
	look(map);
	return 0;
}
