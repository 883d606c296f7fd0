/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RUNMOUNT_H
#define BUILDER_RUNMOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/ast.h"
#include "builder/expand.h"
#include "common/err.h"

/*
 * RUN --mount=key=value,… , typed. CSV: a field in double quotes may hold
 * commas, "" is a quote inside. Each value but that of from= is expanded. What
 * depends on the stage (WORKDIR, the name of a default target) is left to the
 * plan.
 */
enum run_mount_type {
	RUN_MOUNT_BIND,
	RUN_MOUNT_CACHE,
	RUN_MOUNT_TMPFS,
	RUN_MOUNT_SECRET,
	RUN_MOUNT_SSH,
};
extern const char *const run_mount_type_names[]; /* "bind"…, ended by NULL */

enum run_mount_sharing { RUN_SHARING_SHARED, RUN_SHARING_PRIVATE, RUN_SHARING_LOCKED };

struct run_mount {
	enum run_mount_type type;
	char *from;   /* NULL: the build context (bind), nothing (cache) */
	char *source; /* NULL: not given, as all strings here */
	char *target;
	char *id;
	char *env;         /* secret: the variable that gets the value; "" means its id */
	bool is_read_only; /* the type's own default if not given: bind, secret and ssh true */
	bool is_required;
	enum run_mount_sharing sharing;
	uint64_t size_bytes; /* tmpfs; 0: not given */
	bool has_mode;
	bool has_uid;
	bool has_gid;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
};

#define RUN_MOUNT_INIT                 \
	{                              \
		.type = RUN_MOUNT_BIND \
	}
#define auto_run_mount __attribute__((cleanup(run_mount_release)))
void run_mount_release(struct run_mount *mount);

/* ERR_INPUT without a place (flag->at is it) when an option is unknown or does not fit the type. */
int run_mount_resolve(const struct mount_flag *flag, const struct expand_scope *scope, char escape,
		      struct run_mount *out, struct err *err);

#endif
