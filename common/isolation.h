/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ISOLATION_H
#define COMMON_ISOLATION_H

#include <stdbool.h>

#include "common/err.h"

/*
 * The rungs of the ladder: what this host lets us have for commands, best first. Images are the
 * same from each.
 */
enum isolation {
	ISOLATION_NAMESPACES, /* root, or a user namespace with many ids */
	ISOLATION_SINGLE_ID,  /* a user namespace with one id: owners and devices are recorded */
	ISOLATION_CHROOT,     /* no namespace, no mount: the same, and the root by chroot(2) */
};
#define ISOLATION_COUNT 3

/* "namespaces", "single-id", "chroot". */
const char *isolation_name(enum isolation isolation);

/*
 * On which rung this process stands, by what it is and may do: never by what was asked for. Call
 * after userns_enter.
 */
enum isolation isolation_current(void);

/*
 * Which rung the user wants: IMGBUILD_ISOLATION, which --isolation changes, so that it reaches the
 * programs that we start. *out_is_auto: the best one that the host can. ERR_USAGE.
 */
#define ISOLATION_ENV "IMGBUILD_ISOLATION"
int isolation_wanted(enum isolation *out, bool *out_is_auto, struct err *err);
/* What --isolation says; NULL changes nothing. Before there is a thread. ERR_USAGE. */
int isolation_want(const char *text, struct err *err);

/* Does this user namespace have one id only? */
bool isolation_has_one_id(void);
bool isolation_has_capability(int capability);

#endif
