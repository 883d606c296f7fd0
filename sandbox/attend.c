/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the time in which a container runs in the foreground: signals,
 * the terminal's size and mode, the bytes between it and the container.
 */
#include "sandbox/attend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/strbuf.h"
#include "storage/container-control.h"

#define PATIENCE 3 /* SIGINTs and SIGTERMs */

/* Those that a user or a service manager sends to have the container notice. */
static void handed_on(sigset_t *out)
{
	static const int signals[] = { SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM,
				       SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };

	sigemptyset(out);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(out, signals[i]);
}

void attend_hold(void)
{
	sigset_t set;

	handed_on(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* whoever reads our output may go away first */
}

/* ---- our own terminal ---- */

struct raw {
	bool is_raw;
	struct termios before;
};
#define auto_raw __attribute__((cleanup(raw_release)))

static void raw_release(struct raw *raw)
{
	if (raw->is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw->before);
	raw->is_raw = false;
}

static int raw_enter(struct raw *raw, struct err *err)
{
	struct termios now;

	if (!isatty(STDIN_FILENO))
		return 0;
	if (tcgetattr(STDIN_FILENO, &raw->before) < 0)
		return err_sys(err, "read the terminal's mode");
	now = raw->before;
	cfmakeraw(&now);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &now) < 0)
		return err_sys(err, "make the terminal raw");
	raw->is_raw = true;
	return 0;
}

static bool own_size(struct winsize *out)
{
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, out) == 0)
			return true;
	return false;
}

void attend_terminal_size(uint16_t *out_rows, uint16_t *out_columns)
{
	struct winsize size;

	if (!own_size(&size))
		return;
	*out_rows = size.ws_row;
	*out_columns = size.ws_col;
}

/* With no terminal of ours the container's keeps its own. */
static void copy_size(int terminal_fd)
{
	struct winsize size;

	if (own_size(&size))
		ioctl(terminal_fd, TIOCSWINSZ, &size);
}

/* ---- what happens meanwhile ---- */

enum attended { FROM_SIGNALS, FROM_END, FROM_CONTAINER, FROM_USER, FROM_CONTROL, SOURCES };

struct attendance {
	struct sandbox *sandbox;
	const struct attend_options *options;
	struct raw *raw;
	struct detach_keys keys;
	int out_fd;
	struct pollfd from[SOURCES];
	unsigned asked; /* SIGINTs and SIGTERMs so far */
	bool is_over;
};

static int take_signal(struct attendance *attendance, struct err *err)
{
	struct signalfd_siginfo info;
	int sig;

	if (read(attendance->from[FROM_SIGNALS].fd, &info, sizeof(info)) != sizeof(info))
		return errno == EAGAIN ? 0 : err_sys(err, "read a signal");
	sig = (int)info.ssi_signo;
	if (sig == SIGWINCH && attendance->sandbox->terminal_fd >= 0) {
		copy_size(attendance->sandbox->terminal_fd);
		return 0;
	}
	if ((sig == SIGINT || sig == SIGTERM) && ++attendance->asked >= PATIENCE)
		sig = SIGKILL;
	return sandbox_signal(attendance->sandbox, sig, err);
}

/* The slave side is closed by all: EIO. Whoever read us is gone: the rest is dropped. */
static int take_output(struct attendance *attendance, struct err *err)
{
	char buf[16384];
	ssize_t n = read(attendance->sandbox->terminal_fd, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0 && errno != EIO && errno != EAGAIN)
		return err_sys(err, "read from the container's terminal");
	if (n <= 0) {
		attendance->from[FROM_CONTAINER].fd = -1;
		return 0;
	}
	if (!fd_write_quiet(attendance->out_fd, buf, (size_t)n) && errno != EPIPE)
		return err_sys(err, "write what the container's terminal shows");
	return 0;
}

/* Our own terminal is gone, so the container's goes: a first process hears no SIGHUP of ours. */
static void hang_up(struct attendance *attendance)
{
	attendance->from[FROM_USER].fd = -1;
	attendance->from[FROM_CONTAINER] = (struct pollfd){ -1, 0, 0 };
	fd_close(&attendance->sandbox->terminal_fd);
}

/* It goes on without us: nothing is typed any more, and what is shown goes elsewhere. */
static int leave(struct attendance *attendance, struct err *err)
{
	const struct attend_options *options = attendance->options;

	attendance->from[FROM_USER].fd = -1;
	raw_release(attendance->raw);
	return options->leave(options->context, &attendance->out_fd, err);
}

static int take_input(struct attendance *attendance, struct err *err)
{
	auto_strbuf struct strbuf typed = STRBUF_INIT;
	bool is_left;
	char buf[4096];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0 && errno != EIO)
		return err_sys(err, "read from standard input");
	if (n <= 0) {
		hang_up(attendance);
		return 0;
	}
	is_left = detach_keys_take(&attendance->keys, buf, (size_t)n, &typed);
	if (!fd_write_quiet(attendance->sandbox->terminal_fd, typed.data, typed.len) &&
	    errno != EIO)
		return err_sys(err, "write to the container's terminal");
	return is_left ? leave(attendance, err) : 0;
}

/* What another command asks for. */
static void take_request(struct attendance *attendance)
{
	struct err err = ERR_INIT;
	int client_fd = -1;
	int sig = control_accept(attendance->from[FROM_CONTROL].fd, &client_fd);

	if (client_fd < 0)
		return;
	if (sandbox_signal(attendance->sandbox, sig, &err) < 0 && err.sys_errno == 0)
		err.sys_errno = EIO;
	control_answer(client_fd, err.sys_errno);
}

static int turn(struct attendance *attendance, struct err *err)
{
	struct pollfd *from = attendance->from;

	if (poll(from, SOURCES, -1) < 0)
		return errno == EINTR ? 0 : err_sys(err, "wait for the container");
	if (from[FROM_SIGNALS].revents && take_signal(attendance, err) < 0)
		return -1;
	if (from[FROM_USER].revents && take_input(attendance, err) < 0)
		return -1;
	if (from[FROM_CONTAINER].revents && take_output(attendance, err) < 0)
		return -1;
	if (from[FROM_CONTROL].revents)
		take_request(attendance);
	/* what it last wrote comes first */
	attendance->is_over = from[FROM_END].revents && !from[FROM_CONTAINER].revents;
	return 0;
}

static int open_signals(struct err *err)
{
	sigset_t set;
	int fd;

	handed_on(&set);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, "open a descriptor for signals");
	return fd;
}

int attend(struct sandbox *sandbox, const struct attend_options *options, struct err *err)
{
	const bool has_terminal = sandbox->terminal_fd >= 0;
	const bool is_typed = has_terminal && options->interactive;
	auto_raw struct raw raw = { .is_raw = false };
	auto_close int signals_fd = open_signals(err);
	struct attendance attendance = {
		.sandbox = sandbox, .options = options, .raw = &raw, .out_fd = options->out_fd
	};

	if (signals_fd < 0)
		return -1;
	if (has_terminal)
		copy_size(sandbox->terminal_fd);
	if (is_typed && raw_enter(&raw, err) < 0)
		return -1;
	if (options->detach_keys)
		attendance.keys = *options->detach_keys;
	attendance.from[FROM_SIGNALS] = (struct pollfd){ signals_fd, POLLIN, 0 };
	attendance.from[FROM_END] = (struct pollfd){ sandbox->init_pidfd, POLLIN, 0 };
	attendance.from[FROM_CONTAINER] = (struct pollfd){ sandbox->terminal_fd, POLLIN, 0 };
	attendance.from[FROM_USER] = (struct pollfd){ is_typed ? STDIN_FILENO : -1, POLLIN, 0 };
	attendance.from[FROM_CONTROL] = (struct pollfd){ options->control_fd, POLLIN, 0 };
	while (!attendance.is_over) {
		if (turn(&attendance, err) < 0)
			return -1;
	}
	return 0;
}
