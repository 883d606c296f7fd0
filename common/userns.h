/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_USERNS_H
#define COMMON_USERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

/*
 * The user namespace that an ordinary user's commands run in. A command calls
 * userns_enter first thing, before any thread; after it the process is root in
 * its namespace (and has a mount namespace of its own with private
 * propagation), and the rest of the code need not know.
 */
enum userns_mode {
	USERNS_HOST,   /* real root: nothing was entered */
	USERNS_SUBIDS, /* the user is 0, the subordinate ids of /etc/subuid follow from 1 */
	USERNS_SINGLE, /* only id 0 exists (no subordinate ids, or no newuidmap) */
	USERNS_INSIDE, /* already in somebody's namespace as its root (unshare, a container) */
	USERNS_NONE,   /* none can be made: no mounts either, but chroot(2) works */
};

struct userns {
	enum userns_mode mode;
	uid_t host_uid; /* who started us, as the outside sees it */
	gid_t host_gid;
	/* USERNS_SINGLE, USERNS_NONE: what was missing and the remedy; empty where it was asked for
	 */
	char why[512];
};

/*
 * The highest rung that the host allows, or the one that isolation_wanted says.
 * With effective uid 0, CAP_SYS_ADMIN and a "/" that is a mount nothing is done. Otherwise makes
 * the namespace, maps by newuidmap(1) and newgidmap(1), and becomes root in it. Where one of the
 * two is missing or refuses, the mode is USERNS_SINGLE; where no namespace can be made, but
 * CAP_SYS_CHROOT is there, USERNS_NONE. ERR_SYSTEM, with the remedy in the detail, when the host
 * allows nothing of all this; the process may be half-way in by then. A command that can go on
 * without a namespace asks userns_is_possible first.
 */
int userns_enter(struct userns *out, struct err *err);

/*
 * Can a user namespace be made here, and with @wants_proc its own /proc be mounted in it? Tried in
 * a child process; root on the host need not try. If not, @why says why, and what would
 * change that; NULL with a size of 0 where nobody wants to know.
 */
bool userns_try(bool wants_proc, char *why, size_t why_size);

/* Can a user namespace be made, if only with one id? Tried in a child process. */
bool userns_is_possible(void);

/* True when the process is in a user namespace other than the initial one. */
bool userns_is_nested(void);

#endif
