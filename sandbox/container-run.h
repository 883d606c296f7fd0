/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CONTAINER_RUN_H
#define SANDBOX_CONTAINER_RUN_H

#include <stdbool.h>

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/initlayer.h"
#include "sandbox/run-settings.h"
#include "storage/store.h"

/* What imgrun is asked for. All strings and lists are the caller's. */
struct run_options {
	const char *image;
	const char *platform;   /* as given, or NULL */
	const char *name;       /* of the container; NULL: made up */
	const char *entrypoint; /* NULL: the image's; "": none */
	const char *user;       /* NULL: the image's */
	const char *workdir;    /* NULL: the image's */
	const char *hostname; /* NULL: the host's own, or for a network of its own the ID's begin */
	enum sandbox_network network;
	struct strlist command; /* empty: the image's, unless entrypoint is given */
	struct strlist env;     /* "K=V", the later one wins */
	struct run_settings settings;
	struct strlist cap_add;
	struct strlist cap_drop;
	bool remove_after;
	bool read_only;
	bool interactive; /* stdin goes to the container; else it reads nothing */
	bool terminal;
	bool print_description; /* instead of running */
};

void run_options_release(struct run_options *options);

/*
 * Run a container of the image to its end. *out_status is its waitpid status.
 * The command could not be executed: ERR_STEP, *out_exec_errno set. The
 * container stays in the store, unless remove_after or its command never began. Opens the
 * volumes of @options.
 */
int container_run(struct store *store, struct run_options *options, int *out_status,
		  int *out_exec_errno, struct err *err);

#endif
