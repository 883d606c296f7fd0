/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/tree.h"

/* A directory for one test, gone afterwards. Include after cmocka. */
struct scratch {
	char path[64];
	int fd;
};

static inline void scratch_make(struct scratch *scratch)
{
	strcpy(scratch->path, "/tmp/imgbuild-unit.XXXXXX");
	assert_non_null(mkdtemp(scratch->path));
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scratch->fd >= 0);
}

static inline void scratch_remove(struct scratch *scratch)
{
	struct err err = ERR_INIT;

	if (tree_empty(scratch->fd, &err) < 0)
		fail_msg("%s", err.text);
	close(scratch->fd);
	assert_int_equal(rmdir(scratch->path), 0);
}

static inline void scratch_write(const struct scratch *scratch, const char *name, const char *text)
{
	int fd = openat(scratch->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline void scratch_mkdir(const struct scratch *scratch, const char *name)
{
	assert_int_equal(mkdirat(scratch->fd, name, 0755), 0);
}

static inline void scratch_symlink(const struct scratch *scratch, const char *target,
				   const char *name)
{
	assert_int_equal(symlinkat(target, scratch->fd, name), 0);
}

static inline int scratch_has(const struct scratch *scratch, const char *name)
{
	struct stat st;

	return fstatat(scratch->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The first bytes of the file @name, as a string; "" when there is none. */
static inline const char *scratch_read(const struct scratch *scratch, const char *name, char *buf,
				       size_t size)
{
	int fd = openat(scratch->fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[len > 0 ? len : 0] = '\0';
	return buf;
}

#endif
