/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROC_INTERNAL_H
#define COMMON_PROC_INTERNAL_H

#include "common/err.h"

/*
 * A file in memory to be a child's stderr. It cannot grow past a limit, so that
 * a child that says too much is told so by its write(2), and nobody has to read
 * while it runs.
 */
int proc_stderr_open(struct err *err);

/* The last line that was written to it, fit for a terminal. Returns @buf (PROC_LINE_MAX bytes). */
#define PROC_LINE_MAX 512
const char *proc_stderr_line(int fd, char *buf);

#endif
