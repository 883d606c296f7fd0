/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_KIN_INTERNAL_H
#define STORAGE_KIN_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"

/*
 * Which files of a tree of copies are copies of one that has several names. In a union they are one
 * file until somebody writes to it; it does not let its directory be renamed, and who copies that
 * instead, as mv(1) does, finds out that they are one. In a tree of copies the directory is
 * renamed, and they are made one again afterwards: those of a renamed directory that nobody has
 * touched.
 */
struct kin {
	struct kin_member *members; /* by inode number */
	size_t count;
	struct kin_group *groups;
	size_t group_count;
	unsigned scope;
};
#define KIN_INIT                \
	{                       \
		.members = NULL \
	}
#define auto_kin __attribute__((cleanup(kin_release)))
void kin_release(struct kin *kin);

/* Write a line of @file_fd: @copy was made of @original. */
int kin_note(int file_fd, const struct stat *copy, const struct stat *original, struct err *err);
int kin_load(int file_fd, struct kin *out, struct err *err);

/*
 * Join what belongs together below the directory @name of @dir_fd. Directories that were born until
 * @before_ns have been renamed, others were made: in those nothing is joined.
 */
int kin_join(struct kin *kin, int dir_fd, const char *name, int64_t before_ns, struct err *err);

/* When @name ("": @dir_fd itself) was made, in ns since 1970; 0: the file system does not say. */
int64_t birth_of(int dir_fd, const char *name);

#endif
