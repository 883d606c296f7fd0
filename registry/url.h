/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_URL_H
#define REGISTRY_URL_H

#include <stdbool.h>

#include "common/err.h"

/*
 * URLs as the programs that speak HTTP need them. A URL that cannot be parsed is not shown in
 * the error: it cannot be freed of a password.
 */

/* Without user, password and fragment. ERR_REMOTE unless http or https. */
char *url_clean(const char *url, struct err *err);
/* "https://host:443": to whom a password may go. */
char *url_origin(const char *url, struct err *err);
/* The host alone, lower case, an IPv6 address without brackets. */
char *url_host(const char *url, struct err *err);
bool url_is_https(const char *url);

#endif
