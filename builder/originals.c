/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for which file has the content of a clone, and until when. */
#include "builder/originals.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define ORIGINALS_MAX 96
/* Twenty times what the clock of a file system may be behind: a change after this has another time.
 */
#define STEADY_NS ((int64_t)100 * 1000 * 1000)

struct original {
	dev_t clone_dev;
	ino_t clone_ino;
	int clone_fd; /* open, so that nothing that takes its place can have its number */
	int fd;
	struct stat st;
};

struct originals {
	struct original items[ORIGINALS_MAX];
	size_t count;
};

struct originals *originals_new(void)
{
	return mem_alloc(sizeof(struct originals));
}

void originals_free(struct originals *originals)
{
	if (!originals)
		return;
	for (size_t i = 0; i < originals->count; i++) {
		close(originals->items[i].clone_fd);
		close(originals->items[i].fd);
	}
	free(originals);
}

/* Of a file that others share over a network the server may know other content, and other times. */
static bool has_local_times(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == XFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC);
}

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

bool original_is_usable(int fd, const struct stat *st)
{
	struct timespec now;

	if (st->st_size < ORIGINAL_MIN_BYTES || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return false;
	return ns_of(&now) - ns_of(&st->st_ctim) > STEADY_NS && has_local_times(fd) &&
	       fd_is_cached(fd, st->st_size);
}

bool original_is_unchanged(int fd, const struct stat *st)
{
	struct stat now;

	return fstat(fd, &now) == 0 && now.st_size == st->st_size &&
	       ns_of(&now.st_mtim) == ns_of(&st->st_mtim) &&
	       ns_of(&now.st_ctim) == ns_of(&st->st_ctim);
}

bool originals_has_room(const struct originals *originals)
{
	return originals->count < ORIGINALS_MAX;
}

int originals_add(struct originals *originals, int clone_fd, int fd, const struct stat *st,
		  struct err *err)
{
	auto_close int own_clone_fd = fcntl(clone_fd, F_DUPFD_CLOEXEC, 0);
	auto_close int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct stat clone;

	if (own_clone_fd < 0 || own_fd < 0)
		return err_sys(err, "duplicate a descriptor");
	if (fstat(clone_fd, &clone) < 0)
		return err_sys(err, "stat a clone");
	originals->items[originals->count++] = (struct original){
		.clone_dev = clone.st_dev,
		.clone_ino = clone.st_ino,
		.clone_fd = fd_steal(&own_clone_fd),
		.fd = fd_steal(&own_fd),
		.st = *st,
	};
	return 0;
}

int originals_find(void *context, const struct stat *clone)
{
	const struct originals *originals = context;

	for (size_t i = 0; i < originals->count; i++) {
		const struct original *item = &originals->items[i];

		if (item->clone_ino != clone->st_ino || item->clone_dev != clone->st_dev)
			continue;
		if (!original_is_unchanged(item->fd, &item->st) || lseek(item->fd, 0, SEEK_SET) < 0)
			return -1;
		return item->fd;
	}
	return -1;
}

bool originals_have_changed(const struct originals *originals)
{
	for (size_t i = 0; originals && i < originals->count; i++)
		if (!original_is_unchanged(originals->items[i].fd, &originals->items[i].st))
			return true;
	return false;
}
