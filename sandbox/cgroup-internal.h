/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CGROUP_INTERNAL_H
#define SANDBOX_CGROUP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/resources.h"

/* ---- cgroup-host.c: what this host has ---- */

struct cgroup_hierarchy {
	bool is_v2;
	char *mount;                /* "/sys/fs/cgroup/memory" */
	char *own;                  /* our group below it: "" or "/a/b" */
	struct strlist controllers; /* "memory", …; of version 2 those that our groups could have */
};
struct cgroup_host {
	struct cgroup_hierarchy *items;
	size_t count;
};
#define auto_cgroup_host __attribute__((cleanup(cgroup_host_release)))
void cgroup_host_release(struct cgroup_host *host);
int cgroup_host_read(struct cgroup_host *out, struct err *err);
/* The texts of /proc/self/mountinfo and /proc/self/cgroup; controllers of version 2 are left empty.
 */
void cgroup_host_parse(char *mountinfo, char *cgroup, struct cgroup_host *out);
/* The first that has it, or NULL. "devices" of version 2 is no controller: any will do. */
const struct cgroup_hierarchy *cgroup_host_find(const struct cgroup_host *host,
						const char *controller);

/* ---- cgroup-v1.c, cgroup-v2.c: which files say it ---- */

/* To be written in this order. */
struct cgroup_setting {
	const char *file;
	char *value;
	const char *or_file; /* another name of it in other kernels; NULL: none */
	bool is_optional;    /* where there is no such file, nobody asked for it by name */
};
struct cgroup_plan {
	struct cgroup_setting *items;
	size_t count;
};
#define auto_cgroup_plan __attribute__((cleanup(cgroup_plan_release)))
void cgroup_plan_release(struct cgroup_plan *plan);
/* Takes the value. Returns the row. */
struct cgroup_setting *cgroup_plan_add(struct cgroup_plan *plan, const char *file, char *value);

/* The part of @resources that @controller (as version 1 calls it) gives. */
void cgroup_v1_plan(const char *controller, const struct resources *resources,
		    struct cgroup_plan *out);
void cgroup_v2_plan(const char *controller, const struct resources *resources,
		    struct cgroup_plan *out);

/* ---- cgroup.c: where a group can be, for who does not make it himself ---- */

/* The group in which it is made: with its full path, the caller's to free. */
char *cgroup_base(const struct cgroup_hierarchy *hierarchy, const char *parent, struct err *err);
/* Fails as cgroup_create would where a limit cannot be given. */
int cgroup_check(const struct cgroup_host *host, const struct resources *resources,
		 struct err *err);
#define CGROUP_NAME_BYTES 17
int cgroup_random_name(char *out, struct err *err);

/* ---- cgroup-devices.c: devices in version 2 ---- */

/* A program that lets the group at @dir_fd open the devices of @resources and no others. */
int cgroup_devices_attach(int dir_fd, const struct resources *resources, struct err *err);
/* May we load one? */
bool cgroup_devices_can_attach(void);

#endif
