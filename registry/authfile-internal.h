/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_AUTHFILE_INTERNAL_H
#define REGISTRY_AUTHFILE_INTERNAL_H

#include "registry/authfile.h"

/* The object of entries, borrowed; NULL, or something else, when the file has none. */
const struct json *authfile_entries(const struct authfile *file);

/* The helper for just this host; with @is_last the one for all hosts. *out untouched without. */
int authfile_helper(const struct authfile *file, const char *host, bool is_last, char **out,
		    struct err *err);

#endif
