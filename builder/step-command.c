/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the command of a RUN step from its start to its end: for every byte that it writes
 * being shown, and for how its end is told.
 */
#include "builder/step-command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "sandbox/cgroup.h"
#include "sandbox/launch.h"
#include "sandbox/runtime.h"

#define OUTPUT_BYTES 65536
/* Of what a failed command wrote, this much and so many lines at its end go into the error. */
#define TAIL_BYTES  2000
#define TAIL_LINES  20
#define TITLE_BYTES 100

/* The end of what a command wrote. */
struct tail {
	struct strbuf text;
};
#define auto_tail __attribute__((cleanup(tail_release)))

static void tail_release(struct tail *tail)
{
	strbuf_release(&tail->text);
}

static void tail_add(struct tail *tail, const char *data, size_t len)
{
	struct strbuf *text = &tail->text;

	if (len > TAIL_BYTES) {
		data += len - TAIL_BYTES;
		len = TAIL_BYTES;
	}
	if (text->len + len > TAIL_BYTES) {
		size_t drop = text->len + len - TAIL_BYTES;

		memmove(text->data, text->data + drop, text->len - drop);
		strbuf_truncate(text, text->len - drop);
	}
	strbuf_add(text, data, len);
}

/* Whole lines, TAIL_LINES at most. */
static const char *tail_lines(struct tail *tail)
{
	struct strbuf *text = &tail->text;
	const char *at;

	while (text->len > 0 && text->data[text->len - 1] == '\n')
		strbuf_truncate(text, text->len - 1);
	at = text->data + text->len;
	for (int lines = 0; at > text->data; at--)
		if (at[-1] == '\n' && ++lines == TAIL_LINES)
			break;
	/* the first line may have lost its beginning: only a whole one is shown */
	if (at == text->data && text->len >= TAIL_BYTES - 1 && strchr(at, '\n'))
		at = strchr(at, '\n') + 1;
	return at;
}

struct watch {
	struct stage_run *run;
	unsigned progress_id;
	struct tail *tail;
	struct sandbox *sandbox;
	int pipe_fd;
	char *buffer;
};

/* What has come through the pipe; *out_open false at its end. */
static int drain(struct watch *watch, bool *out_open, struct err *err)
{
	ssize_t n = read(watch->pipe_fd, watch->buffer, OUTPUT_BYTES);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? 0
			       : err_sys(err, "read what the command writes");
	*out_open = n > 0;
	progress_output(watch->run->build->request->progress, watch->progress_id, watch->buffer,
			(size_t)n);
	tail_add(watch->tail, watch->buffer, (size_t)n);
	return 0;
}

/*
 * Read until nobody can write any more and the sandbox has ended. Both are waited for: the
 * pipe is closed early by a command that closes its output, late by none, since all its
 * processes end with the first one.
 */
static int watch_output(struct watch *watch, struct err *err)
{
	auto_close int ended_fd = -1;
	bool is_open = true;

	ended_fd = (int)syscall(SYS_pidfd_open, watch->sandbox->child.pid, 0);
	if (ended_fd < 0)
		return err_sys(err, "watch the sandbox");
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = watch->run->build->request->interrupt_fd, .events = POLLIN },
			{ .fd = is_open ? watch->pipe_fd : -1, .events = POLLIN },
			{ .fd = is_open ? -1 : ended_fd, .events = POLLIN },
		};

		if (poll(fds, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, "wait for the command");
		}
		if (fds[0].revents)
			return err_set(err, ERR_INTERRUPTED, "interrupted");
		if (fds[1].revents && drain(watch, &is_open, err) < 0)
			return -1;
		if (fds[2].revents)
			return 0;
	}
}

/* What holds it, in the order in which it is let go. */
struct process {
	struct cgroup cgroup;
	struct tmpdir room; /* of another runtime, for its bundle */
	struct runtime runtime;
	struct sandbox sandbox;
	int pipe_fd;
};
#define PROCESS_INIT                                                                 \
	{                                                                            \
		.cgroup = CGROUP_INIT, .room = TMPDIR_INIT, .runtime = RUNTIME_INIT, \
		.sandbox = SANDBOX_INIT, .pipe_fd = -1,                              \
	}
#define auto_process __attribute__((cleanup(process_release)))

static void process_release(struct process *process)
{
	fd_close(&process->pipe_fd);
	sandbox_release(&process->sandbox);
	runtime_release(&process->runtime);
	tmpdir_release(&process->room);
	cgroup_release(&process->cgroup);
}

static int start_by_runtime(const struct step_command *command, const int stdio[3],
			    struct process *process, struct err *err)
{
	const struct build_request *request = command->run->build->request;
	auto_free char *cgroups_path = NULL;
	struct runtime_spec spec = { .program = request->runtime,
				     .has_filter = command->description->seccomp_fd >= 0 };
	auto_free char *id = NULL;

	if (tmpdir_make(&process->room, store_tmp_fd(request->store), err) < 0)
		return -1;
	/* with a letter at its head, as some want it */
	id = str_format("step%s", process->room.name);
	if (cgroup_foresee(request->store, id, &command->description->resources, &process->cgroup,
			   &cgroups_path, err) < 0)
		return -1;
	spec.id = id;
	spec.dir_fd = process->room.fd;
	spec.cgroups_path = cgroups_path;
	if (runtime_prepare(&spec, command->description, &process->runtime, err) < 0)
		return -1;
	return runtime_start(&spec, &process->runtime, stdio, &process->sandbox, err);
}

static int start_by_ourselves(const struct step_command *command, const int stdio[3],
			      struct process *process, struct err *err)
{
	struct sandbox_description description = *command->description;
	int exec_errno = 0;
	int result;

	if (cgroup_create(command->run->build->request->store, NULL, &description.resources,
			  &process->cgroup, err) < 0)
		return -1;
	cgroup_give(&process->cgroup, &description);
	result = sandbox_start(&description, stdio, &process->sandbox, &exec_errno, err);
	free(description.cgroup_fds);
	return result;
}

static int start(const struct step_command *command, struct process *process, struct err *err)
{
	auto_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_close int write_fd = -1;
	int fds[2];

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	process->pipe_fd = fds[0];
	write_fd = fds[1];
	return (command->run->build->request->runtime ? start_by_runtime : start_by_ourselves)(
		command, (int[]){ null_fd, write_fd, write_fd }, process, err);
}

/* "Buildfile:7:1: RUN make: exit status 2", with the end of what was written. */
static int fail(struct stage_run *run, const struct step *step, int status, unsigned memory_kills,
		struct tail *tail, struct err *err)
{
	struct store *store = run->build->request->store;
	struct position at = { step->instruction->line_start, step->instruction->column };
	size_t len = strcspn(step->title, "\n");
	auto_free char *title = NULL;
	char text[64];

	title = len > TITLE_BYTES ? str_format("%.*s...", TITLE_BYTES, step->title)
				  : str_ndup(step->title, len);
	err_set(err, ERR_STEP, "%s%s", proc_status_text(status, text),
		memory_kills > 0 ? " (out of memory: --memory)" : "");
	/* not the command's fault, whatever it says of it */
	if (store_is_full(store))
		err_set(err, ERR_SYSTEM, "%s: the store '%s' is full: No space left on device",
			proc_status_text(status, text), store_root_path(store));
	if (tail->text.len > 0)
		err_detail(err, "what it wrote at last:\n%s", tail_lines(tail));
	return source_locate(err, &step->ast->source, at, title);
}

int step_command_run(const struct step_command *command, struct err *err)
{
	auto_process struct process process = PROCESS_INIT;
	auto_free char *buffer = mem_alloc(OUTPUT_BYTES);
	auto_tail struct tail tail = { .text = STRBUF_INIT };
	struct watch watch = { .run = command->run,
			       .progress_id = command->progress_id,
			       .tail = &tail,
			       .sandbox = &process.sandbox,
			       .buffer = buffer };
	int status = 0;

	if (start(command, &process, err) < 0)
		return step_locate(err, command->step, NULL);
	watch.pipe_fd = process.pipe_fd;
	if (layer_work_prepare(command->run, err) < 0 || watch_output(&watch, err) < 0 ||
	    sandbox_wait(&process.sandbox, &status, err) < 0)
		return -1;
	return status == 0 ? 0
			   : fail(command->run, command->step, status,
				  cgroup_memory_kills(&process.cgroup), &tail, err);
}
