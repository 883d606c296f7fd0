/* SPDX-License-Identifier: Apache-2.0 */
/* Tars: whatever is in one, nothing appears outside the directory it is unpacked into. */
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "tests/fuzz/unpack-inside.h"

#define BLOCK 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Put the right sum into every header: else whatever a mutation changes is seen no further. */
static void mend(uint8_t *data, size_t size)
{
	size_t pos = 0;

	while (size - pos >= BLOCK) {
		uint8_t *head = data + pos;
		unsigned sum = 0;
		size_t content = 0;

		memset(head + 148, ' ', 8);
		for (size_t i = 0; i < BLOCK; i++)
			sum += head[i];
		snprintf((char *)head + 148, 8, "%06o", sum);
		for (size_t i = 124; i < 135 && head[i] >= '0' && head[i] <= '7'; i++)
			content = content * 8 + (head[i] - '0');
		pos += BLOCK;
		if (content > size - pos)
			return;
		pos += (content + BLOCK - 1) / BLOCK * BLOCK;
		if (pos > size)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free uint8_t *mended = size > 0 ? mem_dup(data, size) : NULL;

	unpack_inside(data, size, UNPACK_REFUSE);
	if (!mended)
		return 0;
	mend(mended, size);
	unpack_inside(mended, size, UNPACK_REFUSE);
	unpack_inside(mended, size, UNPACK_TO_OVERLAY);
	return 0;
}
