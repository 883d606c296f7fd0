/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_CLAIM_H
#define FUSE_OVERLAY_CLAIM_H

#include "common/err.h"

/*
 * Claim a directory, which the user calls @path, for as long as *out_fd, and what was forked with it, is
 * open. One that just now ends gets some seconds to do so. ERR_SYSTEM when another daemon has it. Where the file
 * system has no locks, or the directory may not be read, nothing is claimed, and *out_fd may be -1.
 */
int claim_dir(int dir_fd, const char *path, int *out_fd, struct err *err);

#endif
