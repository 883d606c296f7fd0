/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PLAN_CHANGES_H
#define BUILDER_PLAN_CHANGES_H

#include <stdbool.h>

#include "common/err.h"
#include "common/strlist.h"

/* What the command line changes in what the Buildfile says. */
struct plan_changes {
	const char *from;         /* the base of the first stage; or NULL. Borrowed */
	bool keeps_unused_stages; /* those before the target that it does not need */
	struct strlist uncached;  /* names and numbers of stages whose every step is done */
	struct strlist env;       /* "KEY=value": an ENV at the head of each stage */
	struct strlist unset_env; /* names that the image that comes out has not */
	struct strlist unset_labels;
	struct strlist proxies; /* "KEY=value", of our own environment: for RUN, unless a build
				   argument says otherwise */
};

void plan_changes_release(struct plan_changes *changes);

/* One --env: "KEY=value", or "KEY" with the value of our own environment, if any. ERR_USAGE. */
int plan_changes_add_env(struct plan_changes *changes, const char *text, struct err *err);

/* One --no-cache-filter: names and numbers with commas between. ERR_USAGE when one is empty. */
int plan_changes_add_uncached(struct plan_changes *changes, const char *text, struct err *err);

/* The proxies of our own environment. */
void plan_changes_take_proxies(struct plan_changes *changes);

#endif
