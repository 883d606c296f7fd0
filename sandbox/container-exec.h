/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CONTAINER_EXEC_H
#define SANDBOX_CONTAINER_EXEC_H

#include <stdbool.h>

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/container-run.h"
#include "sandbox/detach-keys.h"

/* One more command in a container that runs. Texts and lists are the caller's. */
struct exec_options {
	const char *root; /* as for store_open */
	const char *container;
	const char *user;    /* NULL: the container's */
	const char *workdir; /* NULL: the container's */
	struct strlist env;  /* "K=V", besides the container's */
	struct strlist command;
	bool interactive;
	bool terminal;
	bool is_privileged;
	struct detach_keys detach_keys; /* by which its terminal is left; none: by no keys */
};

/*
 * To its end. It is in all of the container's namespaces and groups, with its rights and under its
 * filter. Enters the user namespace by itself: nothing may have been entered before. @observer may
 * be NULL; when its terminal is left the command goes on, and nobody sees what it shows.
 */
int container_exec(const struct exec_options *options, const struct run_observer *observer,
		   struct run_outcome *out, struct err *err);

#endif
