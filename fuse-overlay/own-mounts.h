/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_OWN_MOUNTS_H
#define FUSE_OVERLAY_OWN_MOUNTS_H

#include "common/err.h"

/*
 * Leave the mount namespace for one of our own, in which there is nothing but /proc, /dev and
 * /sys. A mount that is attached where we are served from would else never end: it goes with its
 * namespace, that with its last process, and we with the mount. Descriptors that are open stay as
 * they are. Before there are threads. Where we are in a chroot, or the root is the kernel's first
 * one, nothing can take its place: then all that was mounted until now stays with us.
 */
int own_mounts_enter(struct err *err);

#endif
