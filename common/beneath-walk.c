/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for resolving a path inside a root where the kernel has no
 * openat2(2) or a filter denies it. One component at a time, each opened with
 * O_NOFOLLOW; the text of a link is put in front of what is left to walk. The
 * kernel never follows a link nor ".." for us: a step up starts again from the
 * root with one name less, so that a directory moved elsewhere meanwhile cannot
 * lead out.
 */
#include "common/beneath-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/strbuf.h"

#define LINKS_MAX      40 /* as the kernel */
#define REST_MAX_BYTES ((size_t)64 * 1024)
#define STEP_FLAGS     (O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC)

#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif

struct walk {
	int root_fd;
	enum beneath_policy policy;
	int dir_fd;          /* where we stand; ours */
	struct strbuf below; /* "a/b", the way from the root to dir_fd; no links in it */
	struct strbuf rest;  /* still to walk */
	size_t pos;          /* in rest */
	unsigned int links;  /* followed so far */
};

static void walk_release(struct walk *walk)
{
	fd_close(&walk->dir_fd);
	strbuf_release(&walk->below);
	strbuf_release(&walk->rest);
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static int go_root(struct walk *walk)
{
	int fd = openat(walk->root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	fd_close(&walk->dir_fd);
	walk->dir_fd = fd;
	strbuf_truncate(&walk->below, 0);
	return 0;
}

/* The next component of walk->rest into @name; its length, 0 when none is left. */
static int next_name(struct walk *walk, char *name)
{
	const char *start;
	size_t len;

	walk->pos += strspn(walk->rest.data + walk->pos, "/");
	start = walk->rest.data + walk->pos;
	len = strcspn(start, "/");
	if (len > NAME_MAX)
		return fail(ENAMETOOLONG);
	memcpy(name, start, len);
	name[len] = '\0';
	walk->pos += len;
	return (int)len;
}

/* Into the directory @name, which must not be a link. */
static int go_down(struct walk *walk, const char *name)
{
	int fd = openat(walk->dir_fd, name, STEP_FLAGS);

	if (fd < 0)
		return -1;
	fd_close(&walk->dir_fd);
	walk->dir_fd = fd;
	if (walk->below.len)
		strbuf_putc(&walk->below, '/');
	strbuf_puts(&walk->below, name);
	return 0;
}

static int go_up(struct walk *walk)
{
	auto_strbuf struct strbuf way = STRBUF_INIT;
	char *slash;
	char *name;
	char *save = NULL;

	if (walk->policy == BENEATH_NO_LINKS)
		return fail(EXDEV);
	if (!walk->below.len)
		return walk->policy == BENEATH_IN_ROOT ? 0 : fail(EXDEV);
	slash = strrchr(walk->below.data, '/');
	if (slash)
		strbuf_add(&way, walk->below.data, (size_t)(slash - walk->below.data));
	if (go_root(walk) < 0)
		return -1;
	if (!way.len)
		return 0;
	for (name = strtok_r(way.data, "/", &save); name; name = strtok_r(NULL, "/", &save))
		if (go_down(walk, name) < 0)
			return -1;
	return 0;
}

/*
 * Following the text of a link skips what the kernel would have checked: its
 * magic links lead anywhere, a mount may forbid links, and in a directory such
 * as /tmp nobody follows a stranger's.
 */
static int may_follow(const struct walk *walk, const char *name)
{
	struct statfs fs;
	struct stat dir;
	struct stat link;

	if (fstatfs(walk->dir_fd, &fs) < 0 || fstat(walk->dir_fd, &dir) < 0 ||
	    fstatat(walk->dir_fd, name, &link, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (fs.f_type == PROC_SUPER_MAGIC || (fs.f_flags & ST_NOSYMFOLLOW))
		return fail(ELOOP);
	if ((dir.st_mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH) &&
	    link.st_uid != geteuid() && link.st_uid != dir.st_uid)
		return fail(EACCES);
	return 0;
}

/* Put the text of the link @name in front of the rest. EINVAL when it is no link. */
static int follow(struct walk *walk, const char *name)
{
	auto_strbuf struct strbuf rest = STRBUF_INIT;
	char text[PATH_MAX];
	ssize_t len = readlinkat(walk->dir_fd, name, text, sizeof(text));

	if (len < 0)
		return -1;
	if (walk->policy == BENEATH_NO_LINKS || ++walk->links > LINKS_MAX)
		return fail(ELOOP);
	if (may_follow(walk, name) < 0)
		return -1;
	if (len == 0)
		return fail(ENOENT);
	if ((size_t)len == sizeof(text))
		return fail(ENAMETOOLONG);
	if (text[0] == '/') {
		if (walk->policy == BENEATH_STAY)
			return fail(EXDEV);
		if (go_root(walk) < 0)
			return -1;
	}
	strbuf_add(&rest, text, (size_t)len);
	strbuf_puts(&rest, walk->rest.data + walk->pos);
	if (rest.len > REST_MAX_BYTES)
		return fail(ENAMETOOLONG);
	strbuf_release(&walk->rest);
	walk->rest = rest;
	rest = (struct strbuf)STRBUF_INIT;
	walk->pos = 0;
	return 0;
}

/* @name was not opened because of @error: on through it if it is a link. */
static int follow_or_fail(struct walk *walk, const char *name, int error)
{
	if (error != ENOTDIR && error != ELOOP)
		return fail(error);
	if (follow(walk, name) == 0)
		return 0;
	return errno == EINVAL ? fail(error) : -1;
}

/* The last component. *out_fd stays -1 when it was a link that is now to be walked. */
static int open_last(struct walk *walk, const char *name, int oflags, mode_t mode, int *out_fd)
{
	auto_close int fd =
		openat(walk->dir_fd, name, oflags | O_NOFOLLOW | O_CLOEXEC, (unsigned int)mode);
	struct stat st;

	if (fd < 0 && (oflags & O_NOFOLLOW))
		return -1;
	if (fd < 0)
		return follow_or_fail(walk, name, errno);
	/* O_PATH with O_NOFOLLOW opens the link itself */
	if ((oflags & O_PATH) && !(oflags & O_NOFOLLOW)) {
		if (fstat(fd, &st) < 0)
			return -1;
		if (S_ISLNK(st.st_mode))
			return follow(walk, name);
	}
	*out_fd = fd_steal(&fd);
	return 0;
}

static int take_step(struct walk *walk, const char *name, bool is_last, int oflags, mode_t mode,
		     int *out_fd)
{
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return go_up(walk);
	if (is_last)
		return open_last(walk, name, oflags, mode, out_fd);
	if (go_down(walk, name) == 0)
		return 0;
	return follow_or_fail(walk, name, errno);
}

static int walk_to_end(struct walk *walk, int oflags, mode_t mode)
{
	char name[NAME_MAX + 1];
	int fd = -1;

	for (;;) {
		int len = next_name(walk, name);

		if (len < 0)
			return -1;
		if (len == 0)
			return openat(walk->dir_fd, ".", oflags | O_CLOEXEC, (unsigned int)mode);
		/* a slash at the end demands a directory and follows a link, as always */
		if (take_step(walk, name, !walk->rest.data[walk->pos], oflags, mode, &fd) < 0)
			return -1;
		if (fd >= 0)
			return fd;
	}
}

int beneath_walk(int root_fd, const char *path, enum beneath_policy policy, int oflags, mode_t mode)
{
	struct walk walk = { .root_fd = root_fd,
			     .policy = policy,
			     .dir_fd = -1,
			     .below = STRBUF_INIT,
			     .rest = STRBUF_INIT };
	int fd = -1;

	if (strlen(path) >= PATH_MAX)
		return fail(ENAMETOOLONG);
	strbuf_puts(&walk.rest, path);
	if (go_root(&walk) == 0)
		fd = walk_to_end(&walk, oflags, mode);
	int saved = errno;

	walk_release(&walk);
	errno = saved;
	return fd;
}
