/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for commands that are run in a container beside its own: what they share with it. */
#include "sandbox/container-exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/userns.h"
#include "sandbox/attend.h"
#include "sandbox/caps.h"
#include "sandbox/cgroup.h"
#include "sandbox/launch.h"
#include "sandbox/namespaces.h"
#include "sandbox/user.h"
#include "storage/container-state.h"
#include "storage/container.h"

static const struct {
	const char *file;
	unsigned ns;
} shared[] = {
	{ "pid", SANDBOX_NS_PID },   { "ipc", SANDBOX_NS_IPC },       { "uts", SANDBOX_NS_UTS },
	{ "net", SANDBOX_NS_NET },   { "cgroup", SANDBOX_NS_CGROUP }, { "mnt", SANDBOX_NS_MOUNT },
	{ "user", SANDBOX_NS_USER },
};
#define SHARED (sizeof(shared) / sizeof(shared[0]))

/* All that is held while it runs. */
struct visit {
	const struct exec_options *options;
	struct store *store;
	struct container_state state;
	int ns_fds[SHARED];
	int root_fd;
	int seccomp_fd;
	int *doors; /* of the container's groups */
	size_t door_count;
	struct user_ids user;
};
#define auto_visit __attribute__((cleanup(visit_release)))

static void visit_release(struct visit *visit)
{
	for (size_t i = 0; i < SHARED; i++)
		fd_close(&visit->ns_fds[i]);
	for (size_t i = 0; i < visit->door_count; i++)
		fd_close(&visit->doors[i]);
	free(visit->doors);
	fd_close(&visit->root_fd);
	fd_close(&visit->seccomp_fd);
	user_ids_release(&visit->user);
	container_state_release(&visit->state);
	store_close(visit->store);
}

static int open_of(pid_t pid, const char *name, int flags, struct err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open '%s'", path) : fd;
}

static int open_doors(struct visit *visit, struct err *err)
{
	const struct strlist *groups = &visit->state.cgroups;

	visit->doors = mem_array(groups->count + 1, sizeof(visit->doors[0]));
	for (size_t i = 0; i < groups->count; i++) {
		int fd = cgroup_open_door(groups->items[i], err);

		if (fd < 0)
			return -1;
		visit->doors[visit->door_count++] = fd;
	}
	return 0;
}

static int open_all(struct visit *visit, struct err *err)
{
	const char *name = visit->options->container;
	auto_container struct container container = CONTAINER_INIT;
	pid_t pid;

	if (container_first_process(visit->store, name, &pid, err) < 0 ||
	    container_look(visit->store, name, &container, NULL, err) < 0 ||
	    container_state_load(container.dir_fd, &visit->state, err) < 0)
		return -1;
	for (size_t i = 0; i < SHARED; i++) {
		auto_free char *file = str_format("ns/%s", shared[i].file);

		visit->ns_fds[i] = open_of(pid, file, O_RDONLY, err);
		if (visit->ns_fds[i] < 0)
			return -1;
		/* the host's: there is nothing to join, and an ordinary user could not */
		if (namespace_is_ours(visit->ns_fds[i], shared[i].file))
			fd_close(&visit->ns_fds[i]);
	}
	visit->root_fd = open_of(pid, "root", O_PATH | O_DIRECTORY, err);
	return visit->root_fd < 0 ? -1 : open_doors(visit, err);
}

static int resolve_user(struct visit *visit, struct err *err)
{
	const char *user = visit->options->user ? visit->options->user : visit->state.user;

	if (user_resolve(visit->root_fd, user ? user : "", &visit->user, err) < 0)
		return -1;
	for (size_t i = 0; i < visit->state.groups.count; i++)
		if (user_add_group(visit->root_fd, visit->state.groups.items[i], &visit->user,
				   err) < 0)
			return -1;
	return 0;
}

static void describe_env(const struct visit *visit, struct strlist *out)
{
	const struct exec_options *options = visit->options;

	strlist_copy(out, &visit->state.env);
	if (options->terminal && !strlist_env_get(out, "TERM"))
		strlist_env_set(out, "TERM", "xterm");
	for (size_t i = 0; i < options->env.count; i++) {
		const char *equals = strchr(options->env.items[i], '=');
		auto_free char *key =
			str_ndup(options->env.items[i], (size_t)(equals - options->env.items[i]));

		strlist_env_set(out, key, equals + 1);
	}
}

static int describe(struct visit *visit, struct sandbox_description *out, struct err *err)
{
	const struct exec_options *options = visit->options;
	const struct security security = {
		.is_privileged = options->is_privileged,
		.is_unconfined =
			options->is_privileged ||
			(visit->state.seccomp && strcmp(visit->state.seccomp, "unconfined") == 0),
		.seccomp = visit->state.seccomp,
		.apparmor = visit->state.apparmor_profile,
		.selinux = visit->state.selinux_label,
		.no_new_privileges = visit->state.no_new_privileges,
		.capabilities =
			options->is_privileged ? CAPS_ALL : (uint64_t)visit->state.capabilities,
	};

	sandbox_description_bare(out);
	out->namespaces = 0;
	for (size_t i = 0; i < SHARED; i++) {
		if (visit->ns_fds[i] < 0)
			continue;
		if (shared[i].ns == SANDBOX_NS_USER)
			sandbox_description_nest(out, visit->ns_fds[i], false);
		else
			sandbox_description_add_join(out, shared[i].ns, visit->ns_fds[i]);
	}
	out->root_fd = visit->root_fd;
	out->cgroup_fds = mem_dup(visit->doors, visit->door_count * sizeof(visit->doors[0]));
	out->cgroup_fd_count = visit->door_count;
	free(out->cwd);
	out->cwd = str_dup(options->workdir ? options->workdir : visit->state.cwd);
	out->uid = visit->user.uid;
	out->gid = visit->user.gid;
	out->groups = mem_array(visit->user.group_count + 1, sizeof(out->groups[0]));
	for (size_t i = 0; i < visit->user.group_count; i++)
		out->groups[out->group_count++] = visit->user.groups[i];
	strlist_copy(&out->argv, &options->command);
	describe_env(visit, &out->env);
	out->terminal = options->terminal;
	attend_terminal_size(&out->terminal_rows, &out->terminal_columns);
	return security_apply(&security, visit->store, out, &visit->seccomp_fd, err);
}

/* What is needed when its terminal is left. */
struct leaving {
	const struct run_observer *observer;
	const char *container;
	int null_fd;
};

static int leave(void *context, int *out_fd, struct err *err)
{
	struct leaving *leaving = context;

	(void)err; /* nothing can fail */
	*out_fd = leaving->null_fd;
	leaving->observer->left(leaving->observer->context, leaving->container);
	return 0;
}

static int run(const struct visit *visit, const struct sandbox_description *description,
	       const struct run_observer *observer, struct run_outcome *out, struct err *err)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const bool interactive = visit->options->interactive;
	const int stdio[3] = { interactive ? STDIN_FILENO : null_fd, STDOUT_FILENO, STDERR_FILENO };
	struct leaving leaving = { .observer = observer,
				   .container = visit->options->container,
				   .null_fd = null_fd };
	const bool can_leave = observer && observer->left;
	const struct attend_options attending = {
		.interactive = interactive,
		.out_fd = STDOUT_FILENO,
		.control_fd = -1,
		.detach_keys = can_leave ? &visit->options->detach_keys : NULL,
		.leave = leave,
		.context = &leaving,
	};

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	attend_hold();
	if (sandbox_start(description, description->terminal ? NULL : stdio, &sandbox,
			  &out->exec_errno, err) < 0)
		return -1;
	if (observer && observer->started)
		observer->started(observer->context, visit->options->container);
	if (attend(&sandbox, &attending, err) < 0)
		return -1;
	return sandbox_wait(&sandbox, &out->status, err);
}

int container_exec(const struct exec_options *options, const struct run_observer *observer,
		   struct run_outcome *out, struct err *err)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	auto_visit struct visit visit = { .options = options,
					  .ns_fds = { -1, -1, -1, -1, -1, -1, -1 },
					  .root_fd = -1,
					  .seccomp_fd = -1 };

	if (options->terminal && options->interactive && !isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE,
			       "--tty with --interactive: standard input is not a terminal");
	if (container_join_userns(options->root, options->container, err) < 0 ||
	    store_open(options->root, &visit.store, err) < 0 || open_all(&visit, err) < 0 ||
	    resolve_user(&visit, err) < 0 || describe(&visit, &description, err) < 0)
		return -1;
	return run(&visit, &description, observer, out, err);
}
