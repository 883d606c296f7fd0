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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/signals.h"
#include "common/strbuf.h"
#include "layers/entry.h"
#include "sandbox/attend.h"
#include "sandbox/cgroup.h"
#include "sandbox/container-volumes.h"
#include "sandbox/description.h"
#include "sandbox/device.h"
#include "sandbox/foreign.h"
#include "sandbox/launch.h"
#include "sandbox/network.h"
#include "sandbox/procview.h"
#include "sandbox/run-plan.h"
#include "sandbox/runtime.h"
#include "sandbox/user.h"
#include "storage/commit.h"
#include "storage/container-control.h"
#include "storage/container-state.h"
#include "storage/container.h"
#include "storage/image.h"
#include "storage/mount.h"

#define EXIT_SIGNAL_BASE 128
#define SHORT_ID         12

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
	char hostname[HOST_NAME_MAX + 1];
	int seccomp_fd;
	int root_fd;
	bool is_bundled; /* its root is mounted, and stays so */
	int log_fd;      /* of one that runs in the background */
	int control_fd;
	struct device_grants devices;
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
	fd_close(&run->log_fd);
	fd_close(&run->control_fd);
	device_grants_release(&run->devices);
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
	    volumes_open(run->volumes, err) < 0 ||
	    image_get_for(run->store, options->image, options->platform, &run->image, err) < 0)
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
	} else if (run->options->network != SANDBOX_NETWORK_HOST) {
		snprintf(run->hostname, sizeof(run->hostname), "%.*s", SHORT_ID, run->container.id);
	} else if (gethostname(run->hostname, sizeof(run->hostname)) < 0) {
		return err_sys(err, "ask for the host's name");
	}
	/* a host that was given no name says "(none)" */
	if (!run->options->hostname && run->hostname[0] == '(')
		strcpy(run->hostname, "localhost");
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
	return initlayer_make(&options, &run->state.stubs, err);
}

/* The init layer above the image, the container's own files on top, its root as the image's. */
static int mount_root(struct run *run, struct err *err)
{
	struct mount_request request = {
		.upper_fd = run->container.fs_fd,
		.work_fd = run->container.work_fd,
		.owners = own_ids_owners(run->ids),
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

static int open_own_volumes(struct run *run, struct err *err)
{
	const struct volume_room room = { .store = run->store,
					  .container = &run->container,
					  .view_fd = run->view_fd };

	return container_volumes_open(&room, run->volumes, err);
}

static int make_tree(struct run *run, struct err *err)
{
	if (open_view(run, err) < 0 || resolve_user(run, err) < 0)
		return -1;
	if (container_create(run->store, &run->image, run->options->name, &run->container, err) < 0)
		return -1;
	if (choose_hostname(run, err) < 0 || open_own_volumes(run, err) < 0 ||
	    make_initlayer(run, err) < 0)
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
	if (mount_owners_become(own_ids_owners(run->ids), err) < 0)
		return -1;
	fd = beneath_mkdirs(run->root_fd, out->cwd, BENEATH_IN_ROOT, 0755, err);
	mount_owners_unbecome(own_ids_owners(run->ids));
	return fd < 0 ? err_prefix(err, "working directory") : 0;
}

static int describe_network(struct run *run, struct sandbox_description *out, struct err *err)
{
	switch (run->options->network) {
	case SANDBOX_NETWORK_HOST:
		return 0;
	case SANDBOX_NETWORK_NONE:
		out->namespaces |= SANDBOX_NS_NET;
		return 0;
	case SANDBOX_NETWORK_PRIVATE:
		break;
	}
	if (run->options->print_description)
		return 0; /* it would have one, made for it */
	if (network_start(&run->options->ports, run->ids->owners.userns_fd, &run->network, err) < 0)
		return -1;
	sandbox_description_add_join(out, SANDBOX_NS_NET, run->network.ns_fd);
	return 0;
}

static void describe_process(const struct run *run, struct sandbox_description *out)
{
	const struct run_options *options = run->options;

	out->uid = run->user.uid;
	out->gid = run->user.gid;
	out->groups = mem_array(run->user.group_count + 1, sizeof(out->groups[0]));
	for (size_t i = 0; i < run->user.group_count; i++)
		out->groups[out->group_count++] = run->user.groups[i];
	out->is_32bit = platform_is_32bit(&run->image.config.platform);
	out->has_init = options->has_init;
	out->terminal = options->terminal;
	attend_terminal_size(&out->terminal_rows, &out->terminal_columns);
	if (options->has_time_offset) {
		out->namespaces |= SANDBOX_NS_TIME;
		out->time_offset_s = options->time_offset_s;
	}
	strlist_copy(&out->argv, &run->argv);
	run_plan_env(&run->image.config.config, options, run->hostname, run->user.home, &out->env);
}

static int describe(struct run *run, struct sandbox_description *out, struct err *err)
{
	const struct run_options *options = run->options;
	uint32_t tty;

	sandbox_description_defaults(out);
	if (own_ids_owners(run->ids))
		sandbox_description_nest(out, run->ids->owners.userns_fd,
					 idmap_find(&run->ids->gids, SANDBOX_TTY_GID, &tty));
	out->root_fd = run->root_fd;
	out->read_only_root = options->read_only;
	if (run_settings_apply(run->settings, run->root_fd, &run->user, out, err) < 0)
		return -1;
	describe_process(run, out);
	container_volumes_describe(run->volumes, out);
	strlist_copy(&run->devices.texts, &options->devices);
	if (security_apply(&options->security, run->store, out, &run->seccomp_fd, err) < 0 ||
	    device_grants_apply(&run->devices, options->security.is_privileged, out, err) < 0)
		return -1;
	/* another runtime has groups of its own */
	if (!options->runtime && !options->bundle)
		device_open_granted(out);
	namespaces_describe(&options->namespaces, out);
	if (out->namespaces & SANDBOX_NS_UTS)
		out->hostname = str_dup(run->hostname);
	if (describe_workdir(run, out, err) < 0)
		return -1;
	return describe_network(run, out, err);
}

/* ---- what is told of it ---- */

static int stop_signal(const struct run *run)
{
	const char *text = run->image.config.config.stop_signal;
	struct err ignored = ERR_INIT; /* an image may say anything */
	int sig = SIGTERM;

	if (run->options->stop_signal)
		return run->options->stop_signal;
	if (text && *text)
		(void)signal_parse(text, &sig, &ignored);
	return sig;
}

static char *time_text(void)
{
	struct timespec now;
	char text[40];

	clock_gettime(CLOCK_REALTIME, &now);
	return str_dup(image_time_format(now, text));
}

static void fill_state(struct run *run, const struct sandbox_description *description,
		       const struct cgroup *cgroup)
{
	const struct run_options *options = run->options;
	const char *user = options->user ? options->user : run->image.config.config.user;
	struct container_state *state = &run->state;

	strlist_copy(&state->command, &description->argv);
	strlist_copy(&state->env, &description->env);
	state->cwd = str_dup(description->cwd);
	state->user = str_dup(user ? user : "");
	strlist_copy(&state->groups, &run->settings->groups);
	state->capabilities = (int64_t)description->capabilities;
	state->no_new_privileges = description->no_new_privileges;
	state->is_privileged = options->security.is_privileged;
	state->seccomp =
		str_dup(options->security.is_unconfined ? "unconfined" : options->security.seccomp);
	strlist_copy(&state->labels, &options->labels);
	strlist_copy(&state->cgroups, &cgroup->dirs);
	strlist_copy(&state->ports, &options->ports);
	state->stop_signal = stop_signal(run);
	state->stop_timeout_s = options->stop_timeout_s;
	state->is_detached = options->is_detached;
	state->removes_itself = options->remove_after;
	state->has_terminal = options->terminal;
}

static int save_state(const struct run *run, struct err *err)
{
	return container_state_save(run->container.dir_fd, &run->state, err);
}

static int write_cid(const struct run *run, struct err *err)
{
	const char *path = run->options->cid_file;
	auto_close int fd = -1;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "--cidfile: make '%s'", path);
	return fd_write_all(fd, run->container.id, strlen(run->container.id), path, err);
}

/* ---- running ---- */

static int open_log(struct run *run, struct err *err)
{
	run->log_fd = openat(run->container.dir_fd, CONTAINER_LOG,
			     O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	return run->log_fd < 0 ? err_sys(err, "make the log of the container") : 0;
}

/* What is needed when its terminal is left. */
struct leaving {
	struct run *run;
	const struct run_observer *observer;
};

/* From now on it is as one that was started in the background. */
static int leave(void *context, int *out_fd, struct err *err)
{
	struct leaving *leaving = context;
	struct run *run = leaving->run;

	run->state.is_detached = true;
	if (open_log(run, err) < 0 || save_state(run, err) < 0)
		return -1;
	*out_fd = run->log_fd;
	leaving->observer->left(leaving->observer->context, run->container.name);
	return 0;
}

/* *out_began: the command was executed, whatever came of it. */
static int run_sandbox(struct run *run, const struct sandbox_description *description,
		       const struct run_observer *observer, bool *out_began,
		       struct run_outcome *out, struct err *err)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const bool has_log = run->log_fd >= 0;
	const int stdio[3] = { run->options->interactive ? STDIN_FILENO : null_fd,
			       has_log ? run->log_fd : STDOUT_FILENO,
			       has_log ? run->log_fd : STDERR_FILENO };
	struct leaving leaving = { .run = run, .observer = observer };
	const bool can_leave = observer && observer->left;
	const struct attend_options attending = {
		.interactive = run->options->interactive,
		.out_fd = stdio[1],
		.control_fd = run->control_fd,
		.detach_keys = can_leave ? &run->options->detach_keys : NULL,
		.leave = leave,
		.context = &leaving,
	};

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	attend_hold();
	if (sandbox_start(description, description->terminal ? NULL : stdio, &sandbox,
			  &out->exec_errno, err) < 0)
		return -1;
	*out_began = true;
	/* the container's are the only ones from here on */
	fd_close(&run->procview.mount_fd);
	run->state.pid = sandbox.init_pid;
	run->state.started = time_text();
	if (save_state(run, err) < 0)
		return -1;
	if (observer && observer->started)
		observer->started(observer->context, run->container.id);
	if (attend(&sandbox, &attending, err) < 0)
		return -1;
	return sandbox_wait(&sandbox, &out->status, err);
}

/* ---- by another runtime, and for one ---- */

static void fill_spec(const struct run *run, struct runtime_spec *out)
{
	*out = (struct runtime_spec){ .program = run->options->runtime,
				      .id = run->container.id,
				      .dir_fd = run->container.dir_fd,
				      .has_filter = run->seccomp_fd >= 0 };
}

static int run_runtime(struct run *run, const struct sandbox_description *description,
		       bool *out_began, struct run_outcome *out, struct err *err)
{
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int stdio[3] = { run->options->interactive ? STDIN_FILENO : null_fd, STDOUT_FILENO,
			       STDERR_FILENO };
	auto_free char *bundle = NULL;
	auto_free char *root = NULL;
	struct runtime_spec spec;
	int result;

	fill_spec(run, &spec);
	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (runtime_make_bundle(&spec, description, &bundle, err) < 0 || save_state(run, err) < 0)
		return -1;
	*out_began = true;
	result = runtime_run(&spec, bundle, stdio, &out->status, err);
	root = str_format("%s/rootfs", bundle);
	if (umount2(root, MNT_DETACH) < 0 && result == 0)
		return err_sys(err, "unmount '%s'", root);
	return result;
}

/* It stays for the other runtime, with a container of ours that nobody runs. */
static int make_bundle(struct run *run, const struct sandbox_description *description,
		       bool *out_began, struct err *err)
{
	auto_free char *bundle = NULL;
	auto_free char *path = NULL;
	struct runtime_spec spec;

	fill_spec(run, &spec);
	if (mkdir(run->options->bundle, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make '%s'", run->options->bundle);
	path = realpath(run->options->bundle, NULL);
	if (!path)
		return err_sys(err, "look for '%s'", run->options->bundle);
	spec.bundle = path;
	run->state.bundle = str_dup(path);
	if (save_state(run, err) < 0 || runtime_make_bundle(&spec, description, &bundle, err) < 0)
		return -1;
	*out_began = true;
	run->is_bundled = true;
	printf("%s\n", run->container.id);
	return 0;
}

static int print_description(const struct sandbox_description *description, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	sandbox_description_print(description, &text);
	return fd_write_all(STDOUT_FILENO, text.data, text.len, "standard output", err);
}

static void note_end(struct run *run, const struct cgroup *cgroup, int status)
{
	run->state.pid = 0;
	run->state.ended = time_text();
	run->state.exit_status = run_exit_status(status);
	run->state.was_short_of_memory = cgroup_memory_kills(cgroup) > 0;
	if (run->state.was_short_of_memory)
		log_warn("the container ran out of memory (--memory), and the kernel killed a "
			 "process of it");
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

static int make_and_run(struct run *run, const struct run_observer *observer, bool *out_began,
			struct run_outcome *out, struct err *err)
{
	auto_cgroup struct cgroup cgroup = CGROUP_INIT;
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;

	if (own_ids_open(&run->namespaces_of->ids, err) < 0 ||
	    namespaces_open(&run->namespaces_of->namespaces, run->store, err) < 0 ||
	    make_tree(run, err) < 0 || describe(run, &description, err) < 0)
		return -1;
	if (run->options->print_description)
		return print_description(&description, err);
	if (run->options->runtime || run->options->bundle) {
		fill_state(run, &description, &cgroup);
		if (write_cid(run, err) < 0 ||
		    (run->options->bundle
			     ? make_bundle(run, &description, out_began, err)
			     : run_runtime(run, &description, out_began, out, err)) < 0)
			return -1;
		if (run->is_bundled)
			return 0;
		note_end(run, &cgroup, out->status);
		return save_state(run, err);
	}
	if (cgroup_create(run->store, run->container.id, &description.resources, &cgroup, err) < 0)
		return -1;
	cgroup_give(&cgroup, &description);
	if (show_limits(run, &cgroup, &description, err) < 0)
		return -1;
	fill_state(run, &description, &cgroup);
	run->control_fd = control_listen(run->container.dir_fd, err);
	if (run->control_fd < 0 || (run->options->is_detached && open_log(run, err) < 0) ||
	    write_cid(run, err) < 0 ||
	    run_sandbox(run, &description, observer, out_began, out, err) < 0)
		return -1;
	note_end(run, &cgroup, out->status);
	return save_state(run, err);
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
