/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program "sandbox": exec'd clean by its launcher with a description, it
 * makes the namespaces and in them the container's first process, which does
 * the rest (perform.c). This outer process stays on the host's side, in no
 * reach of the container: it waits, hands on the status by ending the same
 * way, and kills the container when the launcher dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/description.h"
#include "sandbox/perform-internal.h"
#include "sandbox/report.h"
#include "sandbox/supervise.h"
#include "sandbox/wire.h"

#define EXIT_SETUP        125
#define INNER_STACK_BYTES (256 * 1024)

static const struct {
	unsigned sandbox;
	int clone;
} clone_flags[] = {
	/* time is unshared beforehand, for its offsets are set before anybody is in it */
	{ SANDBOX_NS_MOUNT, CLONE_NEWNS }, { SANDBOX_NS_PID, CLONE_NEWPID },
	{ SANDBOX_NS_IPC, CLONE_NEWIPC },  { SANDBOX_NS_UTS, CLONE_NEWUTS },
	{ SANDBOX_NS_NET, CLONE_NEWNET },  { SANDBOX_NS_CGROUP, CLONE_NEWCGROUP },
};

static void report_failure(const struct err *err, int exec_errno)
{
	struct report report = {
		.type = exec_errno ? REPORT_EXEC_FAILED : REPORT_FAILED,
		.kind = (int32_t)err->kind,
		.sys_errno = exec_errno ? exec_errno : err->sys_errno,
	};

	snprintf(report.text, sizeof(report.text), "%s", err->text);
	report_send(WIRE_REPORT_FD, &report, -1); /* a launcher that is gone needs no report */
}

/*
 * Nothing of who called us stays: no handler, no ignored signal. All are
 * blocked and taken by wait_for_end; the inner process unblocks them.
 */
static void reset_signals(void)
{
	sigset_t all;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL); /* KILL, STOP and the C library's own cannot be set */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static int read_description(struct wire_head *out_head, struct sandbox_description *out,
			    struct err *err)
{
	auto_free char *data = NULL;
	struct stat st;
	ssize_t n;

	if (fstat(WIRE_DESCRIPTION_FD, &st) < 0)
		return err_sys(err, "stat the sandbox description");
	if (st.st_size < 0 || (size_t)st.st_size > WIRE_MAX_BYTES)
		return err_set(err, ERR_BUG, "sandbox description: a length that cannot be");
	data = mem_alloc((size_t)st.st_size + 1);
	n = fd_read_full(WIRE_DESCRIPTION_FD, data, (size_t)st.st_size, "the sandbox description",
			 err);
	if (n < 0)
		return -1;
	return wire_decode(data, (size_t)n, out_head, out, err);
}

/* Keep exactly what the launcher named, whatever it had itself inherited. */
static int close_others(const struct wire_head *head, struct err *err)
{
	unsigned first_other = WIRE_FIRST_FD + (unsigned)head->fd_count;

	if (syscall(SYS_close_range, first_other, ~0U, 0) < 0)
		return err_sys(err, "close descriptors from %u on", first_other);
	if (syscall(SYS_close_range, WIRE_DESCRIPTION_FD, first_other - 1, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, "mark descriptors close-on-exec");
	close(WIRE_DESCRIPTION_FD);
	return 0;
}

/* SIGTERM, not SIGKILL: the container may have undone its own tie to us, so it is killed by us. */
static int tie_to_launcher(const struct wire_head *head, struct err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return err_sys(err, "tie the sandbox to its launcher");
	if (getppid() != head->launcher)
		return err_set(err, ERR_INTERRUPTED, "the launcher of the sandbox is gone");
	return 0;
}

struct inner {
	const struct sandbox_description *description;
	int alive[2];       /* a pipe: as long as the outer process lives, nothing can be read */
	int supervision[2]; /* a socket pair, when it is supervised: ours, its own */
};
#define INNER_INIT                                             \
	{                                                      \
		.alive = { -1, -1 }, .supervision = { -1, -1 } \
	}

static int run_inner(void *data)
{
	const struct inner *inner = data;
	struct err err = ERR_INIT;
	const struct perform_ties ties = { .alive_fd = inner->alive[0],
					   .supervisor_fd = inner->supervision[1] };
	int exec_errno = 0;

	close(inner->alive[1]);
	if (perform_enter(inner->description, &err) == 0)
		perform(inner->description, &ties, &exec_errno, &err);
	report_failure(&err, exec_errno);
	return EXIT_SETUP;
}

/*
 * As vfork(2) does: the inner process uses our memory, on a stack of its own,
 * while we stand still until it has exec'd. Copying what it is about to throw
 * away would take a tenth of the time of a short step. Not so where it stays
 * (init), needs us before it execs (supervised), or where the kernel wants it
 * apart (other clocks).
 */
static pid_t clone_inner(struct inner *inner, int *out_pidfd, struct err *err)
{
	static char stack[INNER_STACK_BYTES] __attribute__((aligned(64)));
	const struct sandbox_description *description = inner->description;
	const bool is_apart = description->has_init || description->supervision ||
			      (description->namespaces & SANDBOX_NS_TIME);
	int flags = CLONE_PIDFD | SIGCHLD | (is_apart ? 0 : CLONE_VM | CLONE_VFORK);
	pid_t pid;

	for (size_t i = 0; i < sizeof(clone_flags) / sizeof(clone_flags[0]); i++) {
		if (description->namespaces & clone_flags[i].sandbox)
			flags |= clone_flags[i].clone;
	}
	/* its root is the group that it is in: it goes there first (perform_enter) */
	if (description->cgroup_fd_count > 0)
		flags &= ~CLONE_NEWCGROUP;
	pid = clone(run_inner, stack + sizeof(stack), flags, inner, out_pidfd);
	if (pid < 0)
		return err_sys(err, "make the namespaces of the sandbox");
	return pid;
}

/*
 * Without a PID namespace the kernel does not end them with their first process: whoever
 * lost its parent has become our child, and is killed until there is none.
 */
static void kill_orphans(const char *proc)
{
	char path[64];
	long pid;

	snprintf(path, sizeof(path), "%s/self/task/%d/children", proc, getpid());
	for (;;) {
		FILE *file = fopen(path, "re");

		while (file && fscanf(file, "%ld", &pid) == 1)
			(void)kill((pid_t)pid, SIGKILL); /* gone already is as good */
		if (file)
			fclose(file);
		if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
			return;
	}
}

/* The container ends when its first process does; its own status comes back to us. */
static int wait_for_end(pid_t pid, int pidfd)
{
	sigset_t wanted;
	int status;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	for (;;) {
		if (sigwaitinfo(&wanted, NULL) == SIGTERM)
			syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
	}
}

/* A signal that we wait for; the child's end may have come with it. */
static bool take_signal(int signal_fd, pid_t pid, int pidfd, int *out_status)
{
	struct signalfd_siginfo info;

	pid_t ended;

	if (read(signal_fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGTERM)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	/* orphans are given to us where there is no namespace of processes */
	do {
		ended = waitpid(-1, out_status, WNOHANG);
	} while (ended > 0 && ended != pid);
	return ended == pid;
}

/* The same while the container's calls are answered. */
static int answer_until_end(struct supervisor *supervisor, pid_t pid, int pidfd)
{
	struct pollfd fds[] = { { .events = POLLIN },
				{ .fd = supervisor_fd(supervisor), .events = POLLIN } };
	sigset_t wanted;
	int status;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	fds[0].fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fds[0].fd < 0) /* the container ends with us */
		_exit(EXIT_SETUP);
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents & POLLIN)
			supervisor_answer(supervisor);
		else if (fds[1].revents)
			fds[1].fd = -1;
		if (fds[0].revents && take_signal(fds[0].fd, pid, pidfd, &status))
			return status;
	}
}

/* *out is NULL where nobody is to be supervised. */
static int open_supervisor(struct inner *inner, struct supervisor **out, struct err *err)
{
	if (inner->description->supervision == SANDBOX_UNSUPERVISED)
		return 0;
	fd_close(&inner->supervision[1]);
	*out = supervisor_open(inner->supervision[0], inner->description, err);
	return *out || err->kind == ERR_NONE ? 0 : -1;
}

/* End as the command did, so that our waitpid status is its own. */
static _Noreturn void end_like(int status)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t one;

	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &no_core);
	sigemptyset(&one);
	sigaddset(&one, WTERMSIG(status));
	kill(getpid(), WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	_exit(128 + WTERMSIG(status));
}

static int run_outer(struct err *err)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	struct report started = { .type = REPORT_STARTED };
	struct wire_head head = { .launcher = 0 };
	auto_supervisor struct supervisor *supervisor = NULL;
	struct inner inner = INNER_INIT;
	bool has_own_pids;
	bool changed_ids = false;
	int pidfd = -1;
	int status;
	pid_t pid;

	if (read_description(&head, &description, err) < 0 || close_others(&head, err) < 0 ||
	    tie_to_launcher(&head, err) < 0 || confine_check(&description, err) < 0 ||
	    perform_clone_sources(&description, err) < 0 || perform_outside(&description, err) < 0)
		return -1;
	inner.description = &description;
	has_own_pids = description.namespaces & SANDBOX_NS_PID;
	if (!has_own_pids && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(err, "take in what the container leaves behind");
	if (pipe2(inner.alive, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	if (description.supervision &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, inner.supervision) < 0)
		return err_sys(err, "make a socket pair");
	if (perform_own_ids(&description, &changed_ids, err) < 0 ||
	    (changed_ids && tie_to_launcher(&head, err) < 0))
		return -1;
	pid = clone_inner(&inner, &pidfd, err);
	if (pid < 0)
		return -1;
	started.pid = pid;
	report_send(WIRE_REPORT_FD, &started, pidfd);
	if (open_supervisor(&inner, &supervisor, err) < 0)
		return -1;
	/* neither the report, whose end is the exec, nor any mount is held from here on */
	syscall(SYS_close_range, WIRE_REPORT_FD, WIRE_FIRST_FD + (unsigned)head.fd_count - 1, 0);
	perform_close_sources(&description);
	status = supervisor ? answer_until_end(supervisor, pid, pidfd) : wait_for_end(pid, pidfd);
	/* a supervisor's root is no longer the host's, but it is in /proc */
	if (!has_own_pids)
		kill_orphans(supervisor ? "." : "/proc");
	end_like(status);
}

int main(void)
{
	struct err err = ERR_INIT;

	/* nobody looks into us, neither before nor inside of the container */
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NAME, "sandbox"); /* whatever path it was executed by */
	reset_signals();
	umask(0);
	if (run_outer(&err) < 0)
		report_failure(&err, 0);
	return EXIT_SETUP;
}
