/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for starting the sandbox program and for its end: what it is given,
 * what it reports, and that nothing of it stays behind.
 */
#include "sandbox/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "sandbox/caps.h"
#include "sandbox/report.h"
#include "sandbox/wire.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

void sandbox_release(struct sandbox *sandbox)
{
	int status;
	struct err ignored = ERR_INIT; /* nobody to tell, and no way to fail but a wrong pid */

	if (sandbox->child.pid > 0 && sandbox->init_pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, sandbox->init_pidfd, SIGKILL, NULL, 0);
		child_wait(&sandbox->child, &status, &ignored);
	}
	child_release(&sandbox->child);
	fd_close(&sandbox->terminal_fd);
	fd_close(&sandbox->init_pidfd);
}

static int make_memfd(const struct strbuf *bytes, struct err *err)
{
	auto_close int fd = memfd_create("sandbox-description", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(err, "make the sandbox description");
	if (fd_write_all(fd, bytes->data, bytes->len, "the sandbox description", err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return err_sys(err, "seal the sandbox description");
	return fd_steal(&fd);
}

/*
 * Can anybody in the container see a process that runs our program? Not where it is
 * alone in there until it becomes the command: a command that leads back to it is refused, and as
 * the interpreter of a script it ends before there is another process. In a user namespace the
 * file is somebody else's, and cannot be written to anyway.
 */
static bool is_exposed(const struct sandbox_description *description)
{
	const uint64_t sees_all = CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_SYS_PTRACE);

	return !description->nested && (description->has_init || description->join_count > 0 ||
					!(description->namespaces & SANDBOX_NS_PID) ||
					(description->capabilities & sees_all));
}

/*
 * A copy in memory that nobody can write to: what such a container may get hold of by
 * /proc/PID/exe is never the host's file. Copying takes 2 ms, a third of a short step.
 */
static int seal_program(const char *path, struct err *err)
{
	auto_close int from_fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_close int fd = -1;

	if (from_fd < 0)
		return err_sys(err, "open '%s'", path);
	fd = memfd_create("sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_sys(err, "make a copy of the sandbox program");
	if (fd_copy(from_fd, fd, UINT64_MAX, NULL, "the sandbox program", err) < 0)
		return -1;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return err_sys(err, "seal the sandbox program");
	return fd_steal(&fd);
}

/* Start the program with stdio, description, report socket, and the descriptors of @passed. */
static int start_program(const struct sandbox_description *description, int description_fd,
			 int report_fd, const struct wire_fds *passed, const int stdio[3],
			 struct child *out, struct err *err)
{
	static const char *const env[] = { NULL };
	auto_strbuf struct strbuf path = STRBUF_INIT;
	auto_close int program_fd = -1;
	struct proc_fd fds[WIRE_FIRST_FD + WIRE_MAX_FDS + 1];
	struct proc_spec spec = { .envp = env, .fds = fds };
	const int program_to = WIRE_FIRST_FD + (int)passed->count;
	const char *argv[2] = { NULL, NULL };
	char program[FD_PATH_MAX];
	size_t count = 0;

	if (proc_find_own("sandbox", "sandbox", &path, err) < 0)
		return -1;
	argv[0] = path.data;
	spec.argv = argv;
	for (int i = 0; stdio && i < 3; i++)
		fds[count++] = (struct proc_fd){ .from = stdio[i], .to = i };
	fds[count++] = (struct proc_fd){ .from = description_fd, .to = WIRE_DESCRIPTION_FD };
	fds[count++] = (struct proc_fd){ .from = report_fd, .to = WIRE_REPORT_FD };
	for (size_t i = 0; i < passed->count; i++)
		fds[count++] =
			(struct proc_fd){ .from = passed->items[i], .to = WIRE_FIRST_FD + (int)i };
	if (is_exposed(description)) {
		program_fd = seal_program(path.data, err);
		if (program_fd < 0)
			return -1;
		/* behind those that it keeps: it closes this one first of all */
		fds[count++] = (struct proc_fd){ .from = program_fd, .to = program_to };
		argv[0] = fd_path(program_to, program);
	}
	spec.fd_count = count;
	return child_start(out, &spec, err);
}

static int take_failure(const struct report *report, int *out_exec_errno, struct err *err)
{
	enum err_kind kind = ERR_SYSTEM;

	if (report->type == REPORT_EXEC_FAILED)
		kind = ERR_STEP;
	else if (report->kind > ERR_NONE && report->kind <= ERR_INTERRUPTED)
		kind = (enum err_kind)report->kind;
	err_set(err, kind, "%s", report->text);
	err->sys_errno = report->sys_errno;
	if (report->type == REPORT_EXEC_FAILED)
		*out_exec_errno = report->sys_errno;
	return -1;
}

/* Read records to the end, which is the exec of the command. */
static int follow(int report_fd, struct sandbox *sandbox, int *out_exec_errno, struct err *err)
{
	struct report report;

	for (;;) {
		auto_close int fd = -1;
		int got = report_receive(report_fd, &report, &fd, err);

		if (got <= 0)
			return got;
		switch ((enum report_type)report.type) {
		case REPORT_STARTED:
			sandbox->init_pidfd = fd_steal(&fd);
			sandbox->init_pid = report.pid;
			break;
		case REPORT_TERMINAL:
			sandbox->terminal_fd = fd_steal(&fd);
			break;
		case REPORT_FAILED:
		case REPORT_EXEC_FAILED:
			return take_failure(&report, out_exec_errno, err);
		case REPORT_LISTENER:
			break; /* never comes here */
		}
	}
}

/* The program ended before the container's first process was made, and said nothing. */
static int explain_silence(struct sandbox *sandbox, struct err *err)
{
	char text[64];
	int status;

	if (child_wait(&sandbox->child, &status, err) < 0)
		return -1;
	return err_set(err, ERR_SYSTEM, "the sandbox program ended too early: %s",
		       proc_status_text(status, text));
}

int sandbox_start(const struct sandbox_description *description, const int stdio[3],
		  struct sandbox *out, int *out_exec_errno, struct err *err)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_free struct wire_fds *passed = mem_alloc(sizeof(*passed));
	auto_close int description_fd = -1;
	auto_close int ours = -1;
	auto_close int theirs = -1;
	struct err ignored = ERR_INIT;
	int status;
	int pair[2];

	if (wire_encode(description, getpid(), &bytes, passed, err) < 0)
		return -1;
	description_fd = make_memfd(&bytes, err);
	if (description_fd < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	ours = pair[0];
	theirs = pair[1];
	if (start_program(description, description_fd, theirs, passed, stdio, &sandbox.child, err) <
	    0)
		return -1;
	fd_close(&theirs);
	if (follow(ours, &sandbox, out_exec_errno, err) < 0) {
		/* it ends by itself, and has taken in what it made first */
		(void)child_wait(&sandbox.child, &status, &ignored);
		return -1;
	}
	if (sandbox.init_pidfd < 0)
		return explain_silence(&sandbox, err);
	*out = sandbox;
	sandbox = (struct sandbox)SANDBOX_INIT;
	return 0;
}

int sandbox_signal(struct sandbox *sandbox, int sig, struct err *err)
{
	if (syscall(SYS_pidfd_send_signal, sandbox->init_pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(err, "send signal %d to the container", sig);
	return 0;
}

int sandbox_wait(struct sandbox *sandbox, int *out_status, struct err *err)
{
	return child_wait(&sandbox->child, out_status, err);
}
