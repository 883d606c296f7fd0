/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CACHEMOUNT_H
#define STORAGE_CACHEMOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/digest.h"
#include "common/err.h"
#include "storage/store.h"

/*
 * Directories that outlive the step that uses them, and are in no image:
 *
 *     cache-mounts/KEY-N/fs   the files
 *     cache-mounts/KEY-N/id   what the user calls it, for people
 *
 * KEY is a digest, so no name that a Buildfile gives is ever part of a path. An
 * flock(2) on KEY-N is held as long as it is used: by many, or by one alone.
 * There are no rows: such a directory needs nothing and nothing needs it, and who
 * can lock it alone may remove it.
 */
enum cachemount_sharing {
	CACHEMOUNT_SHARED,  /* several at the same time */
	CACHEMOUNT_LOCKED,  /* one at a time */
	CACHEMOUNT_PRIVATE, /* one at a time; a second one at the same time gets another */
};

struct cachemount_request {
	const struct digest *key;
	const char *id; /* for people */
	enum cachemount_sharing sharing;
	/* of a new one: */
	bool has_owner;
	uid_t uid;
	gid_t gid;
	bool has_mode;
	mode_t mode;
	/* makes "fs" in the directory @dir_fd; NULL: it is empty, 0755 0:0 */
	int (*fill)(void *context, int dir_fd, struct err *err);
	void *context;
};

struct cachemount {
	int dir_fd; /* locked */
	int fs_fd;
};
#define CACHEMOUNT_INIT                   \
	{                                 \
		.dir_fd = -1, .fs_fd = -1 \
	}
#define auto_cachemount __attribute__((cleanup(cachemount_release)))
void cachemount_release(struct cachemount *cachemount);

/*
 * Find it, or make it; never waits: *out_busy when somebody has it that it cannot
 * be shared with. Several are taken in the order of their keys, else two
 * processes may wait for each other.
 */
int cachemount_take(struct store *store, const struct cachemount_request *request,
		    struct cachemount *out, bool *out_busy, struct err *err);

/*
 * Move all that nobody uses, and that was not changed at its top since @until_epoch, below @to_fd,
 * a tmpdir; *out_count of them. @to_fd -1: only count them.
 */
int cachemount_discard_unused(struct store *store, int to_fd, int64_t until_epoch,
			      uint64_t *out_count, struct err *err);

#endif
