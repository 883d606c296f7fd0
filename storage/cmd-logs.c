/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore logs: what a detached container has written, and writes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "storage/cmd-internal.h"
#include "storage/container-control.h"
#include "storage/container-state.h"

#define PAUSE_MS   50
#define TAIL_BYTES 65536

/* Put the offset before the last @lines lines. */
static int seek_tail(int fd, int64_t lines, struct err *err)
{
	off_t end = lseek(fd, 0, SEEK_END);
	off_t at = end;
	char buf[TAIL_BYTES];

	if (end < 0)
		return err_sys(err, "look for the end of the log");
	while (at > 0) {
		size_t len = at < TAIL_BYTES ? (size_t)at : TAIL_BYTES;
		ssize_t n = pread(fd, buf, len, at - (off_t)len);

		if (n != (ssize_t)len)
			return err_sys(err, "read the log");
		for (size_t i = len; i > 0; i--) {
			/* a newline at the very end begins no line */
			if (buf[i - 1] != '\n' || at - (off_t)(len - i) == end)
				continue;
			if (lines-- > 1)
				continue;
			return lseek(fd, at - (off_t)(len - i), SEEK_SET) < 0 ? -1 : 0;
		}
		at -= (off_t)len;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(err, "go to the begin of the log") : 0;
}

/* Whatever is in it when its end has come is shown. */
static int follow(struct store *store, const struct container *container, int fd, struct err *err)
{
	bool has_ended = false;

	for (;;) {
		const bool was_last = has_ended;

		if (fd_copy(fd, STDOUT_FILENO, UINT64_MAX, NULL, "the log", err) < 0)
			return -1;
		if (was_last)
			return 0;
		if (control_wait(store, container->id, PAUSE_MS, &has_ended, err) < 0)
			return -1;
	}
}

static int show(const char *root, const char *text, int64_t tail, bool follows, struct err *err)
{
	auto_store struct store *store = NULL;
	auto_container struct container container = CONTAINER_INIT;
	auto_close int fd = -1;

	if (command_open(root, NULL, &store, err) < 0 ||
	    container_look(store, text, &container, NULL, err) < 0)
		return -1;
	fd = openat(container.dir_fd, CONTAINER_LOG, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_INPUT,
			       "container '%s' has no log: only detached ones (imgrun -d) have",
			       text);
	if (fd < 0)
		return err_sys(err, "open the log of container '%s'", text);
	if (tail == 0 && lseek(fd, 0, SEEK_END) < 0)
		return err_sys(err, "go to the end of the log");
	if (tail > 0 && seek_tail(fd, tail, err) < 0)
		return -1;
	return follows ? follow(store, &container, fd, err)
		       : fd_copy(fd, STDOUT_FILENO, UINT64_MAX, NULL, "the log", err);
}

int cmd_logs(int argc, char **argv)
{
	const char *root = NULL;
	const char *lines = NULL;
	bool follows = false;
	const struct cmdline_option options[] = {
		{ 'f', "follow", OPTION_FLAG, &follows, NULL,
		  "show what is still to come, until it ends", NULL },
		{ 'n', "tail", OPTION_STRING, &lines, "LINES", "the last lines only", NULL },
		OPTION_ROOT(&root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore logs",
					 .synopsis = "[OPTIONS] CONTAINER",
					 .summary = "Show what a detached container has written.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 1 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	int64_t tail = -1;

	if (command_begin(&cmdline, argc, argv, &args, &err) &&
	    (!lines || strcmp(lines, "all") == 0 ||
	     amount_whole("--tail", lines, INT32_MAX, &tail, &err) == 0))
		show(root, args.items[0], tail, follows, &err);
	return command_end(&err);
}
