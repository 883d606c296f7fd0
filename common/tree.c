/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for removing whole trees, of any depth, with a fixed number of
 * descriptors and no recursion. A directory is read to its end before the first
 * of its children is entered; only its children's names are kept. The way back
 * up is "..", believed only when it is the very directory we came from.
 */
#include "common/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/strlist.h"

#define OPEN_LEVELS_MAX 32 /* descriptors held at one time */
#define SHOWN_PATH_MAX  400
#define REFILLS_MAX     100 /* then somebody keeps filling the directory */
#define ENTRIES_BYTES   ((size_t)64 * 1024)
#define DIR_FLAGS       (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A directory between the top and the one we empty. */
struct level {
	int fd; /* -1: far up, closed to save descriptors */
	dev_t dev;
	ino_t ino;
	char *name;           /* below the level above; the top's is as the caller gave it */
	struct strlist dirs;  /* children still to be removed, taken from the end */
	unsigned int refills; /* how often the last of them was not empty after all */
};

struct removal {
	struct level *levels;
	size_t depth; /* levels in use */
	size_t cap;
	char *entries; /* buffer of getdents */
	size_t found;  /* entries met */
};

static void level_release(struct level *level)
{
	fd_close(&level->fd);
	free(level->name);
	strlist_release(&level->dirs);
}

static void removal_release(struct removal *removal)
{
	while (removal->depth > 0)
		level_release(&removal->levels[--removal->depth]);
	free(removal->levels);
	free(removal->entries);
}

static struct level *deepest(struct removal *removal)
{
	return &removal->levels[removal->depth - 1];
}

/* "remove 'a/b/NAME': why"; a path of thousands of levels is cut short. */
static int fail(const struct removal *removal, const char *name, struct err *err)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	int saved = errno;

	for (size_t i = 0; i < removal->depth && path.len < SHOWN_PATH_MAX; i++)
		if (removal->levels[i].name[0])
			strbuf_printf(&path, "%s/", removal->levels[i].name);
	if (path.len >= SHOWN_PATH_MAX)
		strbuf_puts(&path, ".../");
	strbuf_puts(&path, name);
	errno = saved;
	return err_sys(err, "remove '%s'", path.data);
}

static char *last_dir(struct level *level)
{
	return level->dirs.count ? level->dirs.items[level->dirs.count - 1] : NULL;
}

static void drop_last_dir(struct level *level)
{
	level->refills = 0;
	free(level->dirs.items[--level->dirs.count]);
	level->dirs.items[level->dirs.count] = NULL;
}

/*
 * Open the directory @name; one that keeps us out is opened up first. @dir_fd
 * is trusted to hold it, the entry itself may change at any time.
 */
static int open_dir(int dir_fd, const char *name)
{
	char path[FD_PATH_MAX];
	auto_close int fd = openat(dir_fd, name, DIR_FLAGS);
	struct stat st;

	if (fd < 0 && errno == EACCES) {
		auto_close int path_fd = openat(dir_fd, name, DIR_FLAGS | O_PATH);

		if (path_fd < 0 || chmod(fd_path(path_fd, path), 0700) < 0)
			return -1;
		fd = openat(dir_fd, name, DIR_FLAGS);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	/* where this is refused, the removal of what is inside will say so */
	if ((st.st_mode & 0700) != 0700)
		(void)fchmod(fd, (st.st_mode & 07777) | 0700);
	return fd_steal(&fd);
}

/* EBUSY when @fd is the root of a mount, or lies on another device than @parent_dev. */
static int refuse_mount(int fd, const dev_t *parent_dev, struct level *level)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO, &stx) < 0)
		return -1;
	level->dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	level->ino = (ino_t)stx.stx_ino;
	if (!parent_dev)
		return 0;
	/* the attribute is of 5.8; it also sees binds, and lets btrfs subvolumes pass */
	if ((stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		    ? !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		    : level->dev == *parent_dev)
		return 0;
	errno = EBUSY;
	return -1;
}

/* @fd, named @name, becomes the deepest level; takes it. */
static int push_level(struct removal *removal, int fd, const char *name, const dev_t *parent_dev,
		      struct err *err)
{
	struct level level = { .fd = fd, .dirs = STRLIST_INIT };

	if (refuse_mount(fd, parent_dev, &level) < 0) {
		fail(removal, name, err);
		level_release(&level);
		return -1;
	}
	level.name = str_dup(name);
	if (removal->depth == removal->cap) {
		removal->cap = removal->cap ? 2 * removal->cap : 16;
		removal->levels =
			mem_resize(removal->levels, removal->cap, sizeof(removal->levels[0]));
	}
	removal->levels[removal->depth++] = level;
	if (removal->depth > OPEN_LEVELS_MAX)
		fd_close(&removal->levels[removal->depth - 1 - OPEN_LEVELS_MAX].fd);
	return 0;
}

static int remove_entry(struct removal *removal, const struct dirent64 *entry, struct err *err)
{
	struct level *level = deepest(removal);
	const char *name = entry->d_name;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	removal->found++;
	if (entry->d_type != DT_DIR) {
		if (unlinkat(level->fd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return fail(removal, name, err);
	}
	strlist_add(&level->dirs, name);
	return 0;
}

/* Unlink all that is no directory in the deepest level, and note what is one. */
static int empty_level(struct removal *removal, struct err *err)
{
	struct level *level = deepest(removal);

	if (lseek(level->fd, 0, SEEK_SET) < 0)
		return fail(removal, "", err);
	for (;;) {
		ssize_t len = getdents64(level->fd, removal->entries, ENTRIES_BYTES);

		/* ENOENT: somebody else removed the directory meanwhile */
		if (len < 0 && errno != ENOENT)
			return fail(removal, "", err);
		if (len <= 0)
			return 0;
		for (ssize_t pos = 0; pos < len;) {
			const struct dirent64 *entry =
				(const struct dirent64 *)(removal->entries + pos);

			if (remove_entry(removal, entry, err) < 0)
				return -1;
			pos += entry->d_reclen;
		}
	}
}

/* Enter the child directory @name of the deepest level. */
static int descend(struct removal *removal, const char *name, struct err *err)
{
	dev_t dev = deepest(removal)->dev;
	int fd = open_dir(deepest(removal)->fd, name);

	if (fd < 0 && errno == ENOENT) {
		drop_last_dir(deepest(removal));
		return 0;
	}
	if (fd < 0)
		return fail(removal, name, err);
	if (push_level(removal, fd, name, &dev, err) < 0)
		return -1;
	return empty_level(removal, err);
}

/* Open the level above the deepest again, by ".." of the deepest. */
static int reopen_above(struct removal *removal, struct err *err)
{
	struct level *level = deepest(removal);
	struct level *above = level - 1;
	auto_close int fd = -1;
	struct stat st;

	if (above->fd >= 0)
		return 0;
	fd = openat(level->fd, "..", DIR_FLAGS);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(removal, "..", err);
	if (st.st_dev != above->dev || st.st_ino != above->ino) {
		errno = ESTALE;
		return fail(removal, "..", err);
	}
	above->fd = fd_steal(&fd);
	return 0;
}

/* The deepest level is empty: leave it and remove it. */
static int ascend(struct removal *removal, struct err *err)
{
	struct level *above;

	if (reopen_above(removal, err) < 0)
		return -1;
	level_release(deepest(removal));
	removal->depth--;
	above = deepest(removal);
	if (unlinkat(above->fd, last_dir(above), AT_REMOVEDIR) == 0 || errno == ENOENT) {
		drop_last_dir(above);
		return 0;
	}
	/* something was put there, or the file system skipped entries: it stays in the list */
	if ((errno == ENOTEMPTY || errno == EEXIST) && ++above->refills < REFILLS_MAX)
		return 0;
	return fail(removal, last_dir(above), err);
}

/* Empty the one level there is. */
static int run(struct removal *removal, struct err *err)
{
	if (empty_level(removal, err) < 0)
		return -1;
	for (;;) {
		const char *child = last_dir(deepest(removal));

		if (child && descend(removal, child, err) < 0)
			return -1;
		if (!child && removal->depth == 1)
			return 0;
		if (!child && ascend(removal, err) < 0)
			return -1;
	}
}

/* Takes @fd. */
static int empty_dir(int fd, const char *name, const dev_t *parent_dev, struct err *err)
{
	struct removal removal = { .levels = NULL };
	int result;

	removal.entries = mem_alloc(ENTRIES_BYTES);
	result = push_level(&removal, fd, name, parent_dev, err);
	if (result == 0)
		result = run(&removal, err);
	/* until it is seen to be empty, unless rmdir is about to tell */
	for (int i = 0; result == 0 && !parent_dev && removal.found > 0; i++) {
		removal.found = 0;
		errno = ENOTEMPTY;
		result = i < REFILLS_MAX ? run(&removal, err) : fail(&removal, "", err);
	}
	int saved = errno;

	removal_release(&removal);
	errno = saved;
	return result;
}

static int remove_one(int dir_fd, const char *name, struct err *err)
{
	struct stat st;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_sys(err, "remove '%s'", name);
	if (fstat(dir_fd, &st) < 0)
		return err_sys(err, "remove '%s'", name);
	for (int i = 0; i < REFILLS_MAX; i++) {
		int fd;

		if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return err_sys(err, "remove '%s'", name);
		fd = open_dir(dir_fd, name);
		if (fd < 0)
			return err_sys(err, "remove '%s'", name);
		if (empty_dir(fd, name, &st.st_dev, err) < 0)
			return -1;
	}
	errno = ENOTEMPTY;
	return err_sys(err, "remove '%s'", name);
}

int tree_remove(int dir_fd, const char *name, struct err *err)
{
	char last[NAME_MAX + 1];
	auto_close int parent_fd = -1;

	/* no link on the way either */
	parent_fd = beneath_parent(dir_fd, name, BENEATH_NO_LINKS, last, err);
	if (parent_fd < 0 && errno != ENOENT)
		return -1;
	if (parent_fd < 0) {
		err_clear(err);
		return 0;
	}
	return remove_one(parent_fd, last, err);
}

int tree_empty(int dir_fd, struct err *err)
{
	int fd = openat(dir_fd, ".", DIR_FLAGS);

	if (fd < 0)
		return err_sys(err, "open the directory to be emptied");
	return empty_dir(fd, "", NULL, err);
}
