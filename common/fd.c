/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for descriptors: closing them, whole reads and writes, copying.
 * How a name becomes a descriptor is beneath's business.
 */
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/mem.h"

#define COPY_CHUNK_BYTES ((size_t)256 * 1024)

#ifndef RWF_DONTCACHE /* Linux 6.14 */
#define RWF_DONTCACHE 0x80
#endif

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void fd_auto_close(int *fd)
{
	fd_close(fd);
}

bool fd_write_quiet(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

int fd_write_all(int fd, const void *data, size_t len, const char *what, struct err *err)
{
	if (!fd_write_quiet(fd, data, len))
		return err_sys(err, "write '%s'", what);
	return 0;
}

ssize_t fd_read_full(int fd, void *data, size_t len, const char *what, struct err *err)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, (char *)data + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read '%s'", what);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int fd_read_all(int fd, size_t limit, struct strbuf *out, const char *what, struct err *err)
{
	size_t start = out->len;

	for (;;) {
		size_t room = 16384;
		ssize_t n;

		if (room > limit - (out->len - start))
			room = limit - (out->len - start) + 1;
		strbuf_reserve(out, room);
		n = read(fd, out->data + out->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read '%s'", what);
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (out->len - start > limit)
			return err_set(err, ERR_INPUT, "'%s' is larger than %zu bytes", what,
				       limit);
	}
}

bool fd_read_text(int dir_fd, const char *name, char *out, size_t size)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && len < size - 1) {
		n = read(fd, out + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	out[len] = '\0';
	return n >= 0;
}

static bool is_unsupported(int error)
{
	return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
	       error == EBADF || error == EPERM || error == ETXTBSY || error == EISDIR;
}

static int copy_by_buffer(int from, int to, uint64_t len, uint64_t *done, const char *what,
			  struct err *err)
{
	auto_free char *buf = mem_alloc(COPY_CHUNK_BYTES);

	while (*done < len) {
		size_t want = COPY_CHUNK_BYTES;
		ssize_t n;

		if (want > len - *done)
			want = (size_t)(len - *done);
		n = fd_read_full(from, buf, want, what, err);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		if (fd_write_all(to, buf, (size_t)n, what, err) < 0)
			return -1;
		*done += (uint64_t)n;
	}
	return 0;
}

int fd_copy(int from, int to, uint64_t len, uint64_t *out_len, const char *what, struct err *err)
{
	uint64_t done = 0;

	while (done < len) {
		size_t want = len - done > (1u << 30) ? 1u << 30 : (size_t)(len - done);
		ssize_t n = copy_file_range(from, NULL, to, NULL, want, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !is_unsupported(errno))
			return err_sys(err, "copy '%s'", what);
		/* files of proc and sysfs copy nothing that way though they have content */
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	if (copy_by_buffer(from, to, len, &done, what, err) < 0)
		return -1;
	if (out_len)
		*out_len = done;
	return 0;
}

/* Only what is not a hole; the copy gets the same length. */
static int copy_holes(int from, int to, off_t size, const char *what, struct err *err)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return err_sys(err, "find data in '%s'", what);
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || lseek(from, data, SEEK_SET) < 0 || lseek(to, data, SEEK_SET) < 0)
			return err_sys(err, "seek in '%s'", what);
		if (fd_copy(from, to, (uint64_t)(hole - data), NULL, what, err) < 0)
			return -1;
		at = hole;
	}
	if (ftruncate(to, size) < 0)
		return err_sys(err, "set the size of '%s'", what);
	return 0;
}

bool fd_clone(int from, int to)
{
	return ioctl(to, FICLONE, from) == 0;
}

int fd_copy_file(int from, int to, const struct stat *st, const char *what, struct err *err)
{
	if (st->st_size > 0 && fd_clone(from, to))
		return 0;
	if ((uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size)
		return copy_holes(from, to, st->st_size, what, err);
	return fd_copy(from, to, UINT64_MAX, NULL, what, err);
}

void fd_write_behind(int fd)
{
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* A kernel or file system that does not know the flag says so before it does anything. */
static bool is_flag_unknown(void)
{
	return errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS;
}

ssize_t fd_read_uncached(int fd, void *data, size_t len)
{
	struct iovec iov = { .iov_base = data, .iov_len = len };
	ssize_t n;

	do {
		n = preadv2(fd, &iov, 1, -1, RWF_DONTCACHE);
		if (n < 0 && is_flag_unknown())
			n = read(fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n;
}

int fd_write_uncached(int fd, const void *data, size_t len, const char *what, struct err *err)
{
	const char *p = data;

	while (len > 0) {
		struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = len };
		ssize_t n = pwritev2(fd, &iov, 1, -1, RWF_DONTCACHE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && is_flag_unknown()) {
			if (fd_write_all(fd, p, len, what, err) < 0)
				return -1;
			fd_write_behind(fd);
			return 0;
		}
		if (n < 0)
			return err_sys(err, "write '%s'", what);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_copy_uncached(int from, int to, uint64_t *out_len, const char *what, struct err *err)
{
	auto_free char *buf = NULL;
	uint64_t copied = 0;
	struct stat st;
	ssize_t n;

	if (fd_clone(from, to)) {
		if (fstat(to, &st) < 0)
			return err_sys(err, "stat the clone of '%s'", what);
		*out_len = (uint64_t)st.st_size;
		return 0;
	}
	buf = mem_alloc(COPY_CHUNK_BYTES);
	while ((n = fd_read_uncached(from, buf, COPY_CHUNK_BYTES)) > 0) {
		if (fd_write_uncached(to, buf, (size_t)n, what, err) < 0)
			return -1;
		copied += (uint64_t)n;
	}
	if (n < 0)
		return err_sys(err, "read '%s'", what);
	*out_len = copied;
	return 0;
}

bool fd_is_cached(int fd, off_t size)
{
	const off_t looks = 16;

	for (off_t i = 0; i < looks; i++) {
		char byte;
		struct iovec iov = { .iov_base = &byte, .iov_len = 1 };

		if (preadv2(fd, &iov, 1, size / looks * i, RWF_NOWAIT) != 1)
			return false;
	}
	return true;
}

const char *fd_path(int fd, char *buf)
{
	snprintf(buf, FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return buf;
}
