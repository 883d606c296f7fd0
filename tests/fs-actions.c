/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The actions of fs-tester: one function each, that does it on one side and says what came of it.
 */
#include "tests/fs-actions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void end(struct outcome *out, long result)
{
	out->error = result < 0 ? errno : 0;
	/* two words for one thing */
	if (out->error == EEXIST)
		out->error = ENOTEMPTY;
}

static void fill_data(char *data, size_t len, unsigned number)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (char)((i * 31 + i / 251 + number * 17) & 0xff);
}

uint64_t digest(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

void keep(struct side *side, unsigned slot, int fd)
{
	if (side->slots[slot] >= 0)
		close(side->slots[slot]);
	side->slots[slot] = fd;
}

static void do_open(struct side *side, const struct action *action, struct outcome *out)
{
	static const int flags[] = {
		O_RDONLY,
		O_RDWR,
		O_RDWR | O_CREAT,
		O_RDWR | O_CREAT,
		O_RDWR | O_TRUNC,
		O_RDWR | O_CREAT | O_EXCL,
		O_WRONLY | O_APPEND,
		O_RDWR | O_CREAT | O_TRUNC,
	};
	int fd = openat(side->root, action->path,
			flags[action->number % 8] | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
			0600 + (action->number >> 4) % 0200);

	end(out, fd);
	if (fd >= 0)
		keep(side, action->slot, fd);
}

static void do_tmpfile(struct side *side, const struct action *action, struct outcome *out)
{
	int fd = openat(side->root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);

	end(out, fd);
	if (fd >= 0)
		keep(side, action->slot, fd);
}

static void do_link_open(struct side *side, const struct action *action, struct outcome *out)
{
	char from[PATH_ROOM];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", side->slots[action->slot]);
	end(out, linkat(AT_FDCWD, from, side->root, action->path, AT_SYMLINK_FOLLOW));
}

static void do_close(struct side *side, const struct action *action, struct outcome *out)
{
	(void)out;
	keep(side, action->slot, -1);
}

static void do_write(struct side *side, const struct action *action, struct outcome *out)
{
	char *data = malloc(action->len);
	ssize_t written;

	fill_data(data, action->len, action->number);
	written = pwrite(side->slots[action->slot], data, action->len, action->offset);
	end(out, written);
	out->value = written;
	free(data);
}

static void do_read(struct side *side, const struct action *action, struct outcome *out)
{
	char *data = malloc(action->len);
	ssize_t got = pread(side->slots[action->slot], data, action->len, action->offset);

	end(out, got);
	out->value = got > 0 ? (long)digest(7, data, (size_t)got) : got;
	free(data);
}

static void do_truncate_open(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, ftruncate(side->slots[action->slot], action->offset));
}

static void do_allocate(struct side *side, const struct action *action, struct outcome *out)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE };

	end(out, fallocate(side->slots[action->slot], modes[action->number % 4], action->offset,
			   (off_t)action->len));
}

static void do_sync(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, action->number % 2 ? fsync(side->slots[action->slot])
				    : fdatasync(side->slots[action->slot]));
}

static void do_copy_range(struct side *side, const struct action *action, struct outcome *out)
{
	off_t from = action->offset / 2;
	off_t to = action->offset;
	ssize_t copied = copy_file_range(side->slots[action->slot], &from,
					 side->slots[action->number % SLOTS], &to, action->len, 0);

	end(out, copied);
	out->value = copied;
}

/* Through a mapping: what is written shows in reads at once, and what is private nowhere. */
static void do_map(struct side *side, const struct action *action, struct outcome *out)
{
	int fd = side->slots[action->slot];
	bool is_shared = action->number % 3 != 0;
	struct stat st;
	char *map;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		end(out, -1);
		out->error = 1;
		return;
	}
	/* what a mapping does to a capability is the file system's affair */
	if (is_shared)
		fremovexattr(fd, "security.capability");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		   is_shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	end(out, map == MAP_FAILED ? -1 : 0);
	if (map == MAP_FAILED)
		return;
	out->value = (long)digest(7, map, (size_t)st.st_size);
	for (off_t at = action->offset; at < st.st_size; at += 4000)
		map[at] = (char)(action->number + at);
	if (is_shared && action->number % 2)
		msync(map, (size_t)st.st_size, MS_SYNC);
	munmap(map, (size_t)st.st_size);
}

static void do_mkdir(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, mkdirat(side->root, action->path, 0700 + action->number % 0100));
}

static void do_symlink(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, symlinkat(action->other, side->root, action->path));
}

static void do_fifo(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, mkfifoat(side->root, action->path, 0640));
}

static void do_unlink(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, unlinkat(side->root, action->path, 0));
}

static void do_rmdir(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, unlinkat(side->root, action->path, AT_REMOVEDIR));
}

static int remove_below(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int result = 0;

	if (!dir)
		return unlinkat(dir_fd, name, 0);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (remove_below(fd, entry->d_name) < 0)
			result = -1;
	}
	closedir(dir);
	return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -1 : result;
}

/* rm -rf: a directory that is read while it becomes empty. */
static void do_remove(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, remove_below(side->root, action->path));
}

static void do_link(struct side *side, const struct action *action, struct outcome *out)
{
	end(out, linkat(side->root, action->path, side->root, action->other, 0));
}

static void do_rename(struct side *side, const struct action *action, struct outcome *out)
{
	static const unsigned int flags[] = { 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE };

	end(out, renameat2(side->root, action->path, side->root, action->other,
			   flags[action->number % 5]));
}

static void do_chmod(struct side *side, const struct action *action, struct outcome *out)
{
	/* always enough for ourselves: the tester need not be root */
	end(out, fchmodat(side->root, action->path,
			  0700 | (action->number % 0100) | ((action->number >> 6) % 8) << 9, 0));
}

static void do_chown(struct side *side, const struct action *action, struct outcome *out)
{
	uid_t to = geteuid() == 0 ? action->number % 3 : geteuid();

	end(out, fchownat(side->root, action->path, to, geteuid() == 0 ? to + 1 : getegid(),
			  AT_SYMLINK_NOFOLLOW));
}

static void do_times(struct side *side, const struct action *action, struct outcome *out)
{
	const struct timespec times[] = { { 1000000 + action->number, 5 },
					  { 2000000 + action->number, 123456789 } };
	struct stat st;

	end(out, utimensat(side->root, action->path, times, AT_SYMLINK_NOFOLLOW));
	if (out->error == 0 && fstatat(side->root, action->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		out->value = st.st_mtim.tv_sec * 7 + st.st_mtim.tv_nsec;
}

static void do_truncate(struct side *side, const struct action *action, struct outcome *out)
{
	int fd = openat(side->root, action->path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	end(out, fd < 0 ? -1 : ftruncate(fd, action->offset));
	if (fd >= 0)
		close(fd);
}

static int open_for_xattr(const struct side *side, const char *path)
{
	return openat(side->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static const char *const xattr_names[] = { "user.one", "user.two", "security.capability",
					   "user.three" };

static void do_set_xattr(struct side *side, const struct action *action, struct outcome *out)
{
	/* a capability set of version 2 with one bit, as setcap writes it */
	static const unsigned char capability[20] = { 1, 0, 0, 2, 1 };
	const char *name = xattr_names[action->number % 4];
	int fd = open_for_xattr(side, action->path);
	char data[200];

	fill_data(data, sizeof(data), action->number);
	end(out, fd < 0 ? -1
		 : strncmp(name, "user", 4)
			 ? fsetxattr(fd, name, capability, sizeof(capability), 0)
			 : fsetxattr(fd, name, data, action->len % sizeof(data), 0));
	if (fd >= 0)
		close(fd);
}

static void do_remove_xattr(struct side *side, const struct action *action, struct outcome *out)
{
	int fd = open_for_xattr(side, action->path);

	end(out, fd < 0 ? -1 : fremovexattr(fd, xattr_names[action->number % 4]));
	if (fd >= 0)
		close(fd);
}

/* An access control list with one more user, for access or inherited. */
static void do_set_acl(struct side *side, const struct action *action, struct outcome *out)
{
	static const unsigned char acl[] = { 2,    0,    0,    0, 1,    0,    7,    0,    0xff,
					     0xff, 0xff, 0xff, 2, 0,    4,    0,    42,   0,
					     0,    0,    0x04, 0, 5,    0,    0xff, 0xff, 0xff,
					     0xff, 0x10, 0,    7, 0,    0xff, 0xff, 0xff, 0xff,
					     0x20, 0,    1,    0, 0xff, 0xff, 0xff, 0xff };
	int fd = open_for_xattr(side, action->path);

	end(out, fd < 0 ? -1
			: fsetxattr(fd,
				    action->number % 2 ? "system.posix_acl_access"
						       : "system.posix_acl_default",
				    acl, sizeof(acl), 0));
	if (fd >= 0)
		close(fd);
}

int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void do_list(struct side *side, const struct action *action, struct outcome *out)
{
	int fd = openat(side->root, action->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	char *names[256];
	size_t count = 0;

	end(out, dir ? 0 : -1);
	if (!dir)
		return;
	while ((entry = readdir(dir)) && count < 256)
		names[count++] = strdup(entry->d_name);
	closedir(dir);
	qsort(names, count, sizeof(names[0]), by_text);
	for (size_t i = 0; i < count; i++) {
		if (strlen(out->text) + strlen(names[i]) + 2 < sizeof(out->text))
			strcat(strcat(out->text, names[i]), " ");
		free(names[i]);
	}
}

const struct kind kinds[] = {
	{ "open", 22, 0, do_open },
	{ "close", 4, ON_SLOT, do_close },
	{ "write", 20, ON_SLOT, do_write },
	{ "read", 10, ON_SLOT, do_read },
	{ "truncate-open", 4, ON_SLOT, do_truncate_open },
	{ "allocate", 3, ON_SLOT, do_allocate },
	{ "sync", 2, ON_SLOT, do_sync },
	{ "copy-range", 3, ON_SLOT, do_copy_range },
	{ "map", 6, ON_SLOT | NOT_IN_CROWD, do_map },
	{ "mkdir", 8, ON_DIR, do_mkdir },
	{ "symlink", 3, 0, do_symlink },
	{ "fifo", 1, 0, do_fifo },
	{ "unlink", 8, 0, do_unlink },
	{ "rmdir", 3, ON_DIR, do_rmdir },
	{ "remove", 1, ON_DIR, do_remove },
	{ "link", 5, ADDS_LINK, do_link },
	{ "rename", 10, 0, do_rename },
	{ "chmod", 4, 0, do_chmod },
	{ "chown", 3, 0, do_chown },
	{ "times", 3, 0, do_times },
	{ "truncate", 4, 0, do_truncate },
	{ "set-xattr", 4, 0, do_set_xattr },
	{ "remove-xattr", 2, 0, do_remove_xattr },
	{ "set-acl", 2, 0, do_set_acl },
	{ "list", 4, ON_DIR, do_list },
	{ "tmpfile", 1, 0, do_tmpfile },
	{ "link-open", 1, ON_SLOT | ADDS_LINK, do_link_open },
};

const size_t kind_count = sizeof(kinds) / sizeof(kinds[0]);

bool cannot_be_done(const struct outcome *out)
{
	return out->error == EXDEV || out->error == EOPNOTSUPP;
}
