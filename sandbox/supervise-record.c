/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what is recorded of a file that a supervised process named, and for recording it. */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "common/fd.h"
#include "layers/record.h"

/* Asked of nearly every file, of which nearly none has a record: one call. Relative, for our
 * working directory is /proc. */
static bool may_have_attribute(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "self/fd/%d", fd);
	return getxattr(path, RECORD_NAME, NULL, 0) >= 0;
}

int supervise_stat(const struct call *call, int fd, struct stat *out, bool *out_is_recorded)
{
	auto_close int reading_fd = -1;
	enum overlay_ns ns;
	struct stat raw;

	*out_is_recorded = false;
	if (fstat(fd, &raw) < 0)
		return -errno;
	*out = raw;
	ns = call->supervisor->only_devices ? OVERLAY_USER : OVERLAY_RECORDED;
	/* an empty file may stand for a device; nothing else is recorded then */
	if (!record_has_owners(ns) && (!S_ISREG(raw.st_mode) || raw.st_size > 0))
		return 0;
	if (record_is_attribute(raw.st_mode)) {
		if (!may_have_attribute(fd))
			return 0;
		fd = reading_fd = call_reopen(call, fd);
		if (fd < 0)
			return fd;
	}
	if (record_stat(fd, "", ns, out) < 0)
		return -errno;
	*out_is_recorded = out->st_uid != raw.st_uid || out->st_gid != raw.st_gid ||
			   out->st_mode != raw.st_mode;
	return 0;
}

int supervise_chown(const struct call *call, int fd, uid_t uid, gid_t gid)
{
	auto_close int reading_fd = -1;
	struct stat raw;

	if (fstat(fd, &raw) < 0)
		return -errno;
	if (record_is_attribute(raw.st_mode)) {
		fd = reading_fd = call_reopen(call, fd);
		if (fd < 0)
			return fd;
	}
	return record_chown(fd, "", OVERLAY_RECORDED, uid, gid) < 0 ? -errno : 0;
}
