/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_BENEATH_H
#define COMMON_BENEATH_H

#include <sys/types.h>

#include "common/err.h"

/*
 * The one way from a name that comes from outside (a tar, a Buildfile, an
 * image, a container) to a descriptor. Resolution never leaves @root_fd,
 * whatever links, "..", or mounts of magic links the tree holds, even while
 * somebody else changes it: openat2(2) where the kernel has it (5.6), else a
 * walk component by component with O_NOFOLLOW that is no weaker.
 *
 * All calls add O_CLOEXEC. A leading "/" in @path means @root_fd itself.
 * "" and "." are @root_fd. errno stays that of the failing call, so that a
 * caller can translate it (ENOENT, ELOOP, EXDEV, ENOTDIR, EEXIST). A path that
 * the policy refuses (EXDEV, or ELOOP under BENEATH_NO_LINKS) is ERR_INPUT, all
 * else ERR_SYSTEM.
 */
enum beneath_policy {
	BENEATH_NO_LINKS, /* any symlink on the way or at the end: ELOOP; ".." : EXDEV */
	BENEATH_STAY,     /* symlinks are followed; leaving @root_fd (.., absolute): EXDEV */
	BENEATH_IN_ROOT,  /* as chroot(2) would: absolute links and ".." stop at @root_fd */
};

/* Open what exists. @oflags as open(2); without O_CREAT. O_NOFOLLOW keeps a final link. */
int beneath_open(int root_fd, const char *path, enum beneath_policy policy, int oflags,
		 struct err *err);

/*
 * Open with O_CREAT (and O_EXCL if in @oflags), under BENEATH_NO_LINKS: resolve
 * the directory by beneath_parent where another policy is wanted. A file that
 * this call made has exactly @mode, whatever the umask; one that was there keeps
 * its own.
 */
int beneath_create(int root_fd, const char *path, int oflags, mode_t mode, struct err *err);

/*
 * Open the directory that holds the last component of @path (O_PATH) and give
 * that component's name: for mkdirat, unlinkat, symlinkat, linkat and
 * friends. The last component is not resolved; slashes after it are dropped.
 * ERR_INPUT (errno EINVAL) when @path has none ("/", ".", "..", ""). The name is
 * copied to @name_buf (NAME_MAX + 1 bytes).
 */
int beneath_parent(int root_fd, const char *path, enum beneath_policy policy, char *name_buf,
		   struct err *err);

/*
 * Make the directory @path and what is missing on the way, each with @mode,
 * owned by the caller; existing ones stay as they are. Opens it (O_RDONLY |
 * O_DIRECTORY). With BENEATH_IN_ROOT a dangling link on the way is an error.
 */
int beneath_mkdirs(int root_fd, const char *path, enum beneath_policy policy, mode_t mode,
		   struct err *err);

#endif
