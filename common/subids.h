/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_SUBIDS_H
#define COMMON_SUBIDS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/*
 * The subordinate ids of a user, as subuid(5) and subgid(5) have them:
 *
 *   line  = owner ":" start ":" count
 *   owner = user name | uid in decimal
 *
 * Lines that are not of this form are passed over, as newuidmap does.
 */
#define SUBID_RANGES_MAX 100 /* the kernel takes 340 lines in a map */

struct subid_range {
	uint32_t start;
	uint32_t count;
};

struct subids {
	struct subid_range ranges[SUBID_RANGES_MAX];
	size_t count;
};

/*
 * Append the ranges in @text that belong to @name (may be NULL) or @uid. One that
 * overlaps an earlier one, or holds @own_id, is left out: the kernel refuses both.
 */
void subids_parse(const char *text, const char *name, uint32_t uid, uint32_t own_id,
		  struct subids *out);

/* The same from the file @path, which need not be there. */
int subids_load(const char *path, const char *name, uint32_t uid, uint32_t own_id,
		struct subids *out, struct err *err);

#endif
