/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_PROCVIEW_H
#define SANDBOX_PROCVIEW_H

#include "common/err.h"
#include "common/proc.h"
#include "common/strlist.h"
#include "sandbox/description.h"

/*
 * The files of /proc that show a container its limits, and how much it has used: cpuinfo, loadavg,
 * meminfo, stat, uptime. They are a file system of a program of ours, which ends with the last
 * mount of it, and so with the container.
 */
struct procview {
	int mount_fd;
	int64_t began_s; /* by the boot clock */
	struct child server;
};
#define PROCVIEW_INIT                                \
	{                                            \
		.mount_fd = -1, .server = CHILD_INIT \
	}
#define auto_procview __attribute__((cleanup(procview_release)))
/* Ends the program, if the container's end has not. */
void procview_release(struct procview *procview);

/* @groups: the container's control groups, by path. ERR_SYSTEM where there is no FUSE. */
int procview_start(const struct strlist *groups, struct procview *out, struct err *err);
/*
 * Into a description with all defaults. Its boot clock begins with the container too: by it
 * programs tell when a process began.
 */
void procview_describe(const struct procview *procview, struct sandbox_description *out);

#endif
