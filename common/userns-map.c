/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the ids of a user namespace: those that /etc/subuid and /etc/subgid
 * give, or the own one alone; and for going into a namespace that has them.
 *
 * newuidmap and newgidmap must run outside the new namespace: a child for each
 * is forked before we leave, waits at a pipe until we have left, and then
 * becomes the program; both work at the same time.
 */
#include "common/userns-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/proc-internal.h"
#include "common/proc.h"
#include "common/strlist.h"
#include "common/subids.h"

/* One of the two maps: of users or of groups. */
struct id_map {
	const char *program;    /* newuidmap */
	const char *map_path;   /* /proc/self/uid_map */
	const char *ids_path;   /* /etc/subuid */
	const char *add_option; /* of usermod(8) */
	uint32_t own_id;        /* becomes 0 */
	struct subids subids;
	struct child child; /* waits at the pipe to become the program */
	int log_fd;         /* its stderr */
	bool is_mapped;
};

enum { MAP_USERS, MAP_GROUPS, MAP_COUNT };

struct id_map *idmaps_new(void)
{
	struct id_map *maps = mem_array(MAP_COUNT, sizeof(*maps));

	maps[MAP_USERS] = (struct id_map){ .program = "newuidmap",
					   .map_path = "/proc/self/uid_map",
					   .ids_path = "/etc/subuid",
					   .add_option = "--add-subuids",
					   .own_id = geteuid(),
					   .log_fd = -1 };
	maps[MAP_GROUPS] = (struct id_map){ .program = "newgidmap",
					    .map_path = "/proc/self/gid_map",
					    .ids_path = "/etc/subgid",
					    .add_option = "--add-subgids",
					    .own_id = getegid(),
					    .log_fd = -1 };
	return maps;
}

void idmaps_free(struct id_map *maps)
{
	int saved = errno;

	for (int i = 0; i < MAP_COUNT; i++) {
		child_release(&maps[i].child);
		fd_close(&maps[i].log_fd);
	}
	free(maps);
	errno = saved;
}

static bool is_setting(const char *path, char value)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c;

	return fd >= 0 && read(fd, &c, 1) == 1 && c == value;
}

/* Why the kernel may have refused, and what to do: into the detail of @err. */
static void add_remedy(int error, struct err *err)
{
	if (is_setting("/proc/sys/kernel/unprivileged_userns_clone", '0'))
		err_detail(err, "this host lets only root make user namespaces; as root: "
				"sysctl kernel.unprivileged_userns_clone=1");
	else if (is_setting("/proc/sys/user/max_user_namespaces", '0') || error == ENOSPC ||
		 error == EUSERS)
		err_detail(err, "the limit of user namespaces is reached or 0; as root: "
				"sysctl user.max_user_namespaces=15000");
	else if (is_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1'))
		err_detail(err, "AppArmor restricts user namespaces on this host; as root: sysctl "
				"kernel.apparmor_restrict_unprivileged_userns=0, or a profile that "
				"allows 'userns' for this program");
	else if (error == EINVAL || error == ENOSYS)
		err_detail(err, "the kernel has no user namespaces (CONFIG_USER_NS)");
	else if (error == EPERM)
		err_detail(err,
			   "a container's seccomp filter or a chroot forbids them here: run it "
			   "as root outside, or allow unshare and mount in the container "
			   "(--security-opt seccomp=unconfined)");
}

static int fail_refused(const char *what, struct err *err)
{
	int saved = errno;

	err_sys(err, "%s", what);
	add_remedy(saved, err);
	errno = saved;
	return -1;
}

/* ---- the two programs ----------------------------------------------------- */

/* newuidmap PID 0 UID 1 1 START COUNT ... */
static void format_args(const struct id_map *map, pid_t target, struct strlist *out)
{
	uint64_t next = 1;

	strlist_add(out, map->program);
	strlist_addf(out, "%d", (int)target);
	strlist_add(out, "0");
	strlist_addf(out, "%u", map->own_id);
	strlist_add(out, "1");
	for (size_t i = 0; i < map->subids.count; i++) {
		const struct subid_range *range = &map->subids.ranges[i];

		if (next + range->count > UINT32_MAX)
			break;
		strlist_addf(out, "%u", (uint32_t)next);
		strlist_addf(out, "%u", range->start);
		strlist_addf(out, "%u", range->count);
		next += range->count;
	}
}

/* In the child: until a byte comes, then the program; never returns. */
static _Noreturn void wait_and_exec(const struct id_map *map, char **args, const int gate[2])
{
	char byte;

	close(gate[1]);
	/* end of file: the parent gave up or died */
	if (read(gate[0], &byte, 1) != 1)
		_exit(1);
	if (dup2(map->log_fd, STDERR_FILENO) < 0)
		_exit(1);
	execvp(args[0], args);
	dprintf(STDERR_FILENO, "%s: %s", args[0], strerror(errno));
	_exit(127);
}

static int start_mapper(struct id_map *map, const int gate[2], struct err *err)
{
	auto_strlist struct strlist args = STRLIST_INIT;
	pid_t pid;

	map->log_fd = proc_stderr_open(err);
	if (map->log_fd < 0)
		return -1;
	format_args(map, getpid(), &args);
	pid = fork();
	if (pid < 0)
		return err_sys(err, "start '%s'", map->program);
	if (pid == 0)
		wait_and_exec(map, args.items, gate);
	map->child.pid = pid;
	return 0;
}

/* Whether it mapped; if not, why goes to @why. */
static int finish_mapper(struct id_map *map, char *why, size_t why_size, struct err *err)
{
	char line[PROC_LINE_MAX];
	char text[64];
	int status;

	if (child_wait(&map->child, &status, err) < 0)
		return -1;
	map->is_mapped = status == 0;
	if (map->is_mapped)
		return 0;
	proc_stderr_line(map->log_fd, line);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		snprintf(why, why_size,
			 "%s cannot be started: install it (Debian: apt install uidmap)",
			 map->program);
	else
		snprintf(why, why_size,
			 "%s failed (%s): %.200s; it must be setuid root or have its file "
			 "capability, and %s must hold ids that exist here",
			 map->program, proc_status_text(status, text), line, map->ids_path);
	return 0;
}

/* ---- entering ------------------------------------------------------------- */

static int write_file(const char *path, const char *text, struct err *err)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return fd_write_all(fd, text, strlen(text), path, err);
}

/* What every user may do: one id, the own one, becomes 0. */
static int map_single(struct id_map *map, struct err *err)
{
	char text[64];

	/* the kernel's condition for a map of groups without privilege */
	if (strcmp(map->map_path, "/proc/self/gid_map") == 0 &&
	    write_file("/proc/self/setgroups", "deny", err) < 0)
		return -1;
	snprintf(text, sizeof(text), "0 %u 1\n", map->own_id);
	return write_file(map->map_path, text, err);
}

/* Leave, let the waiting children map, and map by ourselves what they did not. */
static int unshare_and_map(struct id_map *maps, const int gate[2], struct userns *out,
			   struct err *err)
{
	out->mode = USERNS_SUBIDS;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return fail_refused("make a user namespace", err);
	if (fd_write_all(gate[1], "gg", MAP_COUNT, "pipe", err) < 0)
		return -1;
	for (int i = 0; i < MAP_COUNT; i++)
		if (maps[i].child.pid > 0 &&
		    finish_mapper(&maps[i], out->why, sizeof(out->why), err) < 0)
			return -1;
	for (int i = 0; i < MAP_COUNT; i++) {
		if (maps[i].is_mapped)
			continue;
		out->mode = USERNS_SINGLE;
		if (map_single(&maps[i], err) < 0) {
			add_remedy(err->sys_errno, err);
			return -1;
		}
	}
	return 0;
}

/* Root of the namespace, without the groups of the user, and nothing mounted leaks out. */
static int become_root(const struct id_map *maps, struct err *err)
{
	/* a single group map goes with setgroups denied: the old groups stay, powerless */
	if (maps[MAP_GROUPS].is_mapped && setgroups(0, NULL) < 0)
		return err_sys(err, "clear the supplementary groups");
	if (setresgid(0, 0, 0) < 0)
		return err_sys(err, "become group 0 of the user namespace");
	if (setresuid(0, 0, 0) < 0)
		return err_sys(err, "become user 0 of the user namespace");
	/* changed ids may have made /proc/self root's, of the outside */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return err_sys(err, "make the process dumpable");
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail_refused("keep mounts out of the host's mount namespace", err);
	return 0;
}

int idmaps_enter(struct id_map *maps, struct userns *out, struct err *err)
{
	bool has_subids = maps[MAP_USERS].subids.count && maps[MAP_GROUPS].subids.count;
	int gate[2] = { -1, -1 };
	auto_close int gate_read = -1;
	auto_close int gate_write = -1;

	/* newuidmap and the kernel look at the owner of our /proc directory */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return err_sys(err, "make the process dumpable");
	if (pipe2(gate, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	gate_read = gate[0];
	gate_write = gate[1];
	for (int i = 0; has_subids && i < MAP_COUNT; i++)
		if (start_mapper(&maps[i], gate, err) < 0)
			return -1;
	if (unshare_and_map(maps, gate, out, err) < 0)
		return -1;
	return become_root(maps, err);
}

static const char *user_name(uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	return pw ? pw->pw_name : NULL;
}

/* Which files have no ids for the user, and the command that gives some. */
static void say_what_is_missing(const struct id_map *maps, const char *name, struct userns *out)
{
	auto_strbuf struct strbuf files = STRBUF_INIT;
	auto_strbuf struct strbuf options = STRBUF_INIT;
	char user[64];
	int missing = 0;

	snprintf(user, sizeof(user), "%u", out->host_uid);
	for (int i = 0; i < MAP_COUNT; i++) {
		if (maps[i].subids.count)
			continue;
		strbuf_printf(&files, "%s%s", missing++ ? " and " : "", maps[i].ids_path);
		strbuf_printf(&options, " %s 100000-165535", maps[i].add_option);
	}
	if (missing > 0)
		snprintf(out->why, sizeof(out->why),
			 "%s %s no range for user %s; as root: usermod%s %s", files.data,
			 missing > 1 ? "have" : "has", name ? name : user, options.data,
			 name ? name : user);
}

int idmaps_load(struct id_map *maps, struct userns *out, struct err *err)
{
	const char *name = user_name(out->host_uid);

	for (int i = 0; i < MAP_COUNT; i++)
		if (subids_load(maps[i].ids_path, name, out->host_uid, maps[i].own_id,
				&maps[i].subids, err) < 0)
			return -1;
	say_what_is_missing(maps, name, out);
	return 0;
}
