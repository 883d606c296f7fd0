/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RUNTIME_H
#define SANDBOX_RUNTIME_H

#include <stdbool.h>

#include "common/err.h"
#include "sandbox/description.h"
#include "sandbox/launch.h"

/*
 * Another OCI runtime (runc, crun, …) for what is to be done inside of a container. It gets a
 * bundle made of the same description, and runs in a sandbox of ours itself: in the host's files,
 * with the container's mounted into the bundle and nowhere else, as the first process of a
 * namespace. So all of it ends with the sandbox, however that ends.
 */
struct runtime_spec {
	const char *program; /* a path, or looked up in PATH */
	const char *id;
	int dir_fd;               /* a directory for the bundle: "bundle" is made in it */
	const char *cgroups_path; /* of cgroup_foresee; NULL: the runtime's choice */
	bool has_filter;          /* our own */
};

/* ERR_SYSTEM where there is no such program, or this rung of ours is none for it. */
int runtime_check(const char *program, struct err *err);

/* The sandbox in which it works. */
struct runtime {
	struct sandbox_description description;
	int host_fd; /* its root */
};
#define RUNTIME_INIT                                                   \
	{                                                              \
		.description = SANDBOX_DESCRIPTION_INIT, .host_fd = -1 \
	}
#define auto_runtime __attribute__((cleanup(runtime_release)))
void runtime_release(struct runtime *runtime);

/*
 * Write the bundle of @container, whose descriptors are borrowed as long as the sandbox runs. What
 * the runtime ends with is the status of the command, or its own when it could not run it.
 */
int runtime_prepare(const struct runtime_spec *spec, const struct sandbox_description *container,
		    struct runtime *out, struct err *err);
/* As sandbox_start. */
int runtime_start(const struct runtime_spec *spec, const struct runtime *runtime,
		  const int stdio[3], struct sandbox *out, struct err *err);

/*
 * A bundle for who comes after us, in the directory @path: its root is mounted in our mount
 * namespace, and stays so.
 */
int runtime_leave_bundle(const char *path, const struct sandbox_description *container,
			 bool has_filter, struct err *err);

#endif
