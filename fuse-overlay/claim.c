/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for who writes into a directory: one daemon, for each remembers for ever what it has seen there, and
 * clears the work directory when it begins. The kernel releases the lock, however the daemon ends.
 */
#include "fuse-overlay/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"

/* An unmount is over before the daemon is. */
#define PAUSE_MS 20
#define TRIES    (3000 / PAUSE_MS)

int claim_dir(int dir_fd, const char *path, int *out_fd, struct err *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	auto_close int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		if (i == TRIES)
			return err_set(err, ERR_SYSTEM,
				       "'%s' is in use by another mount: unmount that, or end its imgoverlay",
				       path);
		nanosleep(&pause, NULL);
	}
	*out_fd = fd_steal(&fd);
	return 0;
}
