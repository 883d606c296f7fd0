/* SPDX-License-Identifier: Apache-2.0 */
/* Content-Disposition: whatever a server says, a file name is one clean component. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "registry/disposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_clean(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX || strpbrk(name, "/\\") || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		abort();
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);
	auto_free char *name = disposition_filename(text);
	auto_free char *last = disposition_clean_name(text);
	auto_free char *decoded = disposition_percent_decode(text);

	if (name)
		must_be_clean(name);
	if (last)
		must_be_clean(last);
	if (decoded && strlen(decoded) > strlen(text))
		abort();
	return 0;
}
