/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for files and directories in the making: gone unless committed, and
 * swept by a later process when their owner was killed. What is made durable,
 * and when, is the store's business.
 */
#include "common/tmpfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/strlist.h"
#include "common/tree.h"

#define TRIES_MAX 100
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* @prefix and 16 random hex digits; @name holds 32 bytes. */
static int random_name(const char *prefix, char *name, struct err *err)
{
	uint64_t number;

	while (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		if (errno != EINTR)
			return err_sys(err, "get random bytes");
	snprintf(name, 32, "%s%016" PRIx64, prefix, number);
	return 0;
}

/* ---- files ---------------------------------------------------------------- */

static bool lacks_tmpfile(int error)
{
	/* EISDIR: a kernel that ignores the flag; ENOENT: one that half knows it */
	return error == EOPNOTSUPP || error == EISDIR || error == ENOENT || error == EINVAL;
}

static int open_named(struct tmpfile *tmp, struct err *err)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		if (random_name(".tmp-", tmp->name, err) < 0)
			return -1;
		tmp->fd = openat(tmp->dir_fd, tmp->name,
				 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (tmp->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	err_sys(err, "create a temporary file");
	tmp->name[0] = '\0';
	return -1;
}

int tmpfile_open(struct tmpfile *tmp, int dir_fd, struct err *err)
{
	tmp->dir_fd = dir_fd;
	tmp->name[0] = '\0';
	tmp->fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	if (tmp->fd >= 0)
		return 0;
	if (!lacks_tmpfile(errno))
		return err_sys(err, "create a temporary file");
	return open_named(tmp, err);
}

/* Give a nameless file its name. 0, or -1 and errno. */
static int link_nameless(const struct tmpfile *tmp, const char *name)
{
	char path[FD_PATH_MAX];

	if (linkat(AT_FDCWD, fd_path(tmp->fd, path), tmp->dir_fd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* without /proc: for the privileged, and since 6.10 for who opened it */
	if (errno == ENOENT || errno == ENOTDIR)
		return linkat(tmp->fd, "", tmp->dir_fd, name, AT_EMPTY_PATH);
	return -1;
}

/* Rename without replacing, where the file system can. 0, or -1 and errno. */
static int rename_new(int from_fd, const char *from, int to_fd, const char *to)
{
	if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* what is there has the same content, and a directory with content is not replaced */
	return renameat(from_fd, from, to_fd, to);
}

int tmpfile_commit(struct tmpfile *tmp, const char *name, struct err *err)
{
	int result;

	if (!tmp->name[0])
		result = link_nameless(tmp, name);
	else
		result = rename_new(tmp->dir_fd, tmp->name, tmp->dir_fd, name);
	if (result < 0 && errno != EEXIST)
		return err_sys(err, "create '%s'", name);
	/* on EEXIST the release still unlinks ours */
	if (result == 0)
		tmp->name[0] = '\0';
	return 0;
}

int tmpfile_replace(struct tmpfile *tmp, const char *name, struct err *err)
{
	for (int i = 0; i < TRIES_MAX && !tmp->name[0]; i++) {
		char fresh[sizeof(tmp->name)];

		if (link_nameless(tmp, name) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(err, "create '%s'", name);
		/* linkat replaces nothing: by way of a second name */
		if (random_name(".tmp-", fresh, err) < 0)
			return -1;
		if (link_nameless(tmp, fresh) == 0)
			memcpy(tmp->name, fresh, sizeof(fresh));
		else if (errno != EEXIST)
			return err_sys(err, "create '%s'", name);
	}
	if (renameat(tmp->dir_fd, tmp->name, tmp->dir_fd, name) < 0)
		return err_sys(err, "replace '%s'", name);
	tmp->name[0] = '\0';
	return 0;
}

void tmpfile_release(struct tmpfile *tmp)
{
	int saved = errno;

	/* the end of a scope has nobody to tell */
	if (tmp->name[0])
		(void)unlinkat(tmp->dir_fd, tmp->name, 0);
	fd_close(&tmp->fd);
	*tmp = (struct tmpfile)TMPFILE_INIT;
	errno = saved;
}

/* ---- directories ---------------------------------------------------------- */

/* Lock the directory @fd and look whether it still is @name. 1 ours, 0 not, -1 errno. */
static int lock_dir(int fd, int parent_fd, const char *name)
{
	struct stat locked;
	struct stat named;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return -1;
	}
	if (fstat(fd, &locked) < 0)
		return -1;
	if (fstatat(parent_fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	return locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

int tmpdir_make(struct tmpdir *tmp, int parent_fd, struct err *err)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		auto_close int fd = -1;
		char name[sizeof(tmp->name)];
		int locked;

		if (random_name("", name, err) < 0)
			return -1;
		if (mkdirat(parent_fd, name, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return err_sys(err, "make a temporary directory");
		}
		fd = openat(parent_fd, name, DIR_FLAGS);
		/* a sweep took it for a dead one's */
		if (fd < 0 && errno == ENOENT && i + 1 < TRIES_MAX)
			continue;
		if (fd < 0)
			return err_sys(err, "make a temporary directory");
		locked = lock_dir(fd, parent_fd, name);
		if (locked < 0)
			return err_sys(err, "lock a temporary directory");
		if (!locked)
			continue;
		tmp->parent_fd = parent_fd;
		tmp->fd = fd_steal(&fd);
		memcpy(tmp->name, name, sizeof(name));
		return 0;
	}
	errno = EBUSY;
	return err_sys(err, "make a temporary directory");
}

/* Removed as well as it can be; a sweep takes what stays. */
static void drop_dir(struct tmpdir *tmp)
{
	struct err ignored = ERR_INIT;

	if (tmp->name[0])
		(void)tree_remove(tmp->parent_fd, tmp->name, &ignored);
	tmp->name[0] = '\0';
}

int tmpdir_commit(struct tmpdir *tmp, int to_fd, const char *name, struct err *err)
{
	if (rename_new(tmp->parent_fd, tmp->name, to_fd, name) == 0) {
		tmp->name[0] = '\0';
		return 0;
	}
	if (errno != EEXIST && errno != ENOTEMPTY)
		return err_sys(err, "rename to '%s'", name);
	drop_dir(tmp);
	return 0;
}

void tmpdir_release(struct tmpdir *tmp)
{
	int saved = errno;

	drop_dir(tmp);
	fd_close(&tmp->fd);
	*tmp = (struct tmpdir)TMPDIR_INIT;
	errno = saved;
}

/* Remove the directory @name if nobody holds it. */
static int sweep_one(int parent_fd, const char *name, struct err *err)
{
	auto_close int fd = openat(parent_fd, name, DIR_FLAGS);
	int locked;

	/* gone meanwhile, or no directory */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0)
		return err_sys(err, "open '%s'", name);
	locked = lock_dir(fd, parent_fd, name);
	if (locked < 0)
		return err_sys(err, "lock '%s'", name);
	return locked ? tree_remove(parent_fd, name, err) : 0;
}

static int list_dir(int dir_fd, struct strlist *out, struct err *err)
{
	auto_close int fd = openat(dir_fd, ".", DIR_FLAGS);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, "read the directory of temporary directories");
	(void)fd_steal(&fd);
	errno = 0;
	while ((entry = readdir(dir))) {
		bool is_dir = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;

		if (is_dir && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strlist_add(out, entry->d_name);
		errno = 0;
	}
	int saved = errno;

	closedir(dir);
	errno = saved;
	return saved ? err_sys(err, "read the directory of temporary directories") : 0;
}

/* One that cannot be removed does not keep the others; the first error is told. */
int tmpdir_sweep(int parent_fd, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	struct err other = ERR_INIT;
	int result = 0;

	if (list_dir(parent_fd, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (sweep_one(parent_fd, names.items[i], result < 0 ? &other : err) < 0)
			result = -1;
	return result;
}
