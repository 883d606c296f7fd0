/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for starting the program "fetch", for waiting for its answer, and for
 * its end, with all that it started, when nobody wants the answer any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/proc.h"
#include "registry/fetch.h"

#define ANSWER_MAX_BYTES  ((size_t)1 << 20)
#define DEFAULT_MAX_BYTES ((uint64_t)16 << 30)
#define DEFAULT_IDLE      60

static int limit_from(const char *name, uint64_t otherwise, uint64_t *out, struct err *err)
{
	const char *text = getenv(name);
	char *end;

	*out = otherwise;
	if (!text || text[0] == '\0')
		return 0;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || *out == 0 ||
	    *out > INT64_MAX)
		return err_set(err, ERR_USAGE, "%s '%s' is not a number above 0", name, text);
	return 0;
}

int fetch_limits(struct fetch_request *request, struct err *err)
{
	if (limit_from("IMGBUILD_FETCH_MAX_BYTES", DEFAULT_MAX_BYTES, &request->max_bytes, err) < 0)
		return -1;
	return limit_from("IMGBUILD_FETCH_TIMEOUT", DEFAULT_IDLE, &request->idle_seconds, err);
}

/* In memory, for it may hold a password. */
static int request_file(const struct fetch_request *request, struct err *err)
{
	auto_close int fd = memfd_create("fetch-request", MFD_CLOEXEC);
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd < 0)
		return err_sys(err, "make the fetch request");
	fetch_request_format(request, &text);
	if (fd_write_all(fd, text.data, text.len, "the fetch request", err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "rewind the fetch request");
	return fd_steal(&fd);
}

/* Its own group: what it started (git, and what that started) ends with it. */
static void stop(struct child *child)
{
	if (child->pid > 0)
		kill(-child->pid, SIGKILL);
	child_release(child);
}
#define auto_fetcher __attribute__((cleanup(stop)))

static int wait_readable(int answer_fd, int interrupt_fd, struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = answer_fd, .events = POLLIN },
		{ .fd = interrupt_fd, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return err_sys(err, "wait for the fetch");
	if (fds[1].revents)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return 0;
}

static int read_answer(int answer_fd, int interrupt_fd, struct strbuf *out, struct err *err)
{
	char buffer[4096];
	ssize_t n;

	do {
		if (wait_readable(answer_fd, interrupt_fd, err) < 0)
			return -1;
		n = read(answer_fd, buffer, sizeof(buffer));
		if (n < 0 && errno != EINTR)
			return err_sys(err, "read what the fetch says");
		if (n > 0)
			strbuf_add(out, buffer, (size_t)n);
		if (out->len > ANSWER_MAX_BYTES)
			return err_set(err, ERR_BUG, "the fetch says too much");
	} while (n != 0);
	return 0;
}

static int start(const struct fetch_request *request, int into_fd, struct child *child,
		 int *out_answer_fd, struct err *err)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	auto_close int request_fd = -1;
	int pipe_fds[2];

	if (proc_find_own("registry", "fetch", &path, err) < 0)
		return -1;
	request_fd = request_file(request, err);
	if (request_fd < 0)
		return -1;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");

	const char *const argv[] = { path.data, NULL };
	const struct proc_fd fds[] = {
		{ request_fd, STDIN_FILENO },
		{ pipe_fds[1], STDOUT_FILENO },
		{ into_fd, FETCH_INTO_FD },
	};
	const struct proc_spec spec = {
		.argv = argv,
		.fds = fds,
		.fd_count = into_fd < 0 ? 2 : 3,
		.new_group = true,
	};
	int result = child_start(child, &spec, err);

	fd_close(&pipe_fds[1]);
	if (result < 0)
		fd_close(&pipe_fds[0]);
	*out_answer_fd = pipe_fds[0];
	return result;
}

int fetch_run(const struct fetch_request *request, int into_fd, int interrupt_fd,
	      struct fetch_result *out, struct err *err)
{
	auto_strbuf struct strbuf answer = STRBUF_INIT;
	auto_fetcher struct child child = CHILD_INIT;
	auto_close int answer_fd = -1;
	char text[64];
	int status;

	if (start(request, into_fd, &child, &answer_fd, err) < 0 ||
	    read_answer(answer_fd, interrupt_fd, &answer, err) < 0 ||
	    child_wait(&child, &status, err) < 0)
		return -1;
	if (answer.len == 0)
		return err_set(err, ERR_SYSTEM,
			       "fetch '%s': the fetcher ended without an answer: %s", request->url,
			       proc_status_text(status, text));
	return fetch_result_parse(answer.data, answer.len, out, err);
}
