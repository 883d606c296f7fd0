/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LINES_H
#define COMMON_LINES_H

#include <stddef.h>

#include "common/err.h"

/* Gets each line without its end ("\n" or "\r\n"); may change it. */
typedef int (*line_fn)(void *context, char *line, struct err *err);

/*
 * A small file of the user's, line by line. What @fn says of a line gets the place in front,
 * "FILE:7: …". ERR_INPUT for more than @limit bytes, or a NUL among them.
 */
int lines_each(const char *path, size_t limit, line_fn fn, void *context, struct err *err);

#endif
