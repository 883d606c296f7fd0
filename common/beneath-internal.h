/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_BENEATH_INTERNAL_H
#define COMMON_BENEATH_INTERNAL_H

#include <sys/types.h>

#include "common/beneath.h"

/*
 * What openat2(2) does for beneath_open, in steps that any kernel knows. @path
 * does not begin with a slash. Adds O_CLOEXEC. A descriptor, or -1 and errno.
 */
int beneath_walk(int root_fd, const char *path, enum beneath_policy policy, int oflags,
		 mode_t mode);

#endif
