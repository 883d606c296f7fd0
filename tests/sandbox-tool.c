/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tool of the tests: runs a command in a directory tree as the sandbox runs a
 * step, without any store. Its options are the members of the description.
 * Exit status as imgrun's: the command's own, 125, 126, 127.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cmdline.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strlist.h"
#include "common/userns.h"
#include "sandbox/caps.h"
#include "sandbox/description.h"
#include "sandbox/launch.h"
#include "sandbox/seccomp.h"

struct tool {
	struct strlist args;
	struct strlist env;
	struct strlist binds; /* SOURCE:TARGET[:ro] */
	struct strlist groups;
	const char *cwd, *uid, *gid, *hostname, *caps, *nofile, *repeat, *seccomp;
	bool net, nnp, read_only, print, devices, terminal;
};

static int open_root(const char *path, struct err *err)
{
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0)
		return err_sys(err, "open the tree '%s'", path);
	return fd;
}

static int add_bind(struct sandbox_description *description, const char *text, struct err *err)
{
	auto_free char *copy = str_dup(text);
	char *rest = copy;
	const char *source = strsep(&rest, ":");
	const char *target = strsep(&rest, ":");
	int fd = open(source, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '%s'", source);
	sandbox_description_add_mount(
		description, SANDBOX_MOUNT_BIND, target,
		SANDBOX_MOUNT_RECURSIVE | (rest ? SANDBOX_MOUNT_READ_ONLY : 0U), fd, NULL);
	return 0;
}

static int fill(const struct tool *tool, struct sandbox_description *out, struct err *err)
{
	sandbox_description_defaults(out);
	for (size_t i = 1; i < tool->args.count; i++)
		strlist_add(&out->argv, tool->args.items[i]);
	strlist_copy(&out->env, &tool->env);
	if (tool->cwd) {
		free(out->cwd);
		out->cwd = str_dup(tool->cwd);
	}
	out->hostname = str_dup(tool->hostname);
	out->uid = tool->uid ? (uid_t)strtoul(tool->uid, NULL, 10) : 0;
	out->gid = tool->gid ? (gid_t)strtoul(tool->gid, NULL, 10) : 0;
	out->groups = mem_array(tool->groups.count + 1, sizeof(gid_t));
	for (size_t i = 0; i < tool->groups.count; i++)
		out->groups[out->group_count++] = (gid_t)strtoul(tool->groups.items[i], NULL, 10);
	out->namespaces |= tool->net ? SANDBOX_NS_NET : 0U;
	out->no_new_privileges = tool->nnp;
	out->read_only_root = tool->read_only;
	out->opens_devices = tool->devices;
	out->terminal = tool->terminal;
	if (tool->caps && caps_parse(tool->caps, &out->capabilities, err) < 0)
		return -1;
	if (tool->nofile) {
		out->rlimits = mem_array(1, sizeof(out->rlimits[0]));
		out->rlimits[out->rlimit_count++] =
			(struct sandbox_rlimit){ RLIMIT_NOFILE, strtoul(tool->nofile, NULL, 10),
						 strtoul(tool->nofile, NULL, 10) };
	}
	for (size_t i = 0; i < tool->binds.count; i++)
		if (add_bind(out, tool->binds.items[i], err) < 0)
			return -1;
	return 0;
}

/* What the container writes to its terminal, to our standard output. */
static void copy_terminal(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(STDOUT_FILENO, buf, (size_t)n) != n)
			return;
}

static int run_once(const struct tool *tool, struct sandbox_description *description,
		    int *out_status, int *out_exec_errno, struct err *err)
{
	static const int stdio[3] = { 0, 1, 2 };
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_close int root_fd = open_root(tool->args.items[0], err);

	if (root_fd < 0)
		return -1;
	description->root_fd = root_fd;
	if (sandbox_start(description, stdio, &sandbox, out_exec_errno, err) < 0)
		return -1;
	if (sandbox.terminal_fd >= 0)
		copy_terminal(sandbox.terminal_fd);
	return sandbox_wait(&sandbox, out_status, err);
}

static int run(const struct tool *tool, int *out_status, int *out_exec_errno, struct err *err)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	int count = tool->repeat ? atoi(tool->repeat) : 1;
	struct timespec from, to;

	if (fill(tool, &description, err) < 0)
		return -1;
	if (tool->print) {
		auto_strbuf struct strbuf text = STRBUF_INIT;

		sandbox_description_print(&description, &text);
		fputs(text.data, stdout);
		return 0;
	}
	if (tool->seccomp) {
		auto_close int cache_fd = open(tool->seccomp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		description.seccomp_fd =
			seccomp_default_filter(cache_fd, description.capabilities, err);
		if (description.seccomp_fd < 0)
			return -1;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < count; i++)
		if (run_once(tool, &description, out_status, out_exec_errno, err) < 0)
			return -1;
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (tool->repeat)
		fprintf(stderr, "%.3f ms each\n",
			((double)(to.tv_sec - from.tv_sec) * 1e3 +
			 (double)(to.tv_nsec - from.tv_nsec) / 1e6) /
				count);
	return 0;
}

int main(int argc, char **argv)
{
	static struct tool tool;
	const struct cmdline_option options[] = {
		{ 'e', "env", OPTION_LIST, &tool.env, "K=V", "environment", NULL },
		{ 'v', "bind", OPTION_LIST, &tool.binds, "SOURCE:TARGET[:ro]", "bind mount", NULL },
		{ 0, "group", OPTION_LIST, &tool.groups, "GID", "supplementary group", NULL },
		{ 'w', "cwd", OPTION_STRING, &tool.cwd, "DIR", "working directory", NULL },
		{ 0, "uid", OPTION_STRING, &tool.uid, "UID", "user", NULL },
		{ 0, "gid", OPTION_STRING, &tool.gid, "GID", "group", NULL },
		{ 0, "hostname", OPTION_STRING, &tool.hostname, "NAME", "host name", NULL },
		{ 0, "cap", OPTION_STRING, &tool.caps, "CAP", "the only capability", NULL },
		{ 0, "nofile", OPTION_STRING, &tool.nofile, "N", "RLIMIT_NOFILE", NULL },
		{ 0, "repeat", OPTION_STRING, &tool.repeat, "N", "run N times, tell the time",
		  NULL },
		{ 0, "net", OPTION_FLAG, &tool.net, NULL, "own network", NULL },
		{ 0, "nnp", OPTION_FLAG, &tool.nnp, NULL, "no new privileges", NULL },
		{ 0, "seccomp", OPTION_STRING, &tool.seccomp, "CACHE", "the default filter", NULL },
		{ 0, "read-only", OPTION_FLAG, &tool.read_only, NULL, "read-only root", NULL },
		{ 0, "devices", OPTION_FLAG, &tool.devices, NULL, "the root opens devices", NULL },
		{ 't', "terminal", OPTION_FLAG, &tool.terminal, NULL, "a terminal", NULL },
		{ 0, "print", OPTION_FLAG, &tool.print, NULL, "print the description", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "sandbox-tool",
		.synopsis = "[OPTIONS] ROOT COMMAND [ARGUMENT…]",
		.summary = "Run a command in a directory tree.",
		.options = options,
		.min_args = 2,
		.max_args = SIZE_MAX,
		.stop_at_positional = true,
	};
	struct err err = ERR_INIT;
	struct userns userns;
	bool done = false;
	int exec_errno = 0;
	int status = 0;

	log_init("sandbox-tool", LOG_INFO);
	if (cmdline_parse(&cmdline, argc, argv, &tool.args, &done, &err) == 0 && !done &&
	    userns_enter(&userns, &err) == 0)
		run(&tool, &status, &exec_errno, &err);
	if (err.kind != ERR_NONE) {
		err_print(&err, "sandbox-tool");
		return exec_errno == 0 ? 125 : exec_errno == ENOENT ? 127 : 126;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
