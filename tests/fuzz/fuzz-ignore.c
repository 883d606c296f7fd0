/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ignore files: the first line of the input is a path, the rest the file.
 * What is not left out can be reached: the walk goes into all directories above it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/ignore.h"
#include "builder/match.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_clean(const char *path)
{
	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!p[n])
			return true;
		p += n + 1;
	}
}

static void must_be_reached(const struct ignore *ignore, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		auto_free char *dir = str_ndup(path, (size_t)(slash - path));

		if (!ignore_may_descend(ignore, dir))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *nl = size ? memchr(text, '\n', size) : NULL;
	size_t path_len = nl ? (size_t)(nl - text) : size;
	size_t rest = nl ? size - path_len - 1 : 0;
	auto_free char *path = str_ndup(text, path_len);
	auto_free char *file = str_ndup(nl ? nl + 1 : "", rest);
	auto_ignore struct ignore ignore = IGNORE_INIT;
	struct err err = ERR_INIT;

	if (ignore_parse(&ignore, "f", nl ? nl + 1 : "", rest, &err) < 0 &&
	    (err.kind != ERR_INPUT || strncmp(err.text, "f:", 2) != 0))
		abort();
	if (strlen(path) == path_len && is_clean(path) && !ignore_match(&ignore, path))
		must_be_reached(&ignore, path);
	if (match_check(file, &err) == 0)
		match_glob(file, path);
	return 0;
}
