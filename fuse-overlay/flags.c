/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what chattr(1) and lsattr(1) ask: a file's flags and its project. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "common/fd.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/place.h"

int overlay_ioctl(struct overlay *overlay, struct node *node, unsigned int command, void *data)
{
	bool sets = command == FS_IOC_SETFLAGS || command == FS_IOC_FSSETXATTR;
	auto_where struct where where = WHERE_INIT;
	auto_close int fd = -1;
	int r;

	if (!sets && command != FS_IOC_GETFLAGS && command != FS_IOC_FSGETXATTR)
		return -ENOTTY;
	r = sets ? copyup(overlay, node, COPYUP_ALL) : 0;
	if (r < 0)
		return r;
	latch_lock(&node->latch);
	r = where_get(overlay, node, &where);
	if (r == 0) {
		fd = where_open(&where, O_RDONLY | O_NONBLOCK);
		r = fd;
	}
	latch_unlock(&node->latch);
	if (r < 0)
		return r;
	return ioctl(fd, command, data) < 0 ? -errno : 0;
}
