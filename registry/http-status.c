/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what the statuses of HTTP mean. */
#include "registry/http-status.h"

#include <stddef.h>

bool http_is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

const char *http_status_meaning(long status)
{
	static const struct {
		long status;
		const char *meaning;
	} known[] = {
		{ 400, " (bad request)" },
		{ 401, " (who are you?)" },
		{ 403, " (forbidden)" },
		{ 404, " (not found)" },
		{ 407, " (the proxy asks who you are)" },
		{ 410, " (gone)" },
		{ 413, " (too large)" },
		{ 429, " (too many requests)" },
		{ 500, " (the server failed)" },
		{ 502, " (the server behind it failed)" },
		{ 503, " (not available now)" },
		{ 504, " (the server behind it did not answer)" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			return known[i].meaning;
	return "";
}
