/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CGROUP_NOTES_INTERNAL_H
#define SANDBOX_CGROUP_NOTES_INTERNAL_H

#include "common/err.h"
#include "sandbox/cgroup.h"
#include "storage/store.h"

/*
 * ROOT/cgroups/NAME: the groups of one container, a path a line, locked by who answers
 * for them. Written before the first is made, removed after the last is gone.
 */
int cgroup_notes_begin(struct store *store, const char *name, struct cgroup *cgroup,
		       struct err *err);
/* Kills and removes the groups; the note stays when one of them does. */
void cgroup_notes_end(struct cgroup *cgroup);

#endif
