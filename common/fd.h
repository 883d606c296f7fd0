/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FD_H
#define COMMON_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/strbuf.h"

/* A descriptor that is closed at the end of its scope; -1 is "none". */
#define auto_close __attribute__((cleanup(fd_auto_close)))
void fd_auto_close(int *fd);

/* Give an auto_close descriptor away. */
static inline int fd_steal(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Close *fd if it is open and set it to -1. */
void fd_close(int *fd);

/* Write all of it; retries short writes and EINTR. @what names the target in the error. */
int fd_write_all(int fd, const void *data, size_t len, const char *what, struct err *err);

/* The same where nobody can be told: true when all was written. */
bool fd_write_quiet(int fd, const void *data, size_t len);

/* Up to @len bytes, short only at the end of the file; the count, or -1. Retries EINTR. */
ssize_t fd_read_full(int fd, void *data, size_t len, const char *what, struct err *err);

/*
 * Append the rest of @fd to @out. ERR_INPUT when it holds more than @limit
 * bytes: nothing larger is ever allocated.
 */
int fd_read_all(int fd, size_t limit, struct strbuf *out, const char *what, struct err *err);

/*
 * What a small file of the kernel's says, NUL-terminated; what does not fit is left out. @name is
 * relative to @dir_fd. false, and errno, when it cannot be read.
 */
bool fd_read_text(int dir_fd, const char *name, char *out, size_t size);

/*
 * Copy @len bytes (or to the end when @len is UINT64_MAX) from the current
 * offset of @from to that of @to: reflink or copy_file_range where the file
 * systems can, else through a buffer. The number of bytes copied in *out_len
 * when out_len is not NULL. Holes are not looked for.
 */
int fd_copy(int from, int to, uint64_t len, uint64_t *out_len, const char *what, struct err *err);

/*
 * Have @to, an empty file open for writing, share all that @from holds. False, with nothing done, where
 * the file systems cannot. The content is on disk then, and who sees @to after a crash sees it whole:
 * before it is shared it is written, and after that it is a matter of the journal.
 */
bool fd_clone(int from, int to);

/*
 * Make @to, an empty file, one like @from, a regular file that is @st and stands at its beginning:
 * a clone where the file system can, else a copy with the same holes. Both offsets move.
 */
int fd_copy_file(int from, int to, const struct stat *st, const char *what, struct err *err);

/*
 * Let the disk begin with what was written into @fd: a hint, for a large file that is to be on
 * disk in the end. Call it every FD_WRITE_BEHIND_BYTES or so; returns at once.
 */
#define FD_WRITE_BEHIND_BYTES ((uint64_t)8 * 1024 * 1024)
void fd_write_behind(int fd);

/*
 * Read and write what nobody will look at again soon: the file system is told to keep no pages of it
 * (RWF_DONTCACHE), so that the same few are used over and over, and those of others stay. What is in
 * memory already stays there. Where the kernel cannot, like read and write; writes are told to the
 * disk at once and should be of whole pages. fd_read_uncached is as read(2), EINTR retried.
 */
ssize_t fd_read_uncached(int fd, void *data, size_t len);
int fd_write_uncached(int fd, const void *data, size_t len, const char *what, struct err *err);

/*
 * Make @to, an empty file, hold all of @from, which stands at its beginning and which nobody will
 * look at again soon, as nobody will at the copy: a clone where the file system can, else by few
 * pages. Its length in *out_len.
 */
int fd_copy_uncached(int from, int to, uint64_t *out_len, const char *what, struct err *err);

/* Whether @size bytes can be read without the disk, as far as a few looks tell. */
bool fd_is_cached(int fd, off_t size);

/* "/proc/self/fd/N" for calls that take only a path. @buf holds FD_PATH_MAX bytes; returns @buf. */
#define FD_PATH_MAX 32
const char *fd_path(int fd, char *buf);

#endif
