/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RUN_INTERNAL_H
#define SANDBOX_RUN_INTERNAL_H

#include <limits.h>
#include <stdbool.h>

#include "common/err.h"
#include "sandbox/cgroup.h"
#include "sandbox/container-run.h"
#include "sandbox/description.h"
#include "sandbox/device.h"
#include "sandbox/network.h"
#include "sandbox/procview.h"
#include "sandbox/user.h"
#include "storage/container-state.h"
#include "storage/container.h"
#include "storage/image.h"

/* Everything that a run holds; filled from top to bottom. */
struct run {
	struct store *store;
	const struct run_options *options;
	struct run_options *namespaces_of; /* the same: its namespaces are opened */
	const struct own_ids *ids;
	const struct run_settings *settings;
	struct volumes *volumes;
	struct image image;
	struct strlist argv;
	struct container container;
	int *lowers; /* the image's layers, and room for the init layer */
	size_t lower_count;
	int view_fd;
	struct user_ids user;
	char kept_user[24]; /* --userns=keep-id: who it is when nobody has said it */
	char hostname[HOST_NAME_MAX + 1];
	int seccomp_fd;
	int root_fd;
	bool is_bundled; /* its root is mounted, and stays so */
	int log_fd;      /* of one that runs in the background */
	int control_fd;
	struct device_grants devices;
	struct strlist ports; /* of the host, that lead into it */
	struct network network;
	struct procview procview;
	struct container_state state;
};
#define RUN_INIT                                                                                   \
	{                                                                                          \
		.image = IMAGE_INIT, .container = CONTAINER_INIT, .view_fd = -1, .seccomp_fd = -1, \
		.root_fd = -1, .log_fd = -1, .control_fd = -1, .network = NETWORK_INIT,            \
		.procview = PROCVIEW_INIT,                                                         \
	}

/* The image's layers and all that is mounted of them are let go. */
void run_release_mounts(struct run *run);

/* The container, with its init layer, mounted at root_fd; volumes are open. */
/* Who it is to be, as text; NULL: nobody has said it. */
const char *run_user(const struct run *run);
int run_make_tree(struct run *run, struct err *err);

/* What the sandbox is to do. It borrows what the run has opened. */
int run_describe(struct run *run, struct sandbox_description *out, struct err *err);

/* What is told of it: in its state, by --cidfile. */
void run_fill_state(struct run *run, const struct sandbox_description *description,
		    const struct cgroup *cgroup);
int run_save_state(const struct run *run, struct err *err);
int run_write_cid(const struct run *run, struct err *err);
void run_note_end(struct run *run, const struct cgroup *cgroup, int status);
char *run_time_text(void); /* now, the caller's to free */

/* The file that imgstore logs shows, at log_fd. */
int run_open_log(struct run *run, struct err *err);

/* By ourselves: to its end. *out_began: the command was executed, whatever came of it. */
int run_in_sandbox(struct run *run, const struct sandbox_description *description,
		   const struct run_observer *observer, bool *out_began, struct run_outcome *out,
		   struct err *err);

/* By another runtime to its end, and for one: a bundle that stays. */
int run_by_runtime(struct run *run, const struct sandbox_description *description,
		   const char *cgroups_path, bool *out_began, struct run_outcome *out,
		   struct err *err);
int run_make_bundle(struct run *run, const struct sandbox_description *description, bool *out_began,
		    struct err *err);

#endif
