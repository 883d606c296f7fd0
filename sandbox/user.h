/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_USER_H
#define SANDBOX_USER_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

/*
 * "user", "uid", "user:group", "uid:gid" as USER, --user and --chown give
 * them, looked up in /etc/passwd and /etc/group of a root: opened beneath it, regular
 * files of at most 10 MiB only (CVE-2024-9676). Numbers must be below 2^32 - 1 and never wrap
 * (CVE-2024-40635). No NSS is involved.
 */
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

/* For RUN and imgrun. "" is 0:0 with root's groups. ERR_INPUT for a name that is not there. */
int user_resolve(int root_fd, const char *text, struct user_ids *out, struct err *err);

/* For --chown: a number alone is uid and gid; a name alone: its uid, and gid the same number as
 * docker does. */
int user_resolve_chown(int root_fd, const char *text, uid_t *out_uid, gid_t *out_gid,
		       struct err *err);

#endif
