/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_OWN_IDS_H
#define SANDBOX_OWN_IDS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/idmap.h"
#include "common/strlist.h"
#include "storage/mount.h"

/*
 * A user namespace of a container's own: its root is nobody on the host, and its files are shown
 * to it, not made, as its own.
 *
 *   userns = "host" | "private" | "auto" [ ":size=" COUNT ]
 *          | "keep-id" [ ":" [ "uid=" UID ] [ "," "gid=" GID ] ]
 *   map    = INSIDE ":" OUTSIDE [ ":" COUNT ]
 *
 * "auto" takes COUNT ids (65536) of those that /etc/subuid and /etc/subgid give to the user
 * "containers", which no other container has that was begun so. "private" takes the maps, or the
 * subordinate ids of a user; maps or such a user alone mean it. Without maps of groups those of
 * users serve for both. "keep-id" is for ordinary users: the container has the ids that one of
 * theirs has in any case, so arranged that the user's own number, or UID, is the user.
 */
struct own_ids {
	const char *text; /* of --userns; NULL: what the others say */
	struct strlist uid_maps;
	struct strlist gid_maps;
	const char *uid_name; /* of whom the subordinate ids are */
	const char *gid_name;
	/* from here on what came of them */
	bool is_wanted;
	bool is_auto;
	bool is_keep;
	uint32_t kept_uid; /* is_keep: who the user is in there */
	uint32_t kept_gid;
	uint32_t size;
	struct idmap uids;
	struct idmap gids;
	struct mount_owners owners;
	int lock_fd; /* as long as it is open, no other "auto" gets these ids */
};
#define OWN_IDS_INIT                                                       \
	{                                                                  \
		.text = NULL, .owners = { .userns_fd = -1 }, .lock_fd = -1 \
	}
void own_ids_release(struct own_ids *ids);

/* Look at the texts. ERR_USAGE. */
int own_ids_parse(struct own_ids *ids, struct err *err);

/*
 * Where they are wanted: find the ids and make the namespace (owners.userns_fd), and have @store's
 * driver show owners so. All but keep-id for root of the host: ERR_INPUT for others. ERR_SYSTEM
 * with the remedy when there are none left.
 */
int own_ids_open(struct own_ids *ids, struct store *store, struct err *err);

/* What the mounts of such a container get; NULL: it has the ids of who started it. */
static inline const struct mount_owners *own_ids_owners(const struct own_ids *ids)
{
	return ids->owners.userns_fd >= 0 ? &ids->owners : NULL;
}

#endif
