/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_USERNS_INTERNAL_H
#define COMMON_USERNS_INTERNAL_H

#include "common/err.h"
#include "common/userns.h"

/* ---- userns-map.c ---- */
struct id_map; /* the two maps of a namespace, of users and of groups */

/* Of this process: its own ids become 0, and nothing else is mapped until idmaps_load(). */
struct id_map *idmaps_new(void);
void idmaps_free(struct id_map *maps); /* keeps errno */
/* Add the user's subordinate ids; if there are none, @out->why says how to get some. */
int idmaps_load(struct id_map *maps, struct userns *out, struct err *err);
/*
 * Go into a new user and mount namespace as its root. Sets @out->mode, and @out->why where
 * subordinate ids could not be mapped. After an error this process may be in the namespace already:
 * it ends.
 */
int idmaps_enter(struct id_map *maps, struct userns *out, struct err *err);

#endif
