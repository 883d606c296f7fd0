/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_ARCHIVE_FILE_H
#define REGISTRY_ARCHIVE_FILE_H

#include <stdbool.h>

#include "common/err.h"
#include "layers/stream.h"

/*
 * Where an archive goes. A regular file is replaced when the new one is complete;
 * into a pipe or device, and into what is our standard output by another name
 * (/dev/stdout), it is written as it comes. ERR_USAGE for a terminal or a directory.
 */
typedef int (*archive_fn)(void *context, struct sink *sink, struct err *err);

/* @fn writes all of it and does not finish the sink. */
int archive_file_write(const char *path, archive_fn fn, void *context, bool *out_used_stdout,
		       struct err *err);

#endif
