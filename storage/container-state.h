/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CONTAINER_STATE_H
#define STORAGE_CONTAINER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/json.h"
#include "common/strlist.h"

/*
 * What is known of a container besides its files: containers/ID/state, JSON, written whole by
 * who runs it. Whether it runs is told by the lock on its directory alone; what is said of a
 * process is true only while it does.
 */
struct container_state {
	int64_t pid; /* its first process, as the host counts; 0: it has not begun */
	struct strlist command;
	struct strlist env; /* "K=V" */
	char *cwd;
	char *user;            /* as it was given, or the image's */
	struct strlist groups; /* --group-add */
	int64_t capabilities;
	bool no_new_privileges;
	bool is_privileged;
	char *seccomp;          /* a profile's path, "unconfined", or NULL for our own */
	char *apparmor_profile;
	char *selinux_label;
	struct strlist volumes; /* for others: sandbox/volume-lent.h */
	struct strlist labels;  /* "K=V" */
	struct strlist cgroups; /* directories that its processes are in */
	struct strlist stubs;   /* where the files lie that are made for it ("etc/hosts") */
	char *bundle;           /* the OCI bundle that shows its files; NULL: none */
	struct strlist ports;   /* "8080:80/tcp" */
	int64_t stop_signal;
	int64_t stop_timeout_s;
	bool is_detached;
	bool removes_itself;
	bool has_terminal;
	char *started;       /* RFC 3339 */
	char *ended;         /* NULL: it has not, or nobody was there to see */
	int64_t exit_status; /* as imgrun gives it */
	bool was_short_of_memory;
};
#define auto_container_state __attribute__((cleanup(container_state_release)))
void container_state_release(struct container_state *state);

#define CONTAINER_LOG "log" /* in the container's directory: what it wrote, when detached */

int container_state_save(int dir_fd, const struct container_state *state, struct err *err);
/* One that has none yet is all empty. ERR_INPUT for a file that is none. */
int container_state_load(int dir_fd, struct container_state *out, struct err *err);
/* For imgstore inspect and ps. */
struct json *container_state_json(const struct container_state *state);
int container_state_parse(const char *data, size_t len, struct container_state *out,
			  struct err *err);

#endif
