/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a container from its image to its end: tree, init layer,
 * description, sandbox. What it runs is put together in run-plan.c, what
 * happens while it runs in attend.c.
 */
#include "sandbox/container-run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/entry.h"
#include "sandbox/attend.h"
#include "sandbox/cgroup.h"
#include "sandbox/description.h"
#include "sandbox/foreign.h"
#include "sandbox/launch.h"
#include "sandbox/run-plan.h"
#include "sandbox/volume.h"
#include "sandbox/seccomp.h"
#include "sandbox/user.h"
#include "storage/container.h"
#include "storage/image.h"
#include "storage/mount.h"

#define SHORT_ID 12

void run_options_release(struct run_options *options)
{
	strlist_release(&options->command);
	strlist_release(&options->env);
	run_settings_release(&options->settings);
	strlist_release(&options->cap_add);
	strlist_release(&options->cap_drop);
}

/* Everything that a run holds; filled from top to bottom. */
struct run {
	struct store *store;
	const struct run_options *options;
	const struct run_settings *settings;
	struct volumes *volumes;
	struct image image;
	uint64_t capabilities;
	struct strlist argv;
	struct container container;
	int *lowers; /* the image's layers, and room for the init layer */
	size_t lower_count;
	int view_fd;
	struct user_ids user;
	char hostname[HOST_NAME_MAX + 1];
	int seccomp_fd;
	int root_fd;
};
#define RUN_INIT                                                                                   \
	{                                                                                          \
		.image = IMAGE_INIT, .container = CONTAINER_INIT, .view_fd = -1, .seccomp_fd = -1, \
		.root_fd = -1,                                                                     \
	}

static void run_release_mounts(struct run *run)
{
	fd_close(&run->root_fd);
	fd_close(&run->view_fd);
	for (size_t i = 0; i < run->lower_count; i++)
		fd_close(&run->lowers[i]);
	free(run->lowers);
	run->lowers = NULL;
	run->lower_count = 0;
}

static void run_release(struct run *run)
{
	run_release_mounts(run);
	fd_close(&run->seccomp_fd);
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

/* They are opened in the user namespace, which the options know nothing of. */
static int open_volumes(struct run *run, struct err *err)
{
	const struct volumes *volumes = run->volumes;

	for (size_t i = 0; i < volumes->count; i++)
		if (volumes->items[i].is_overlay)
			return err_set(err, ERR_USAGE, "--volume '%s': 'O' is not supported here",
				       volumes->items[i].source);
	return volumes_open(run->volumes, err);
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

	if (check_terminal(options, err) < 0 ||
	    run_plan_capabilities(options, &run->capabilities, err) < 0 ||
	    open_volumes(run, err) < 0)
		return -1;
	if (image_get_for(run->store, options->image, options->platform, &run->image, err) < 0)
		return -1;
	warn_of_platform(run);
	return run_plan_argv(&run->image.config.config, options, &run->argv, err);
}

/* ---- the tree ---- */

static int open_view(struct run *run, struct err *err)
{
	const size_t count = run->image.config.diff_id_count;
	struct mount_request request = { .upper_fd = -1, .work_fd = -1 };

	run->lowers = mem_array(count + 1, sizeof(run->lowers[0]));
	if (mount_open_layers(run->store, run->image.layers, count, run->lowers, err) < 0)
		return -1;
	run->lower_count = count;
	request.lowers = run->lowers;
	request.lower_count = count;
	run->view_fd = mount_layers(run->store, &request, err);
	return run->view_fd < 0 ? -1 : 0;
}

static int resolve_user(struct run *run, struct err *err)
{
	const char *user = run->options->user ? run->options->user : run->image.config.config.user;

	return user_resolve(run->view_fd, user ? user : "", &run->user, err);
}

/* With the host's network the host's name, else one that tells containers apart. */
static int choose_hostname(struct run *run, struct err *err)
{
	if (run->options->hostname) {
		if (strlen(run->options->hostname) > HOST_NAME_MAX)
			return err_set(err, ERR_USAGE, "the host name '%s' is too long",
				       run->options->hostname);
		strcpy(run->hostname, run->options->hostname);
	} else if (run->options->network == SANDBOX_NETWORK_NONE) {
		snprintf(run->hostname, sizeof(run->hostname), "%.*s", SHORT_ID, run->container.id);
	} else if (gethostname(run->hostname, sizeof(run->hostname)) < 0) {
		return err_sys(err, "ask for the host's name");
	}
	return 0;
}

static int make_initlayer(struct run *run, struct err *err)
{
	auto_strbuf struct strbuf hosts = STRBUF_INIT;
	auto_strbuf struct strbuf resolv_conf = STRBUF_INIT;
	auto_free char *hostname = str_format("%s\n", run->hostname);
	auto_free struct initlayer_point *points =
		mem_array(run->volumes->count + 1, sizeof(points[0]));
	struct initlayer_options options = {
		.view_fd = run->view_fd,
		.dir_fd = run->container.init_fd,
		.ns = store_overlay_ns(run->store),
		.hostname = run->settings->no_hostname ? NULL : hostname,
		.points = points,
		.point_count = run->volumes->count,
	};

	if (initlayer_hosts_text(run->hostname, &run->settings->add_hosts, run->options->network,
				 &hosts, err) < 0 ||
	    initlayer_resolv_text(run->options->network, &run->settings->dns, &resolv_conf, err) <
		    0)
		return -1;
	options.hosts = run->settings->no_hosts ? NULL : hosts.data;
	options.resolv_conf = run->settings->no_resolv_conf ? NULL : resolv_conf.data;
	for (size_t i = 0; i < run->volumes->count; i++)
		points[i] = (struct initlayer_point){ run->volumes->items[i].target,
						      run->volumes->items[i].is_file };
	return initlayer_make(&options, NULL, err);
}

/* The init layer above the image, the container's own files on top, its root as the image's. */
static int mount_root(struct run *run, struct err *err)
{
	struct mount_request request = {
		.upper_fd = run->container.fs_fd,
		.work_fd = run->container.work_fd,
	};

	if (entry_copy_on_disk(run->container.init_fd, run->container.fs_fd,
			       store_overlay_ns(run->store), "/", err) < 0)
		return -1;
	run->lowers[run->lower_count] = fcntl(run->container.init_fd, F_DUPFD_CLOEXEC, 0);
	if (run->lowers[run->lower_count] < 0)
		return err_sys(err, "duplicate a descriptor");
	run->lower_count++;
	request.lowers = run->lowers;
	request.lower_count = run->lower_count;
	run->root_fd = mount_layers(run->store, &request, err);
	return run->root_fd < 0 ? -1 : 0;
}

static int make_tree(struct run *run, struct err *err)
{
	if (open_view(run, err) < 0 || resolve_user(run, err) < 0)
		return -1;
	if (container_create(run->store, &run->image, run->options->name, &run->container, err) < 0)
		return -1;
	if (choose_hostname(run, err) < 0 || make_initlayer(run, err) < 0)
		return -1;
	return mount_root(run, err);
}

/* ---- the description ---- */

/* As docker: a working directory that is not there is made, and is root's. */
static int describe_workdir(struct run *run, struct sandbox_description *out, struct err *err)
{
	const char *image_dir = run->image.config.config.working_dir;
	const char *dir = run->options->workdir ? run->options->workdir : image_dir;
	auto_close int fd = -1;

	if (!dir || !*dir)
		return 0;
	if (run->options->workdir && *dir != '/')
		return err_set(err, ERR_USAGE, "--workdir '%s': not an absolute path", dir);
	free(out->cwd);
	out->cwd = str_format("%s%s", *dir == '/' ? "" : "/", dir);
	fd = beneath_open(run->root_fd, out->cwd, BENEATH_IN_ROOT, O_PATH, err);
	if (fd >= 0 || errno != ENOENT) {
		err_clear(err); /* what else is wrong, the sandbox says, with the mounts in place */
		return 0;
	}
	fd = beneath_mkdirs(run->root_fd, out->cwd, BENEATH_IN_ROOT, 0755, err);
	return fd < 0 ? err_prefix(err, "working directory") : 0;
}

static void describe_volumes(const struct run *run, struct sandbox_description *out)
{
	for (size_t i = 0; i < run->volumes->count; i++) {
		const struct volume *volume = &run->volumes->items[i];

		sandbox_description_add_mount(
			out, SANDBOX_MOUNT_BIND, volume->target,
			SANDBOX_MOUNT_RECURSIVE | SANDBOX_MOUNT_NODEV |
				(volume->read_only ? SANDBOX_MOUNT_READ_ONLY : 0U),
			volume->fd, NULL);
	}
}

static int describe(struct run *run, struct sandbox_description *out, struct err *err)
{
	const struct run_options *options = run->options;

	sandbox_description_defaults(out);
	out->root_fd = run->root_fd;
	if (run_settings_apply(run->settings, run->root_fd, &run->user, out, err) < 0)
		return -1;
	out->read_only_root = options->read_only;
	out->namespaces |= options->network == SANDBOX_NETWORK_NONE ? SANDBOX_NS_NET : 0U;
	out->hostname = str_dup(run->hostname);
	out->uid = run->user.uid;
	out->gid = run->user.gid;
	out->groups = mem_array(run->user.group_count + 1, sizeof(out->groups[0]));
	for (size_t i = 0; i < run->user.group_count; i++)
		out->groups[out->group_count++] = run->user.groups[i];
	out->capabilities = run->capabilities;
	out->is_32bit = platform_is_32bit(&run->image.config.platform);
	out->terminal = options->terminal;
	attend_terminal_size(&out->terminal_rows, &out->terminal_columns);
	strlist_copy(&out->argv, &run->argv);
	run_plan_env(&run->image.config.config, options, run->hostname, run->user.home, &out->env);
	describe_volumes(run, out);
	run->seccomp_fd =
		seccomp_default_filter(store_cache_fd(run->store), run->capabilities, err);
	if (run->seccomp_fd < 0)
		return -1;
	out->seccomp_fd = run->seccomp_fd;
	return describe_workdir(run, out, err);
}

/* ---- running ---- */

/* *out_began: the command was executed, whatever came of it. */
static int run_sandbox(const struct run *run, const struct sandbox_description *description,
		       bool *out_began, int *out_status, int *out_exec_errno, struct err *err)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int stdio[3] = { run->options->interactive ? STDIN_FILENO : null_fd, STDOUT_FILENO,
			       STDERR_FILENO };

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	attend_hold();
	if (sandbox_start(description, description->terminal ? NULL : stdio, &sandbox,
			  out_exec_errno, err) < 0)
		return -1;
	*out_began = true;
	if (attend(&sandbox, run->options->interactive, err) < 0)
		return -1;
	return sandbox_wait(&sandbox, out_status, err);
}

static int print_description(const struct sandbox_description *description, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	sandbox_description_print(description, &text);
	return fd_write_all(STDOUT_FILENO, text.data, text.len, "standard output", err);
}

static int make_and_run(struct run *run, bool *out_began, int *out_status, int *out_exec_errno,
			struct err *err)
{
	auto_cgroup struct cgroup cgroup = CGROUP_INIT;
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	int result;

	if (make_tree(run, err) < 0 || describe(run, &description, err) < 0)
		return -1;
	if (run->options->print_description)
		return print_description(&description, err);
	if (cgroup_create(run->store, run->container.id, &description.resources, &cgroup, err) < 0)
		return -1;
	cgroup_give(&cgroup, &description);
	result = run_sandbox(run, &description, out_began, out_status, out_exec_errno, err);
	if (cgroup_memory_kills(&cgroup) > 0)
		log_warn("the container ran out of memory (--memory), and the kernel killed a "
			 "process of it");
	return result;
}

/* A container that stays has all that was written in its own directory. */
static int keep(struct run *run, struct err *err)
{
	struct mount_request request = {
		.upper_fd = run->container.fs_fd,
		.work_fd = run->container.work_fd,
	};

	fd_close(&run->root_fd);
	return mount_collect(run->store, &request, err);
}

/* One that never began, or is not to stay, goes. */
static int end(struct run *run, bool began, struct err *err)
{
	if (began && !run->options->remove_after)
		return keep(run, err);
	run_release_mounts(run);
	if (container_remove(run->store, &run->container, err) < 0)
		return err_prefix(err, "remove the container");
	return 0;
}

int container_run(struct store *store, struct run_options *options, int *out_status,
		  int *out_exec_errno, struct err *err)
{
	auto_run struct run run = RUN_INIT;
	struct err later = ERR_INIT;
	bool began = false;
	int r;

	run.store = store;
	run.options = options;
	run.settings = &options->settings;
	run.volumes = &options->settings.volumes;
	if (cgroup_sweep(store, err) < 0 || prepare(&run, err) < 0)
		return -1;
	r = make_and_run(&run, &began, out_status, out_exec_errno, err);
	if (run.container.dir_fd < 0)
		return r;
	if (end(&run, began, &later) < 0 && r == 0) {
		*err = later;
		r = -1;
	}
	return r;
}
