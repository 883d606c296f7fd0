/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_USER_H
#define SANDBOX_USER_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

/*
 * "user", "uid", "user:group", "uid:gid" as USER, --user and --chown give
 * them, looked up in /etc/passwd and /etc/group of a root: opened beneath it,
 * regular files of at most USER_FILE_MAX_BYTES only (CVE-2024-9676); lines that
 * are none are passed over. Numbers must be below 2^32 - 1 and never wrap
 * (CVE-2024-40635): what consists of digits is a number, whatever the files say.
 * No NSS is involved.
 */
#define USER_FILE_MAX_BYTES ((size_t)10 * 1024 * 1024)
#define USER_GROUPS_MAX     65536

struct user_ids {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary; none when a group was given */
	size_t group_count;
	char *home; /* from passwd, or NULL */
};
#define USER_IDS_INIT          \
	{                      \
		.groups = NULL \
	}
#define auto_user_ids __attribute__((cleanup(user_ids_release)))
void user_ids_release(struct user_ids *ids);

/*
 * For RUN and imgrun. "" is user 0. A number that is not in the files is itself,
 * with group 0; a name that is not there is ERR_INPUT.
 */
int user_resolve(int root_fd, const char *text, struct user_ids *out, struct err *err);

/* One more group for @ids, by name or number. */
int user_add_group(int root_fd, const char *text, struct user_ids *ids, struct err *err);

/*
 * For --chown: a number alone is uid and gid; a name alone the user's uid and own group,
 * as in BuildKit (whose manual has the same number as the gid). "root" is 0 and needs no file.
 */
int user_resolve_chown(int root_fd, const char *text, uid_t *out_uid, gid_t *out_gid,
		       struct err *err);

#endif
