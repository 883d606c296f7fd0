/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SYSCTL_H
#define SANDBOX_SYSCTL_H

#include "common/err.h"
#include "common/strlist.h"

/*
 * Settings of the kernel that a namespace has of its own:
 *
 *   sysctl = NAME "=" VALUE
 *
 * NAME is as for sysctl(8): parted by "." or "/", whichever comes first; the other one is a part
 * of a word then. Those that are not a namespace's own would be the host's, and are refused.
 */

/* Appends "PATH=VALUE", the path below /proc/sys. *out_ns: whose it is, SANDBOX_NS_…. ERR_USAGE. */
int sysctl_parse(const char *text, struct strlist *out, unsigned *out_ns, struct err *err);

/* The path of such an item as its name with dots: the caller's to free. */
char *sysctl_name(const char *item);

#endif
