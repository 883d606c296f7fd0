/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_READING_INTERNAL_H
#define STORAGE_READING_INTERNAL_H

#include <stdbool.h>

#include "common/err.h"
#include "storage/store-internal.h"

/*
 * Stores that are only read: one whose file system or owner does not let us write, or one that was
 * added to ours (--add-store). No lease can be taken there, and no directory made; whatever takes
 * a struct store works on them as long as it only reads.
 *
 * The database is read as it is used by others when its log is there; else, or when its form is
 * an older one, a private copy is made, which is taken only if nothing changed meanwhile.
 */
int reading_open(const char *path, const struct store *beside, struct store **out, struct err *err);

/* Open what $IMGBUILD_ADD_STORES names beside @store. */
int reading_add(struct store *store, struct err *err);

/* EROFS for who must write to @store to do @what, with the remedy. */
int reading_refuse(const struct store *store, const char *what, struct err *err);
/* Whether it can be written; -1 with errno's words when not. */
int reading_check_writable(const struct store *store, struct err *err);

#endif
