/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_CREW_H
#define COMMON_CREW_H

#include <stddef.h>

#include "common/err.h"

/* One piece of work. */
typedef int (*crew_fn)(void *context, size_t index, struct err *err);

/*
 * Do the pieces 0 … @count - 1, begun in this order, by up to @threads threads at a time, of which
 * the caller's is one; fewer where the host gives fewer. After an error no
 * further one is begun; the error is that of the first that failed.
 */
int crew_run(size_t count, size_t threads, crew_fn fn, void *context, struct err *err);

#endif
