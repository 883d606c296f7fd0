/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_TRASH_INTERNAL_H
#define STORAGE_TRASH_INTERNAL_H

#include "common/tmpfile.h"

/*
 * Directories on their way out, removed by a thread of their own while the
 * build goes on: nobody waits for the unlinking of what a finished step no
 * longer needs. Until it is done the directory is its owner's, locked, below
 * tmp/; killed in between, the next command sweeps it.
 */
struct trash;

struct trash *trash_new(void);
/* Waits until all is gone. NULL is fine. */
void trash_free(struct trash *trash);

/* Takes @tmp, which is empty afterwards. Removes it here and now when no thread can be had. */
void trash_take(struct trash *trash, struct tmpdir *tmp);

#endif
