/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_IDMAP_H
#define COMMON_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/subids.h"

/*
 * Which ids of a user namespace are which outside, and a namespace that exists only for that:
 * mounts take it to show the owners of files as others (MOUNT_ATTR_IDMAP, Linux 5.12).
 */
struct idmap_range {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

struct idmap {
	struct idmap_range ranges[SUBID_RANGES_MAX + 1];
	size_t count;
};

/*
 * Append "INSIDE:OUTSIDE[:COUNT]" (COUNT is 1 if not given). ERR_USAGE when it is not of that form,
 * or has an id in common with an earlier one on either side.
 */
int idmap_parse(const char *text, struct idmap *out, struct err *err);

/*
 * As the user @name, or the one with that number, is mapped by userns_enter: 0 is the user, then
 * the subordinate ids. ERR_INPUT when there is no such user, ERR_SYSTEM without subordinate ids.
 */
int idmap_of_user(const char *name, struct idmap *out_uids, struct idmap *out_gids,
		  struct err *err);

/* What @inside is outside; false: it has nothing there. */
bool idmap_find(const struct idmap *map, uint32_t inside, uint32_t *out_outside);

/*
 * A descriptor of a user namespace with these maps, in which no process is. Needs CAP_SETUID and
 * CAP_SETGID of this one. Forks a child that is gone when it returns; safe with threads.
 */
int idmap_open(const struct idmap *uids, const struct idmap *gids, struct err *err);

#endif
