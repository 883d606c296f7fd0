/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes with an owner and a mode: what is read is written again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuse-overlay/stat-override.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat_override first;
	struct stat_override second;
	char text[STAT_OVERRIDE_MAX];
	size_t len;

	if (stat_override_parse((const char *)data, size, &first) < 0)
		return 0;
	len = stat_override_format(&first, text);
	if (len >= sizeof(text) || strlen(text) != len ||
	    stat_override_parse(text, len, &second) < 0)
		abort();
	/* of these two the type is not written */
	if (S_ISREG(first.mode) || S_ISDIR(first.mode))
		first.mode &= 07777;
	if (first.uid != second.uid || first.gid != second.gid || first.mode != second.mode ||
	    first.rdev != second.rdev)
		abort();
	return 0;
}
