/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RUNTIME_H
#define SANDBOX_RUNTIME_H

#include <stdbool.h>

#include "common/err.h"
#include "sandbox/description.h"

/*
 * Another OCI runtime (runc, crun, …) in the place of our sandbox program: it gets a bundle
 * made of the same description.
 */
struct runtime_spec {
	const char *program; /* looked up in PATH */
	const char *id;
	int dir_fd;         /* a directory for the bundle: "bundle" is made in it */
	const char *bundle; /* where it is made in its place, to last; NULL: there */
	bool has_filter;
};

/* Before there is a thread, and before any root is mounted: a mount namespace that ends with us. */
int runtime_prepare(struct err *err);

/*
 * Write @dir_fd/bundle/config.json, and attach the description's root at bundle/rootfs of our
 * mount namespace. *out_path is the caller's to free: the bundle's path.
 */
int runtime_make_bundle(const struct runtime_spec *spec,
			const struct sandbox_description *description, char **out_path,
			struct err *err);

/*
 * Run it to its end with @stdio; signals that come to us are handed on, and the third SIGINT or
 * SIGTERM ends it by force, as our own end does. For a process with one thread. *out_status is of
 * waitpid(2): the runtime's, which is the command's.
 */
int runtime_run(const struct runtime_spec *spec, const char *bundle_path, const int stdio[3],
		int *out_status, struct err *err);

#endif
