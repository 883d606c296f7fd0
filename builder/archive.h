/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ARCHIVE_H
#define BUILDER_ARCHIVE_H

#include <stdbool.h>

#include "common/err.h"
#include "layers/stream.h"

/*
 * Does @fd, a regular file at offset 0, hold a tar, maybe compressed? Looks at the
 * content, never at the name: a compressed file is one only if what it holds
 * begins with the header of an entry. The offset is 0 again.
 */
int archive_detect(int fd, const char *what, bool *out_is_archive, struct err *err);

/* The uncompressed tar. Borrows @fd. */
struct source *archive_open(int fd, const char *what, struct err *err);

#endif
