/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_TRIAL_INTERNAL_H
#define STORAGE_TRIAL_INTERNAL_H

#include "common/err.h"
#include "storage/driver-internal.h"

/*
 * Put a small union together by @driver in tmp/ of the store, delete a file through it, and look
 * whether the deletion is marked in the upper as layers need it. -1 with what went wrong.
 */
int trial_run(struct store *store, const struct mount_driver *driver, struct err *err);

#endif
