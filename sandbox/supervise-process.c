/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the process that called: its memory, its descriptors, and what a path means to it.
 *
 * A path is read once, and the file behind it is found once. What is then done is done to that
 * file, so nothing is won by changing the path meanwhile. Files are found as the process itself
 * would find them: from its own root, which is made ours, and its own directories. Each thing is
 * first got hold of, then the call is asked whether it still waits; only then is it surely that of
 * this process and not of another that has got its number.
 */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/fd.h"

#define PAGE_BYTES  4096u
#define NAME_BYTES  64
#define STATUS_SIZE 4096

bool call_is_alive(const struct call *call)
{
	return ioctl(call->supervisor->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
}

/* Of its directory in /proc. */
static int open_own(const struct call *call, const char *name, int flags)
{
	char path[NAME_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%d/%s", call->pid, name);
	fd = openat(call->supervisor->proc_fd, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- memory ---- */

/* What is there, up to @size bytes: the end may be in memory that is not. */
static ssize_t read_by_file(const struct call *call, uint64_t address, void *buffer, size_t size)
{
	auto_close int fd = open_own(call, "mem", O_RDONLY);

	return fd < 0 ? -1 : pread(fd, buffer, size, (off_t)address);
}

/* The same in one call, page by page, for a part is read whole or not at all. */
static ssize_t read_by_call(const struct call *call, uint64_t address, void *buffer, size_t size)
{
	const struct iovec here = { buffer, size };
	struct iovec there[PATH_MAX / PAGE_BYTES + 2];
	const size_t room = sizeof(there) / sizeof(there[0]);
	size_t count = 0;

	for (size_t left = size; left > 0 && count < room; count++) {
		size_t part = PAGE_BYTES - (size_t)(address % PAGE_BYTES);

		part = part < left ? part : left;
		there[count] = (struct iovec){ (void *)(uintptr_t)address, part };
		address += part;
		left -= part;
	}
	return process_vm_readv(call->pid, &here, 1, there, count, 0);
}

/* The filter of a container around us may forbid the one. -ESRCH: it was somebody else's memory. */
static ssize_t read_memory(const struct call *call, uint64_t address, void *buffer, size_t size)
{
	struct supervisor *supervisor = call->supervisor;
	ssize_t n = -1;

	if (!supervisor->reads_by_file && size <= PATH_MAX) {
		n = read_by_call(call, address, buffer, size);
		supervisor->reads_by_file = n < 0 && (errno == EPERM || errno == ENOSYS);
	}
	if (n < 0)
		n = read_by_file(call, address, buffer, size);
	if (!call_is_alive(call))
		return -ESRCH;
	return n < 0 ? -EFAULT : n;
}

int call_read(const struct call *call, uint64_t address, void *buffer, size_t size)
{
	ssize_t n = read_memory(call, address, buffer, size);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EFAULT;
}

/* Through a descriptor, which stays that of the process that we asked for. */
int call_write(const struct call *call, uint64_t address, const void *buffer, size_t size)
{
	auto_close int fd = open_own(call, "mem", O_WRONLY);

	if (fd < 0)
		return -EFAULT;
	if (!call_is_alive(call))
		return -ESRCH;
	return pwrite(fd, buffer, size, (off_t)address) == (ssize_t)size ? 0 : -EFAULT;
}

int call_read_text(const struct call *call, uint64_t address, char *buffer, size_t size)
{
	ssize_t n = read_memory(call, address, buffer, size);

	if (n <= 0)
		return n < 0 ? (int)n : -EFAULT;
	if (memchr(buffer, '\0', (size_t)n))
		return 0;
	return (size_t)n == size ? -ENAMETOOLONG : -EFAULT;
}

/* ---- files ---- */

int call_open_fd(const struct call *call, int fd)
{
	char name[NAME_BYTES];
	int opened;

	snprintf(name, sizeof(name), "fd/%d", fd);
	opened = open_own(call, name, O_PATH);
	return opened == -ENOENT ? -EBADF : opened;
}

static int open_directory(const struct call *call, int dir_fd)
{
	return dir_fd == AT_FDCWD ? open_own(call, "cwd", O_PATH) : call_open_fd(call, dir_fd);
}

/* Its root becomes ours, so that links and ".." lead where they lead for it. */
static int enter_root(const struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	auto_close int fd = -1;
	char path[NAME_BYTES];
	struct statx at;

	snprintf(path, sizeof(path), "%d/root", call->pid);
	if (statx(supervisor->proc_fd, path, 0, STATX_INO | STATX_MNT_ID, &at) < 0)
		return -errno;
	if (at.stx_ino == supervisor->root_ino && at.stx_mnt_id == supervisor->root_mount)
		return 0;
	fd = open_own(call, "root", O_PATH);
	if (fd < 0)
		return fd;
	if (!call_is_alive(call))
		return -ESRCH;
	supervisor->root_ino = 0;
	if (fchdir(fd) < 0 || chroot(".") < 0 || fchdir(supervisor->proc_fd) < 0)
		return -errno;
	supervisor->root_ino = at.stx_ino;
	supervisor->root_mount = at.stx_mnt_id;
	return 0;
}

int call_open_start(struct call *call, int dir_fd, const char *text)
{
	auto_close int fd = enter_root(call);

	if (fd < 0)
		return fd;
	fd = text[0] == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
			    : open_directory(call, dir_fd);
	return fd < 0 || call_is_alive(call) ? fd_steal(&fd) : -ESRCH;
}

/* @text from its directory @dir_fd, or from its root. */
static int open_text(struct call *call, int dir_fd, const char *text, int flags)
{
	struct open_how how = { .flags = (uint64_t)flags | O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_NO_MAGICLINKS };
	auto_close int base_fd = -1;
	int fd = enter_root(call);

	if (fd < 0)
		return fd;
	if (text[0] != '/') {
		base_fd = open_directory(call, dir_fd);
		if (base_fd < 0)
			return base_fd;
		if (!call_is_alive(call))
			return -ESRCH;
	}
	fd = (int)syscall(SYS_openat2, base_fd, text, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int call_open(struct call *call, int dir_fd, uint64_t path, int flags)
{
	char text[PATH_MAX];
	int result = call_read_text(call, path, text, sizeof(text));

	if (result < 0)
		return result;
	if (!text[0])
		return flags & AT_EMPTY_PATH ? open_directory(call, dir_fd) : -ENOENT;
	result = call_look_outer(call, text, flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);
	call->is_outer = result >= 0;
	if (call->is_outer)
		return result;
	return open_text(call, dir_fd, text, flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);
}

int call_open_parent(struct call *call, int dir_fd, uint64_t path, char name[NAME_MAX + 1])
{
	char text[PATH_MAX];
	int result = call_read_text(call, path, text, sizeof(text));
	char *slash;

	if (result < 0)
		return result;
	if (!text[0])
		return -ENOENT;
	slash = strrchr(text, '/');
	if (strlen(slash ? slash + 1 : text) > NAME_MAX)
		return -ENAMETOOLONG;
	strcpy(name, slash ? slash + 1 : text);
	if (!slash)
		return open_text(call, dir_fd, ".", O_DIRECTORY);
	slash[1] = '\0'; /* "/" stays "/" */
	return open_text(call, dir_fd, text, O_DIRECTORY);
}

int call_reopen(const struct call *call, int fd)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	char path[NAME_BYTES];
	int opened;

	snprintf(path, sizeof(path), "self/fd/%d", fd);
	opened = openat(call->supervisor->proc_fd, path, flags);
	return opened < 0 ? -errno : opened;
}

/* A number of its status, after "\nKEY:\t". */
static uint64_t read_status(const struct call *call, const char *key, int base, uint64_t otherwise)
{
	auto_close int fd = open_own(call, "status", O_RDONLY);
	char text[STATUS_SIZE];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;

	if (n < 0)
		return otherwise;
	text[n] = '\0';
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, base) : otherwise;
}

mode_t call_umask(const struct call *call)
{
	return (mode_t)read_status(call, "\nUmask:\t", 8, 022) & 0777;
}

bool call_can(const struct call *call, int capability)
{
	return read_status(call, "\nCapEff:\t", 16, 0) & (UINT64_C(1) << capability);
}
