/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_GROUP_H
#define FUSE_OVERLAY_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuse-overlay/proctext.h"

/*
 * What the control groups of a container say of it. They are directories of one or more
 * hierarchies, of version 1 or 2; each number is read from the first that has a file for it.
 */
struct group {
	int *fds;
	size_t count;
};
/* Returns 0 or -errno. */
int group_open(struct group *group, char *const *paths, size_t count);
void group_close(struct group *group);

/* Without a counter of memory everything in it is PROCTEXT_UNKNOWN. */
void group_memory(const struct group *group, struct proctext_memory *out);
/* False: nobody counts. In hundredths of a second. */
bool group_cpu_used(const struct group *group, uint64_t *out_user, uint64_t *out_system);
/* How many processors' worth of time it may have, rounded up; 0: no limit. */
unsigned group_cpu_quota(const struct group *group);
/* Take those that it may not use out of @cpus. */
void group_cpus(const struct group *group, struct proctext_cpus *cpus);
/* Count its threads, as of now. */
void group_threads(const struct group *group, struct proctext_threads *out);

#endif
