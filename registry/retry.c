/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for when a request is worth another try, and how long to wait before it. */
#include "registry/retry.h"

#include <stdlib.h>
#include <string.h>

#define DOUBLINGS_MAX 16

bool retry_is_worth(long status)
{
	return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

int64_t retry_after_ms(const char *value, time_t now)
{
	struct tm tm = { .tm_sec = 0 };
	const char *end;
	time_t when;

	if (value[0] && strspn(value, "0123456789") == strlen(value))
		return strlen(value) < 9 ? strtoll(value, NULL, 10) * 1000 : INT32_MAX;
	end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!end || *end)
		return -1;
	when = timegm(&tm);
	return when > now ? ((int64_t)when - now) * 1000 : 0;
}

uint64_t retry_delay_ms(uint64_t base_ms, unsigned attempt, int64_t after_ms, uint32_t random)
{
	uint64_t delay = base_ms;

	for (unsigned i = 0; i < attempt && i < DOUBLINGS_MAX && delay < RETRY_DELAY_MAX_MS; i++)
		delay *= 2;
	if (after_ms >= 0)
		delay = (uint64_t)after_ms;
	if (delay > RETRY_DELAY_MAX_MS)
		delay = RETRY_DELAY_MAX_MS;
	return delay + delay / 4 * (random % 1024) / 1024;
}
