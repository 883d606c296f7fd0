/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LIMITS_H
#define SANDBOX_LIMITS_H

#include "common/err.h"
#include "sandbox/description.h"

/*
 * Limits of processes, as --ulimit names them:
 *
 *   ulimit = NAME "=" soft [ ":" hard ] | "host"
 *
 * Without hard it is soft; -1 is no limit. Of two for one resource the later
 * counts. "host" stands for the very limits that we have ourselves.
 */
struct limits {
	struct sandbox_rlimit *items; /* a row a resource, in the order of their numbers */
	size_t count;
};
void limits_release(struct limits *limits);
/* ERR_USAGE. */
int limits_add(struct limits *limits, const char *text, struct err *err);

/* "nofile" for RLIMIT_NOFILE. */
const char *limits_name(int resource);

#endif
