/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_MAPPING_H
#define FUSE_OVERLAY_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"

/*
 * Whom files belong to: the layers hold one id (stored), the mount shows another (shown).
 *
 *	map    = [ ":" ] triple *( ":" triple )
 *	triple = stored ":" shown ":" count
 *
 * Empty fields are skipped, so that a leading colon does no harm. Where ranges overlap, the last
 * one counts. An id that is in no range becomes the overflow id, in both directions. An empty
 * map maps each id to itself.
 */
struct id_range {
	uint32_t stored;
	uint32_t shown;
	uint32_t count;
};

struct id_map {
	struct id_range *ranges;
	size_t count;
};

struct mapping {
	struct id_map uids;
	struct id_map gids;
	int64_t squash_uid; /* every owner is shown as this one; -1: as it is */
	int64_t squash_gid;
};

#define MAPPING_INIT                                \
	{                                           \
		.squash_uid = -1, .squash_gid = -1, \
	}

/* The id that stands for those that a map does not hold. */
#define ID_OVERFLOW 65534
#define ID_NONE     UINT32_MAX

/*
 * Replaces *out. ERR_USAGE for what is no number, for an id or a range that goes beyond
 * 2^32 - 2, for a count of 0, and for a number of fields that three does not divide.
 */
int id_map_parse(const char *text, struct id_map *out, struct err *err);
void id_map_release(struct id_map *map);

/* An id of a user's command line: decimal, at most 2^32 - 2. */
int id_parse(const char *text, uint32_t *out, struct err *err);

/* The owner in *st, as a layer has it, becomes what the mount shows. */
void mapping_show(const struct mapping *mapping, struct stat *st);

/* The owner that somebody in the mount names becomes the one to store; ID_NONE stays. */
void mapping_store(const struct mapping *mapping, uid_t *uid, gid_t *gid);

/* With a squash an owner that cannot be stored is no error: it would not be shown anyway. */
bool mapping_squashes(const struct mapping *mapping);

/* Whether there is any range. */
bool mapping_is_given(const struct mapping *mapping);

void mapping_release(struct mapping *mapping);

#endif
