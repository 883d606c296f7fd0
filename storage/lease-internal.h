/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LEASE_INTERNAL_H
#define STORAGE_LEASE_INTERNAL_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "storage/store-internal.h"

/*
 * What a process uses, it leases: rows that keep prune and rm of other
 * processes away until store_close. A lease is a file tmp/lease-ID on which its
 * process holds an flock(2); when that lock can be taken, the process is dead
 * and its rows mean nothing. In a store that is only read nobody can lease anything.
 */
enum lease_kind {
	LEASE_LAYER,
	LEASE_BLOB,
	LEASE_IMAGE,
	LEASE_INDEX, /* its row, and with that all that it names */
};

/* Make the lease file when there is none yet; call before the transaction. */
int lease_open(struct store *store, struct err *err);
/* Rows gone, file gone. */
void lease_close(struct store *store);

/* Is it known to be in this process's lease? */
bool lease_has(struct store *store, enum lease_kind kind, const struct digest *id);
/* Write the row. Call lease_note when the transaction is committed. */
int lease_add(struct store *store, enum lease_kind kind, const struct digest *id, struct err *err);
void lease_note(struct store *store, enum lease_kind kind, const struct digest *id);
/* In a transaction: this process needs it no more. */
int lease_drop(struct store *store, enum lease_kind kind, const struct digest *id, struct err *err);
/* By itself, in a transaction of its own. */
int lease_take(struct store *store, enum lease_kind kind, const struct digest *id, struct err *err);

/* Remove the rows and files of dead processes. *out_found (may be NULL): there were some. */
int lease_sweep(struct store *store, bool *out_found, struct err *err);

#endif
