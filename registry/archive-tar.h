/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_ARCHIVE_TAR_H
#define REGISTRY_ARCHIVE_TAR_H

#include "common/strbuf.h"
#include "common/tmpfile.h"
#include "layers/stream.h"
#include "layers/tarindex.h"
#include "storage/store.h"

/*
 * An archive that is read by the names of its files: a tar as it lies there, or what a pipe or a
 * compressed file gives, which is put into room of the store that has no name.
 */
struct archive_tar {
	char *path; /* as the user wrote it */
	int fd;     /* a plain tar, seekable */
	struct tmpfile spool;
	struct tarindex index;
};
#define ARCHIVE_TAR_INIT                        \
	{                                       \
		.fd = -1, .spool = TMPFILE_INIT \
	}
void archive_tar_release(struct archive_tar *tar);

/* ERR_INPUT for what is no tar, or unpacks to more than --unpack-limit allows. */
int archive_tar_open(const char *path, struct store *store, struct archive_tar *out,
		     struct err *err);

/* The content of the file @name, whole. ERR_INPUT when there is none, or one above @limit. */
int archive_tar_load(const struct archive_tar *tar, const char *name, size_t limit,
		     struct strbuf *out, struct err *err);

#endif
