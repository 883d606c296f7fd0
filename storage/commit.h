/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_COMMIT_H
#define STORAGE_COMMIT_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strlist.h"
#include "storage/container.h"
#include "storage/store.h"

struct commit_options {
	const char *name;              /* of the image; NULL: none */
	const char *comment;           /* NULL: none */
	const char *author;            /* NULL: the image's */
	const struct strlist *command; /* of the history; may be NULL */
	bool keeps_container;          /* its files are copied; else they become the layer */
};

/*
 * An image of what a stopped, locked container has changed: one layer above its image's, or
 * none when nothing differs. What the init layer shows is never in it. Without keeps_container
 * the container's files are gone afterwards, and it can only be removed.
 */
int container_commit(struct store *store, struct container *container,
		     const struct commit_options *options, struct digest *out_id, struct err *err);

#endif
