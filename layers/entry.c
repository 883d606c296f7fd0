/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the values that describe one file of a layer. Their attributes
 * are read and set in xattrs.
 */
#include "layers/entry.h"

#include <stdlib.h>

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
