/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_HOST_H
#define STORAGE_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/userns.h"
#include "storage/store.h"

/* What this host allows whoever runs us: a question each, its answer, and what it means. */
struct host_answer {
	const char *name; /* "user-namespaces" */
	bool is_yes;
	char detail[600]; /* what it is; or why not, and what would change that */
};

/*
 * @store may be NULL when it cannot be opened. Call before userns_enter for the first, after it
 * for the second part, each of which fills @out from the beginning; returns how many.
 */
#define HOST_ANSWERS_MAX 8
size_t host_ask_outside(struct host_answer out[HOST_ANSWERS_MAX]);
size_t host_ask_inside(struct store *store, const struct userns *userns,
		       struct host_answer out[HOST_ANSWERS_MAX]);

#endif
