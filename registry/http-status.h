/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_HTTP_STATUS_H
#define REGISTRY_HTTP_STATUS_H

#include <stdbool.h>

/* Whether a status tells where else to ask. */
bool http_is_redirect(long status);
/* What a status means, as " (not found)"; "" for those that explain themselves no better. */
const char *http_status_meaning(long status);

#endif
