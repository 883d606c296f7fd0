/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for opening names that come from outside: policy, errors, exact
 * modes. The resolution itself is the kernel's (openat2), or beneath-walk's
 * where there is no such call.
 */
#include "common/beneath.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/beneath-internal.h"
#include "common/fd.h"
#include "common/mem.h"

#define AGAIN_MAX 32

static long sys_openat2(int dir_fd, const char *path, const struct open_how *how)
{
	return syscall(SYS_openat2, dir_fd, path, how, sizeof(*how));
}

/* Asked once: 5.6 has the call; filters older than it answer EPERM or ENOSYS. */
static bool has_openat2(void)
{
	static atomic_int known; /* 0 not asked, 1 yes, 2 no */
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };
	int answer = atomic_load_explicit(&known, memory_order_relaxed);
	auto_close int fd = -1;

	if (answer)
		return answer == 1;
	fd = (int)sys_openat2(AT_FDCWD, ".", &how);
	answer = fd < 0 && (errno == ENOSYS || errno == EPERM) ? 2 : 1;
	atomic_store_explicit(&known, answer, memory_order_relaxed);
	return answer == 1;
}

static bool has_dotdot(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += len;
		path += strspn(path, "/");
	}
	return false;
}

static uint64_t resolve_flags(enum beneath_policy policy)
{
	switch (policy) {
	case BENEATH_NO_LINKS:
		return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
	case BENEATH_STAY:
		return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
	case BENEATH_IN_ROOT:
		return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	}
	assert(!"a policy that is none");
	return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
}

/* A descriptor, or -1 and errno. */
static int resolve(int root_fd, const char *path, enum beneath_policy policy, int oflags,
		   mode_t mode)
{
	struct open_how how = { .flags = (uint64_t)(unsigned int)(oflags | O_CLOEXEC),
				.mode = mode,
				.resolve = resolve_flags(policy) };

	path += strspn(path, "/");
	if (!*path)
		path = ".";
	if (policy == BENEATH_NO_LINKS && has_dotdot(path)) {
		errno = EXDEV;
		return -1;
	}
	if (!has_openat2())
		return beneath_walk(root_fd, path, policy, oflags, mode);
	/* EAGAIN: something was renamed while a ".." was resolved; a walk has no such answer */
	for (int i = 0; i < AGAIN_MAX; i++) {
		int fd = (int)sys_openat2(root_fd, path, &how);

		if (fd >= 0 || errno != EAGAIN)
			return fd;
	}
	return beneath_walk(root_fd, path, policy, oflags, mode);
}

/* Word errno for @verb @path; errno stays. */
static int fail(const char *verb, const char *path, enum beneath_policy policy, struct err *err)
{
	int saved = errno;

	if (saved == EXDEV)
		err_set(err, ERR_INPUT, "%s '%s': the path leads out of its root", verb, path);
	else if (saved == ELOOP && policy == BENEATH_NO_LINKS)
		err_set(err, ERR_INPUT, "%s '%s': a symbolic link is in the path", verb, path);
	else
		err_sys(err, "%s '%s'", verb, path);
	errno = saved;
	return -1;
}

int beneath_open(int root_fd, const char *path, enum beneath_policy policy, int oflags,
		 struct err *err)
{
	int fd;

	assert(!(oflags & O_CREAT));
	fd = resolve(root_fd, path, policy, oflags, 0);
	if (fd < 0)
		return fail("open", path, policy, err);
	return fd;
}

/* The umask, or a default ACL of the directory, may have taken bits away. */
static int set_exact_mode(int fd, mode_t mode, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return err_sys(err, "change mode of '%s'", path);
	return 0;
}

/* Length of the part of @path before its last component; *out_len that of the component. */
static size_t split_last(const char *path, size_t *out_len)
{
	size_t end = strlen(path);
	size_t start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	*out_len = end - start;
	return start;
}

/* O_EXCL first: whether the file is ours decides whether its mode is ours to set. */
int beneath_create(int root_fd, const char *path, int oflags, mode_t mode, struct err *err)
{
	const enum beneath_policy policy = BENEATH_NO_LINKS;
	auto_close int fd = -1;

	mode &= 07777;
	for (int i = 0; i < AGAIN_MAX; i++) {
		fd = resolve(root_fd, path, policy, oflags | O_CREAT | O_EXCL, mode);
		if (fd >= 0 && set_exact_mode(fd, mode, path, err) < 0)
			return -1;
		if (fd >= 0)
			return fd_steal(&fd);
		if (errno != EEXIST || (oflags & O_EXCL))
			return fail("create", path, policy, err);
		fd = resolve(root_fd, path, policy, oflags & ~O_CREAT, 0);
		if (fd >= 0)
			return fd_steal(&fd);
		/* removed between the two */
		if (errno != ENOENT)
			return fail("create", path, policy, err);
	}
	return fail("create", path, policy, err);
}

static int no_last(const char *path, struct err *err)
{
	err_set(err, ERR_INPUT, "'%s' does not name anything below its root", path);
	errno = EINVAL;
	return -1;
}

int beneath_parent(int root_fd, const char *path, enum beneath_policy policy, char *name_buf,
		   struct err *err)
{
	size_t len;
	size_t dir_len = split_last(path, &len);
	const char *name = path + dir_len;
	auto_free char *dir = str_ndup(path, dir_len);
	int fd;

	if (len == 0 || (len == 1 && name[0] == '.') || (len == 2 && !strncmp(name, "..", 2)))
		return no_last(path, err);
	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return fail("open", path, policy, err);
	}
	fd = resolve(root_fd, dir, policy, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fail("open the directory of", path, policy, err);
	memcpy(name_buf, name, len);
	name_buf[len] = '\0';
	return fd;
}

/* Make the directory @path, whose parent is there; somebody else may be faster. */
static int make_one(int root_fd, const char *path, enum beneath_policy policy, mode_t mode,
		    struct err *err)
{
	char name[NAME_MAX + 1];
	auto_close int parent_fd = beneath_parent(root_fd, path, policy, name, err);
	auto_close int fd = -1;

	if (parent_fd < 0)
		return -1;
	/* open for its owner until the mode is set through the descriptor */
	if (mkdirat(parent_fd, name, mode | 0700) < 0)
		return errno == EEXIST ? 0 : fail("make directory", path, policy, err);
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail("open", path, policy, err);
	return set_exact_mode(fd, mode, path, err);
}

int beneath_mkdirs(int root_fd, const char *path, enum beneath_policy policy, mode_t mode,
		   struct err *err)
{
	auto_free char *prefix = str_dup(path);
	const int oflags = O_RDONLY | O_DIRECTORY;
	int fd = resolve(root_fd, path, policy, oflags, 0);
	size_t end = 0;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return fail("open", path, policy, err);
	while (path[end]) {
		auto_close int step_fd = -1;

		end += strspn(path + end, "/");
		end += strcspn(path + end, "/");
		prefix[end] = '\0';
		step_fd = resolve(root_fd, prefix, policy, O_PATH | O_DIRECTORY, 0);
		if (step_fd < 0 && errno != ENOENT)
			return fail("open", prefix, policy, err);
		if (step_fd < 0 && make_one(root_fd, prefix, policy, mode & 07777, err) < 0)
			return -1;
		prefix[end] = path[end];
	}
	fd = resolve(root_fd, path, policy, oflags, 0);
	if (fd < 0)
		return fail("open", path, policy, err);
	return fd;
}
