/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ORIGINALS_H
#define BUILDER_ORIGINALS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/err.h"

/*
 * Large files that were cloned and are in memory: a clone costs nothing, but its pages are not
 * those of its original, so to digest the clone would be to read all of it from the disk. The
 * original is read in its place. That it did not change meanwhile its times tell, which no program
 * can set back; if it did, what was read is thrown away, and the clone is read.
 */
struct originals;

#define ORIGINAL_MIN_BYTES ((off_t)4 * 1024 * 1024)

struct originals *originals_new(void);
void originals_free(struct originals *originals); /* NULL is fine */
#define auto_originals __attribute__((cleanup(originals_auto_free)))
static inline void originals_auto_free(struct originals **originals)
{
	originals_free(*originals);
	*originals = NULL;
}

/*
 * Whether @fd, which is @st, may be one: in memory, in a file system whose times are to be trusted,
 * and not changed just now, within what the file system's clock can tell apart.
 */
bool original_is_usable(int fd, const struct stat *st);
bool original_is_unchanged(int fd, const struct stat *st);

/* Room for one more: each keeps two descriptors. */
bool originals_has_room(const struct originals *originals);
/* @fd, which was @st, has the content of the clone @clone_fd; both duplicated. */
int originals_add(struct originals *originals, int clone_fd, int fd, const struct stat *st,
		  struct err *err);

/* The descriptor to read the clone @clone by, at its beginning; borrowed. -1: by itself. */
int originals_find(void *originals, const struct stat *clone);
bool originals_have_changed(const struct originals *originals); /* any of them; NULL: false */

#endif
