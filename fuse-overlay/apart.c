/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether one directory is another, or in it: by walking up, so that no name and no link matters.
 */
#include "fuse-overlay/apart.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "common/fd.h"

static bool is_one(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool apart_is_same(int fd, int other_fd)
{
	struct stat st, other;

	return fstat(fd, &st) == 0 && fstat(other_fd, &other) == 0 && is_one(&st, &other);
}

bool apart_is_within(int fd, int dir_fd)
{
	auto_close int at = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat dir, here, above;

	if (at < 0 || fstat(dir_fd, &dir) < 0 || fstat(at, &here) < 0)
		return false;
	for (int depth = 0; depth < PATH_MAX && !is_one(&here, &dir); depth++) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (up < 0 || fstat(up, &above) < 0 || is_one(&above, &here)) {
			fd_close(&up);
			return false;
		}
		fd_close(&at);
		at = up;
		here = above;
	}
	return is_one(&here, &dir);
}
