/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_IDMAPPED_H
#define FUSE_OVERLAY_IDMAPPED_H

#include <stdbool.h>

/*
 * Whether a directory (@fd may be O_PATH) is reached through an id-mapped mount, which shows other
 * owners than its file system holds. False where that cannot be found out.
 */
bool idmapped_is(int fd);

#endif
