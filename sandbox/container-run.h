/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CONTAINER_RUN_H
#define SANDBOX_CONTAINER_RUN_H

#include "common/err.h"
#include "sandbox/run-options.h"
#include "storage/store.h"

/* What became of it. */
struct run_outcome {
	int status;     /* of waitpid(2) */
	int exec_errno; /* the command could not be executed: ERR_STEP, and why */
};

/* Who is told, each once. */
struct run_observer {
	void (*started)(void *context, const char *id);
	/* Whoever typed at it has left it to itself; NULL: that cannot be. */
	void (*left)(void *context, const char *name);
	void *context;
};

/*
 * Run a container of the image to its end. It stays in the store, unless remove_after or its
 * command never began. Opens the volumes and namespaces of @options.
 */
int container_run(struct store *store, struct run_options *options,
		  const struct run_observer *observer, struct run_outcome *out, struct err *err);

/* As shells say it of a waitpid status: 128 and the signal, or the status. */
int run_exit_status(int status);

#endif
