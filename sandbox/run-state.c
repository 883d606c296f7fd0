/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what is told of a container: its state from the begin to the end, its ID. */
#include "sandbox/run-internal.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/signals.h"
#include "sandbox/volume-lent.h"

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

char *run_time_text(void)
{
	struct timespec now;
	char text[40];

	clock_gettime(CLOCK_REALTIME, &now);
	return str_dup(image_time_format(now, text));
}

void run_fill_state(struct run *run, const struct sandbox_description *description,
		    const struct cgroup *cgroup)
{
	const struct run_options *options = run->options;
	const char *user = run_user(run);
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
	if (description->apparmor_profile)
		state->apparmor_profile = str_dup(description->apparmor_profile);
	if (description->selinux_label)
		state->selinux_label = str_dup(description->selinux_label);
	strlist_copy(&state->labels, &options->labels);
	strlist_copy(&state->cgroups, &cgroup->dirs);
	strlist_copy(&state->ports, &run->ports);
	volumes_lend(run->volumes, run->container.id, &state->volumes);
	state->stop_signal = stop_signal(run);
	state->stop_timeout_s = options->stop_timeout_s;
	state->is_detached = options->is_detached;
	state->removes_itself = options->remove_after;
	state->has_terminal = options->terminal;
}

int run_save_state(const struct run *run, struct err *err)
{
	return container_state_save(run->container.dir_fd, &run->state, err);
}

int run_write_cid(const struct run *run, struct err *err)
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

void run_note_end(struct run *run, const struct cgroup *cgroup, int status)
{
	run->state.pid = 0;
	run->state.ended = run_time_text();
	run->state.exit_status = run_exit_status(status);
	run->state.was_short_of_memory = cgroup_memory_kills(cgroup) > 0;
	if (run->state.was_short_of_memory)
		log_warn("the container ran out of memory (--memory), and the kernel killed a "
			 "process of it");
}
