/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for /proc and /dev where they cannot be mounted: a process that opens something there
 * gets the outer one's, if it is of those that a container may see. Files only: a directory of the
 * outer /proc would be a way to all that is in it; of a few is told that they are there. Names with
 * ".." are none of ours.
 */
#include "sandbox/supervise-internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/fd.h"

#define ANCESTORS_MAX 4096

static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty", NULL };

/* Of /proc itself; what is said there is the same for all. */
static const char *const of_all[] = { "cmdline", "cpuinfo", "filesystems", "loadavg", "meminfo",
				      "stat",    "swaps",   "uptime",      "version", "vmstat",
				      "devices", "misc",    "cgroups",     "modules", NULL };

/* Of a process, for itself and its kin. */
static const char *const of_process[] = { "auxv",    "cgroup",    "cmdline",       "comm",
					  "environ", "exe",       "limits",        "loginuid",
					  "maps",    "mountinfo", "mounts",        "smaps",
					  "stat",    "statm",     "status",        "uid_map",
					  "gid_map", "setgroups", "oom_score_adj", NULL };

static const char *const writable[] = { "comm", "oom_score_adj", "loginuid", NULL };

static bool is_in(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* Behind @prefix and the slash after it, else NULL. */
static const char *below(const char *path, const char *prefix)
{
	const size_t len = strlen(prefix);

	return strncmp(path, prefix, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

/* Without "." and doubled slashes. false: it has a "..", or does not begin at the root. */
static bool clean(const char *path, char out[PATH_MAX])
{
	size_t len = 0;

	if (path[0] != '/')
		return false;
	while (*path) {
		size_t part;

		path += strspn(path, "/");
		part = strcspn(path, "/");
		if (part == 2 && strncmp(path, "..", 2) == 0)
			return false;
		if (part > 0 && !(part == 1 && path[0] == '.')) {
			out[len++] = '/';
			memcpy(out + len, path, part);
			len += part;
		}
		path += part;
	}
	out[len] = '\0';
	return true;
}

/* ---- whose process is it ---- */

static pid_t parent_of(const struct supervisor *supervisor, pid_t pid)
{
	static const char key[] = "\nPPid:\t";
	char path[32];
	char text[1024];
	auto_close int fd = -1;
	const char *at;
	ssize_t n;

	snprintf(path, sizeof(path), "%d/status", pid);
	fd = openat(supervisor->proc_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strstr(text, key);
	return at ? (pid_t)strtol(at + strlen(key), NULL, 10) : 0;
}

/* All that the command started are our descendants, for orphans are given to us. */
static bool is_ours(const struct supervisor *supervisor, pid_t pid)
{
	const pid_t self = getpid();

	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		pid = parent_of(supervisor, pid);
		if (pid == self)
			return true;
	}
	return false;
}

/* ---- which file of the outer ones ---- */

struct outer {
	int base_fd;
	char path[PATH_MAX];
	bool is_writable;
	enum {
		DIRECTORY_HIDDEN,
		DIRECTORY_SEEN,  /* is told to be there */
		DIRECTORY_OPENED /* its own descriptor's */
	} directory;
};

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 10;
}

/* @rest: what of process @pid. */
static bool find_of_process(const struct call *call, pid_t pid, const char *rest, struct outer *out)
{
	const char *number = below(rest, "fd");
	const bool is_own = pid == call->pid;

	if (is_own && number && is_number(number)) {
		out->is_writable = true;
		out->directory = DIRECTORY_OPENED;
	} else if (is_in(of_process, rest)) {
		out->is_writable = is_in(writable, rest);
	} else {
		return false;
	}
	if (!is_own && !is_ours(call->supervisor, pid))
		return false;
	out->base_fd = call->supervisor->proc_fd;
	snprintf(out->path, sizeof(out->path), "%d/%s", pid, rest);
	return true;
}

static bool find_in_proc(const struct call *call, const char *name, struct outer *out)
{
	const char *rest = below(name, "self");
	char *end;
	long pid;

	if (!rest)
		rest = below(name, "thread-self");
	if (rest)
		return find_of_process(call, call->pid, rest, out);
	if (strcmp(name, "mounts") == 0)
		return find_of_process(call, call->pid, name, out);
	if (isdigit((unsigned char)name[0])) {
		pid = strtol(name, &end, 10);
		return *end == '/' && pid > 0 && pid < INT32_MAX &&
		       find_of_process(call, (pid_t)pid, end + 1, out);
	}
	if (!is_in(of_all, name) && !below(name, "sys"))
		return false;
	out->base_fd = call->supervisor->proc_fd;
	out->is_writable = false;
	out->directory = below(name, "sys") ? DIRECTORY_SEEN : DIRECTORY_HIDDEN;
	return snprintf(out->path, sizeof(out->path), "%s", name) < (int)sizeof(out->path);
}

static bool find_in_dev(const struct call *call, const char *name, struct outer *out)
{
	static const char *const standard[] = { "stdin", "stdout", "stderr" };
	char fd_name[32];

	for (int i = 0; i < 3; i++) {
		if (strcmp(name, standard[i]) != 0)
			continue;
		snprintf(fd_name, sizeof(fd_name), "fd/%d", i);
		return find_of_process(call, call->pid, fd_name, out);
	}
	if (below(name, "fd"))
		return find_of_process(call, call->pid, name, out);
	if (!is_in(devices, name))
		return false;
	out->base_fd = call->supervisor->dev_fd;
	out->is_writable = true;
	snprintf(out->path, sizeof(out->path), "%s", name);
	return true;
}

static bool find(const struct call *call, const char *path, struct outer *out)
{
	const char *name = below(path, "/proc");

	*out = (struct outer){ .base_fd = call->supervisor->proc_fd };
	if (name)
		return find_in_proc(call, name, out);
	name = below(path, "/dev");
	if (name)
		return find_in_dev(call, name, out);
	/* scripts ask whether there is a /proc at all */
	out->directory = DIRECTORY_SEEN;
	strcpy(out->path, ".");
	return strcmp(path, "/proc") == 0;
}

static int open_found(const struct call *call, const struct outer *outer, int flags, bool is_for_us)
{
	auto_close int fd = -1;
	struct stat st;

	flags &= ~(O_CREAT | O_EXCL | O_TRUNC | O_DIRECTORY);
	fd = openat(outer->base_fd, outer->path, flags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -EACCES;
	if (S_ISDIR(st.st_mode) &&
	    outer->directory < (is_for_us ? DIRECTORY_SEEN : DIRECTORY_OPENED))
		return -ENOENT;
	return call_is_alive(call) ? fd_steal(&fd) : -ESRCH;
}

int call_open_outer(const struct call *call, const char *text, int flags)
{
	struct outer outer;
	char path[PATH_MAX];

	if (call->supervisor->dev_fd < 0 || !clean(text, path) || !find(call, path, &outer))
		return -ENOENT;
	if (!outer.is_writable && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	return open_found(call, &outer, flags, false);
}

int call_look_outer(const struct call *call, const char *text, int flags)
{
	struct outer outer;
	char path[PATH_MAX];

	if (call->supervisor->dev_fd < 0 || !clean(text, path) || !find(call, path, &outer))
		return -ENOENT;
	return open_found(call, &outer, flags | O_PATH, true);
}

/* ---- calls that are of interest there ---- */

static int access_outer(const struct call *call, int fd, int want)
{
	char path[32];

	snprintf(path, sizeof(path), "self/fd/%d", fd);
	return faccessat(call->supervisor->proc_fd, path, want, 0) < 0 ? -errno : 0;
}

int answer_access(struct call *call)
{
	const bool is_at = call->number == SYS_faccessat || call->number == SYS_faccessat2;
	const uint64_t *args = call->args + (is_at ? 1 : 0);
	const int want = (int)args[1] & (R_OK | W_OK | X_OK);
	const int flags = call->number == SYS_faccessat2 ? (int)args[2] : 0;
	const struct at at = { .dir_fd = is_at ? (int)call->args[0] : AT_FDCWD,
			       .path = args[0],
			       .flags = flags & AT_SYMLINK_NOFOLLOW };
	int result;

	if (call->supervisor->dev_fd >= 0) {
		auto_close int fd = call_open(call, at.dir_fd, at.path, flags);

		if (fd >= 0 && call->is_outer)
			return access_outer(call, fd, want);
	}
	result = flags & AT_EACCESS ? supervise_may_reach(call, at, want)
				    : supervise_may_access(call, at, want);
	return result < 0 ? result : CALL_PASS;
}

/* What tells that there is a /proc; of all else the kernel tells. */
int answer_statfs(struct call *call)
{
	char text[PATH_MAX];
	char path[PATH_MAX];
	struct statfs fs;

	if (call_read_text(call, call->args[0], text, sizeof(text)) < 0 || !clean(text, path) ||
	    strcmp(path, "/proc") != 0 || fstatfs(call->supervisor->proc_fd, &fs) < 0)
		return CALL_PASS;
	return call_write(call, call->args[1], &fs, sizeof(fs));
}

/* The name that others set in their own namespace. */
int answer_uname(struct call *call)
{
	struct utsname name;

	if (!call->supervisor->hostname)
		return CALL_PASS;
	if (uname(&name) < 0)
		return -errno;
	snprintf(name.nodename, sizeof(name.nodename), "%s", call->supervisor->hostname);
	return call_write(call, call->args[0], &name, sizeof(name));
}

/* Where a link of /proc leads is told from the root that the process has, for it is ours. */
int answer_readlink(struct call *call)
{
	const bool is_at = call->number == SYS_readlinkat;
	const uint64_t *args = call->args + (is_at ? 1 : 0);
	auto_close int fd = call_open(call, is_at ? (int)call->args[0] : AT_FDCWD, args[0],
				      AT_SYMLINK_NOFOLLOW);
	char target[PATH_MAX];
	size_t room = (size_t)args[2];
	ssize_t n;
	int result;

	if (fd < 0 || !call->is_outer)
		return CALL_PASS;
	n = readlinkat(fd, "", target, sizeof(target));
	if (n < 0)
		return errno == ENOENT ? -EINVAL : -errno;
	room = room < (size_t)n ? room : (size_t)n;
	result = call_write(call, args[1], target, room);
	call->value = (int64_t)room;
	return result;
}
