/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a container from its image to its end. What it sees is made in run-tree.c and
 * described in run-describe.c, what it runs put together in run-plan.c; run-sandbox.c runs it.
 */
#include "sandbox/container-run.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "sandbox/foreign.h"
#include "sandbox/procview.h"
#include "sandbox/run-internal.h"
#include "sandbox/run-plan.h"
#include "sandbox/volume-lent.h"
#include "storage/commit.h"
#include "storage/container-control.h"
#include "storage/mount.h"

#define EXIT_SIGNAL_BASE 128

static void run_release(struct run *run)
{
	run_release_mounts(run);
	fd_close(&run->seccomp_fd);
	fd_close(&run->log_fd);
	fd_close(&run->control_fd);
	device_grants_release(&run->devices);
	strlist_release(&run->ports);
	network_release(&run->network);
	procview_release(&run->procview);
	container_state_release(&run->state);
	user_ids_release(&run->user);
	container_release(&run->container);
	strlist_release(&run->argv);
	image_release(&run->image);
}
#define auto_run __attribute__((cleanup(run_release)))

/* ---- before there is a container ---- */

static int check_terminal(const struct run_options *options, struct err *err)
{
	if (options->terminal && options->interactive && !isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE,
			       "--tty with --interactive: standard input is not a terminal");
	return 0;
}

/* Nobody asked for another machine's image: it may be a mistake, and may run all the same. */
static void warn_of_platform(const struct run *run)
{
	const struct platform *have = &run->image.config.platform;
	auto_platform struct platform native = { .os = NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;

	platform_host(&native);
	if (run->options->platform || !have->os || !have->architecture ||
	    strcmp(have->architecture, native.architecture) == 0)
		return;
	platform_format(have, &text);
	if (foreign_check(run->store, have, &err) < 0)
		log_warn("image '%s' is for %s: %s", run->options->image, text.data, err.text);
}

/* All that can be wrong with the command line and the image is found out first. */
static int prepare(struct run *run, struct err *err)
{
	const struct run_options *options = run->options;

	if (check_terminal(options, err) < 0 || network_ports_check(&options->ports, err) < 0 ||
	    volumes_add_from(run->volumes, &options->volumes_from, run->store, err) < 0 ||
	    volumes_open(run->volumes, err) < 0 ||
	    image_get_for(run->store, options->image, options->platform, &run->image, err) < 0)
		return -1;
	warn_of_platform(run);
	return run_plan_argv(&run->image.config.config, options, &run->argv, err);
}

/* ---- running ---- */

static int print_description(const struct sandbox_description *description, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	sandbox_description_print(description, &text);
	return fd_write_all(STDOUT_FILENO, text.data, text.len, "standard output", err);
}

static int show_limits(struct run *run, const struct cgroup *cgroup,
		       struct sandbox_description *description, struct err *err)
{
	if (!run->options->shows_limits)
		return 0;
	if (sandbox_is_chroot(description))
		return err_set(err, ERR_SYSTEM,
			       "--limits-in-proc: nothing can be mounted in a container that is a "
			       "chroot");
	if (procview_start(&cgroup->dirs, &run->procview, err) < 0)
		return -1;
	procview_describe(&run->procview, description);
	return 0;
}

/* The groups are the other's to make. */
static int run_elsewhere(struct run *run, const struct sandbox_description *description,
			 bool *out_began, struct run_outcome *out, struct err *err)
{
	auto_cgroup struct cgroup cgroup = CGROUP_INIT;
	auto_free char *cgroups_path = NULL;

	run_fill_state(run, description, &cgroup);
	if (run->options->bundle)
		return run_write_cid(run, err) < 0
			       ? -1
			       : run_make_bundle(run, description, out_began, err);
	run->control_fd = control_listen(run->container.dir_fd, err);
	if (run->control_fd < 0 || run_write_cid(run, err) < 0 ||
	    cgroup_foresee(run->store, run->container.id, &description->resources, &cgroup,
			   &cgroups_path, err) < 0 ||
	    run_by_runtime(run, description, cgroups_path, out_began, out, err) < 0)
		return -1;
	run_note_end(run, &cgroup, out->status);
	return run_save_state(run, err);
}

static int make_and_run(struct run *run, const struct run_observer *observer, bool *out_began,
			struct run_outcome *out, struct err *err)
{
	auto_cgroup struct cgroup cgroup = CGROUP_INIT;
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;

	if (own_ids_open(&run->namespaces_of->ids, run->store, err) < 0 ||
	    namespaces_open(&run->namespaces_of->namespaces, run->store, err) < 0 ||
	    run_make_tree(run, err) < 0 || run_describe(run, &description, err) < 0)
		return -1;
	if (run->options->print_description)
		return print_description(&description, err);
	if (run->options->runtime || run->options->bundle)
		return run_elsewhere(run, &description, out_began, out, err);
	if (cgroup_create(run->store, run->container.id, &description.resources, &cgroup, err) < 0)
		return -1;
	cgroup_give(&cgroup, &description);
	if (show_limits(run, &cgroup, &description, err) < 0)
		return -1;
	run_fill_state(run, &description, &cgroup);
	run->control_fd = control_listen(run->container.dir_fd, err);
	if (run->control_fd < 0 || (run->options->is_detached && run_open_log(run, err) < 0) ||
	    run_write_cid(run, err) < 0 ||
	    run_in_sandbox(run, &description, observer, out_began, out, err) < 0)
		return -1;
	run_note_end(run, &cgroup, out->status);
	return run_save_state(run, err);
}

/* ---- the end ---- */

static int commit(struct run *run, struct err *err)
{
	const struct commit_options options = { .name = run->options->commit_name,
						.command = &run->state.command,
						.keeps_container = !run->options->remove_after };
	struct digest id;
	char name[DIGEST_NAME_MAX];

	if (container_commit(run->store, &run->container, &options, &id, err) < 0)
		return -1;
	fprintf(stderr, "imgrun: committed %s\n", digest_name(&id, name));
	return 0;
}

/* A container that stays, or becomes an image, has all that was written in its own directory. */
static int keep(struct run *run, bool commits, struct err *err)
{
	struct mount_request request = {
		.upper_fd = run->container.fs_fd,
		.work_fd = run->container.work_fd,
		.covered = mount_covered(),
	};

	fd_close(&run->root_fd);
	if (mount_collect(run->store, &request, err) < 0)
		return -1;
	run_release_mounts(run);
	return commits ? commit(run, err) : 0;
}

/* One that never began, or is not to stay, goes. */
static int end(struct run *run, bool began, bool is_good, struct err *err)
{
	const bool stays = began && (!run->options->remove_after || run->is_bundled);
	const bool commits = run->options->commit_name && is_good;
	struct err removal = ERR_INIT;
	int result = 0;

	if (run->is_bundled)
		return 0;
	if (stays || commits)
		result = keep(run, commits, err);
	if (stays)
		return result;
	run_release_mounts(run);
	if (container_remove(run->store, &run->container, &removal) == 0)
		return result;
	if (result == 0)
		*err = removal;
	return err_prefix(err, "remove the container");
}

int run_exit_status(int status)
{
	return WIFSIGNALED(status) ? EXIT_SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
}

int container_run(struct store *store, struct run_options *options,
		  const struct run_observer *observer, struct run_outcome *out, struct err *err)
{
	auto_run struct run run = RUN_INIT;
	struct err later = ERR_INIT;
	bool began = false;
	int r;

	run.store = store;
	run.options = options;
	run.namespaces_of = options;
	run.ids = &options->ids;
	run.settings = &options->settings;
	run.volumes = &options->settings.volumes;
	if (cgroup_sweep(store, err) < 0 || prepare(&run, err) < 0)
		return -1;
	r = make_and_run(&run, observer, &began, out, err);
	if (run.container.dir_fd < 0)
		return r;
	if (end(&run, began, r == 0 && began && out->status == 0, &later) < 0 && r == 0) {
		*err = later;
		r = -1;
	}
	return r;
}
