/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_OPS_H
#define FUSE_OVERLAY_OPS_H

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include "fuse-overlay/overlay.h"

struct kept;
struct session;

/* What the requests of one mount are about: the user data of its fuse session. */
struct ops_context {
	struct overlay *overlay;
	struct session *session;
	struct kept *kept; /* where the kernel opens files without asking; else NULL */
};

/*
 * From the kernel's requests to the overlay and back. Without `init`: what the connection can do is
 * the session's affair.
 */
extern const struct fuse_lowlevel_ops overlay_ops;

#endif
