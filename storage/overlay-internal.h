/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_OVERLAY_INTERNAL_H
#define STORAGE_OVERLAY_INTERNAL_H

#include "common/err.h"
#include "layers/entry.h"
#include "storage/mount.h"

/* The kernel's overlayfs by the new mount API. A detached mount, or -1. */
int overlay_mount(const struct mount_request *request, enum overlay_ns ns, struct err *err);

/* A read-only detached view of one plain directory. */
int overlay_bind(int dir_fd, struct err *err);

/*
 * Mount a small overlay in @tmp_fd, delete a file through it and look whether
 * the deletion is marked as layers need it. 0, or -1 with the reason.
 */
int overlay_try(int tmp_fd, enum overlay_ns ns, struct err *err);

#endif
