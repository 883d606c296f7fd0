/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded owners: what is read is written again as it was, and nothing else is read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "layers/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record record;
	struct record again;
	struct timespec time;
	char text[RECORD_TEXT_MAX];
	size_t len;

	if (!record_parse((const char *)data, size, &record))
		return 0;
	len = record_format(&record, text);
	if (len >= sizeof(text) || len > size || !record_parse(text, len, &again) ||
	    memcmp(&record, &again, sizeof(record)) != 0)
		abort();
	if (record.device || !record_to_time(&record, &time))
		return 0;
	if (!record_of_time(&time, &again) || again.uid != record.uid || again.gid != record.gid)
		abort();
	return 0;
}
