/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the values that describe one file of a layer. Their attributes
 * are read and set in xattrs.
 */
#include "layers/entry.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/record.h"

void entry_release(struct entry *entry)
{
	free(entry->path);
	free(entry->link);
	xattrs_release(&entry->xattrs);
	*entry = (struct entry)ENTRY_INIT;
}

const char *entry_type_name(enum entry_type type)
{
	switch (type) {
	case ENTRY_FILE:
		return "file";
	case ENTRY_DIRECTORY:
		return "directory";
	case ENTRY_SYMLINK:
		return "symlink";
	case ENTRY_HARDLINK:
		return "hard link";
	case ENTRY_CHAR_DEVICE:
		return "character device";
	case ENTRY_BLOCK_DEVICE:
		return "block device";
	case ENTRY_FIFO:
		return "fifo";
	case ENTRY_WHITEOUT:
		return "whiteout";
	case ENTRY_OPAQUE:
		return "opaque mark";
	}
	return "unknown";
}

/* Owner before mode and attributes, which a change of owner would clear; times last. */
static int dress(int from_fd, int to_fd, enum overlay_ns ns, const struct xattrs *xattrs,
		 const char *path, struct err *err)
{
	struct stat st;

	if (record_stat(from_fd, "", ns, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	if (record_chown(to_fd, "", ns, st.st_uid, st.st_gid) < 0)
		return err_sys(err, "set the owner of '%s'", path);
	if (fchmod(to_fd, st.st_mode & 07777) < 0)
		return err_sys(err, "set the mode of '%s'", path);
	if (xattrs_apply(to_fd, ns, xattrs, path, err) < 0)
		return -1;
	if (futimens(to_fd, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return err_sys(err, "set the times of '%s'", path);
	return 0;
}

int entry_copy_metadata(int from_fd, int to_fd, enum overlay_ns ns, const char *path,
			struct err *err)
{
	struct xattrs xattrs = { .items = NULL };
	int result = xattrs_load_view(from_fd, ns, &xattrs, path, err);

	if (result == 0)
		result = dress(from_fd, to_fd, ns, &xattrs, path, err);
	xattrs_release(&xattrs);
	return result;
}

int entry_copy_on_disk(int from_fd, int to_fd, enum overlay_ns ns, const char *path,
		       struct err *err)
{
	struct xattrs xattrs = { .items = NULL };
	int result = xattrs_load(from_fd, ns, &xattrs, path, err);

	if (result == 0)
		result = dress(from_fd, to_fd, ns, &xattrs, path, err);
	xattrs_release(&xattrs);
	return result;
}
