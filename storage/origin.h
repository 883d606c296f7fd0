/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_ORIGIN_H
#define STORAGE_ORIGIN_H

#include <stddef.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strlist.h"
#include "storage/store.h"

/*
 * Where blobs were seen: in which repository of which registry, or in which layout on disk. By
 * this a lost blob is fetched again (imgstore check --repair), and a push asks the registry to
 * take a blob over from another of its repositories.
 *
 *   place = "docker://" HOST [":" PORT] "/" REPOSITORY    without tag or digest
 *         | "oci:" DIRECTORY                              absolute, without tag
 *
 * A place is only a hint: the blob may be gone there. Rows go with the blob's own, and when
 * nothing needs the blob any more; a blob that a repair found damaged keeps them.
 */

/* @blobs were seen at @place just now: pulled from there, or pushed to it. In one transaction. */
int origin_record(struct store *store, const char *place, const struct digest *blobs, size_t count,
		  struct err *err);

/*
 * The places where @blob was seen that begin with @prefix ("docker://quay.io/", or "" for all),
 * the last one first. Appends.
 */
int origin_list(struct store *store, const struct digest *blob, const char *prefix,
		struct strlist *out_places, struct err *err);

/* @blob turned out not to be at @place any more. */
int origin_forget(struct store *store, const struct digest *blob, const char *place,
		  struct err *err);

#endif
