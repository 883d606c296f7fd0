/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/subuid: ranges that were taken never meet, hold no own id and stay below 2^32. */
#include <stdint.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/subids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int meet(uint64_t a, uint64_t a_count, uint64_t b, uint64_t b_count)
{
	return a < b + b_count && b < a + a_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);
	struct subids ids = { .count = 0 };

	subids_parse(text, "u", 1000, 1000, &ids);
	for (size_t i = 0; i < ids.count; i++) {
		const struct subid_range *range = &ids.ranges[i];

		if (!range->count || (uint64_t)range->start + range->count > UINT32_MAX ||
		    meet(range->start, range->count, 1000, 1))
			abort();
		for (size_t j = 0; j < i; j++)
			if (meet(range->start, range->count, ids.ranges[j].start,
				 ids.ranges[j].count))
				abort();
	}
	return 0;
}
