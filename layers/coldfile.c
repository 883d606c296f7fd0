/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for having a file that is not in memory there when it is read. The kernel's own
 * readahead asks for some 128 KiB at a time, and each of them is waited for: where the disk answers
 * late, because it is far away or the processors are busy, that is most of the time.
 */
#include "layers/coldfile-internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/fd.h"

#define STEP_BYTES ((off_t)2 * 1024 * 1024)
#define MIN_BYTES  (2 * STEP_BYTES)

/* Advice: who does not take it reads as before. */
static void ask(struct coldfile *file)
{
	(void)posix_fadvise(file->fd, file->asked, STEP_BYTES, POSIX_FADV_WILLNEED);
	file->asked += STEP_BYTES;
}

static void give_back(struct coldfile *file)
{
	if (!file->is_last_look)
		return;
	(void)posix_fadvise(file->fd, file->given_back, file->at - file->given_back,
			    POSIX_FADV_DONTNEED);
	file->given_back = file->at;
}

void coldfile_open(struct coldfile *file, int fd, off_t size, bool is_last_look)
{
	*file = (struct coldfile){ .fd = fd, .is_last_look = is_last_look };
	file->is_open = size >= MIN_BYTES && !fd_is_cached(fd, size);
	if (file->is_open)
		ask(file);
}

ssize_t coldfile_read(struct coldfile *file, void *data, size_t len)
{
	ssize_t n;

	while (file->asked - file->at < 2 * STEP_BYTES)
		ask(file);
	n = read(file->fd, data, len);
	if (n > 0)
		file->at += n;
	if (file->at - file->given_back >= STEP_BYTES)
		give_back(file);
	return n;
}

void coldfile_close(struct coldfile *file)
{
	if (file->is_open)
		give_back(file);
	file->is_open = false;
}
