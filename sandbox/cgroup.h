/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/description.h"
#include "sandbox/resources.h"
#include "storage/store.h"

/*
 * The groups that give a container its limits: one in each hierarchy of this host that
 * has a controller for one of them, of version 2 or 1, whichever has it.
 *
 *   version 1: below our own group.
 *   version 2: below the nearest group above or equal to ours that holds no process (the kernel
 *              gives no limits below one that does) and that we may divide.
 *
 * They are called "imgbuild-NAME". A note in the store (ROOT/cgroups) says which they are
 * as long as they are there, with a lock as long as somebody answers for them, so that
 * the next command removes what a killed one left.
 */
struct cgroup {
	struct strlist dirs; /* ours, with full paths */
	int *enter_fds;      /* their doors */
	size_t enter_count;
	char *memory_events; /* the file that counts kills for want of memory; NULL: no such limit
			      */
	int notes_fd;        /* ROOT/cgroups */
	int note_fd;
	char *note;
};
#define CGROUP_INIT                           \
	{                                     \
		.notes_fd = -1, .note_fd = -1 \
	}
#define auto_cgroup __attribute__((cleanup(cgroup_release)))
/* Kill what is in them, and remove them. */
void cgroup_release(struct cgroup *cgroup);

/*
 * @name: NULL for a random one. Without any limit there is no group, and *out stays empty.
 * ERR_SYSTEM names the limit that this host, or this user, cannot have, and the remedy.
 */
int cgroup_create(struct store *store, const char *name, const struct resources *resources,
		  struct cgroup *out, struct err *err);

/*
 * The groups that another runtime makes for a container (cgroup-foreign.c): noted before they are
 * there, so that they go as ours do. *out_path is theirs in each hierarchy, as config.json has it
 * and the caller's to free; NULL where we may make none. Fails as cgroup_create for a limit that
 * cannot be had.
 */
int cgroup_foresee(struct store *store, const char *name, const struct resources *resources,
		   struct cgroup *out, char **out_path, struct err *err);

/*
 * The file of the group at @dir to which a process of one thread writes "0" to go in. In version
 * 1 that of threads: the kernel need not wait there until nobody forks or ends anywhere, which
 * takes 5 to 80 ms.
 */
int cgroup_open_door(const char *dir, struct err *err);

/* Have the sandbox enter them. They are borrowed. */
void cgroup_give(const struct cgroup *cgroup, struct sandbox_description *out);

/* How many of its processes the kernel has killed for want of memory. 0 when nobody counts. */
unsigned cgroup_memory_kills(const struct cgroup *cgroup);

/* Can devices be confined here, by this user? Else a container opens no nodes of its own. */
bool cgroup_confines_devices(void);

/* Remove the groups of dead processes of this store. Nothing to do takes one system call. */
int cgroup_sweep(struct store *store, struct err *err);

#endif
