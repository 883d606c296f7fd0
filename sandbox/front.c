/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the process that the shell waits for, while another one runs the container. */
#include "sandbox/front.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"

#define EXIT_OURS        125
#define EXIT_SIGNAL_BASE 128

/* SIGCHLD, and those that are somebody else's wish; what the terminal sends reaches both. */
static void taken(sigset_t *out)
{
	static const int signals[] = { SIGCHLD, SIGHUP,  SIGINT,  SIGQUIT,
				       SIGTERM, SIGUSR1, SIGUSR2, SIGCONT };

	sigemptyset(out);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(out, signals[i]);
}

static void hand_on(int signals_fd, pid_t pid)
{
	struct signalfd_siginfo info;

	if (read(signals_fd, &info, sizeof(info)) != sizeof(info) || info.ssi_code == SI_KERNEL ||
	    info.ssi_signo == SIGCHLD)
		return;
	(void)kill(pid, (int)info.ssi_signo); /* not yet waited for, so it is there */
}

static _Noreturn void be_front(pid_t pid, int fd, int signals_fd)
{
	struct pollfd from[] = { { fd, POLLIN, 0 }, { signals_fd, POLLIN, 0 } };
	int status;
	char word;

	for (;;) {
		if (poll(from, 2, -1) < 0 && errno != EINTR)
			_exit(EXIT_OURS); /* it ends with us */
		if (from[1].revents)
			hand_on(signals_fd, pid);
		if (from[0].revents)
			break;
	}
	if (read(fd, &word, 1) == 1)
		_exit(0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(EXIT_OURS);
	_exit(WIFSIGNALED(status) ? EXIT_SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status));
}

void front_hold(const struct front *front)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* fails for no signal that there is */
	if (getppid() != front->pid)
		(void)kill(getpid(), SIGKILL);
}

int front_make(struct front *out, struct err *err)
{
	const pid_t front = getpid();
	auto_close int signals_fd = -1;
	sigset_t set;
	sigset_t before;
	int fds[2];
	pid_t pid;

	taken(&set);
	signals_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals_fd < 0)
		return err_sys(err, "open a descriptor for signals");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	sigprocmask(SIG_BLOCK, &set, &before);
	pid = fork();
	if (pid > 0) {
		close(fds[1]);
		be_front(pid, fds[0], signals_fd);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[0]);
	if (pid < 0) {
		close(fds[1]);
		return err_sys(err, "fork");
	}
	*out = (struct front){ .pid = front, .fd = fds[1] };
	front_hold(out);
	return 0;
}

void front_leave(struct front *front)
{
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)prctl(PR_SET_PDEATHSIG, 0);
	setsid();
	for (int i = 0; null_fd >= 0 && i < 3; i++)
		(void)dup2(null_fd, i);
	(void)fd_write_quiet(front->fd, "", 1); /* gone: needs no word */
	fd_close(&front->fd);
}
