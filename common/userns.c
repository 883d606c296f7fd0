/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for entering a user namespace at the start of a command, so that the
 * rest of the code is root in there. The namespaces of steps and containers are
 * the sandbox's business.
 *
 * newuidmap and newgidmap must run outside the new namespace: a child for each
 * is forked before we leave, waits at a pipe until we have left, and then
 * becomes the program; both work at the same time.
 */
#include "common/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/mem.h"
#include "common/proc-internal.h"
#include "common/proc.h"
#include "common/strlist.h"
#include "common/subids.h"

#define INITIAL_USERNS_INODE 0xEFFFFFFDu /* fixed since Linux 3.8 */

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

bool userns_is_nested(void)
{
	struct stat st;

	/* without /proc nothing is known: then better too careful */
	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino != INITIAL_USERNS_INODE;
}

/* What @id, ours, is outside of the namespace we are in. */
static uint32_t outside_id(const char *map_path, uint32_t id)
{
	FILE *file = fopen(map_path, "re");
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
	uint32_t found = id;

	while (file && fscanf(file, "%u %u %u", &inside, &outside, &count) == 3)
		if (id >= inside && id - inside < count)
			found = outside + (id - inside);
	if (file)
		fclose(file);
	return found;
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

static int enter(struct id_map *maps, struct userns *out, struct err *err)
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

static int load_subids(struct id_map *maps, struct userns *out, struct err *err)
{
	const char *name = user_name(out->host_uid);

	for (int i = 0; i < MAP_COUNT; i++)
		if (subids_load(maps[i].ids_path, name, out->host_uid, maps[i].own_id,
				&maps[i].subids, err) < 0)
			return -1;
	say_what_is_missing(maps, name, out);
	return 0;
}

/* Nothing to enter: who we are outside is all that is asked. */
static void describe_root(struct userns *out)
{
	bool is_nested = userns_is_nested();

	out->mode = is_nested ? USERNS_INSIDE : USERNS_HOST;
	out->host_uid = outside_id("/proc/self/uid_map", getuid());
	out->host_gid = outside_id("/proc/self/gid_map", getgid());
}

static struct id_map *new_maps(void)
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

static void free_maps(struct id_map *maps)
{
	int saved = errno;

	for (int i = 0; i < MAP_COUNT; i++) {
		child_release(&maps[i].child);
		fd_close(&maps[i].log_fd);
	}
	free(maps);
	errno = saved;
}

static bool is_root(void)
{
	return geteuid() == 0 && isolation_has_capability(CAP_SYS_ADMIN);
}

/*
 * In a chroot into a plain directory "/" is no mount, and the kernel lets nobody change the
 * propagation of what is mounted around it, put another root in its place (pivot_root), or make a
 * user namespace.
 */
static bool root_is_mount(void)
{
	struct statx root;

	/* before Linux 5.8 the kernel does not say: it shows when something is mounted */
	return statx(AT_FDCWD, "/", 0, STATX_TYPE, &root) < 0 ||
	       !(root.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) ||
	       (root.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static bool say_root_is_no_mount(char *why, size_t why_size)
{
	snprintf(why, why_size,
		 "the root directory is no mount point, for this runs in a chroot; before it is "
		 "entered, as root: mount --bind DIR DIR");
	return false;
}

/* In a namespace of processes: may its /proc be mounted? The exit status is the answer. */
static _Noreturn void mount_proc_and_exit(void)
{
	auto_close int fs_fd = fsopen("proc", FSOPEN_CLOEXEC);

	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    fsmount(fs_fd, FSMOUNT_CLOEXEC, 0) < 0)
		_exit(1);
	_exit(0);
}

/* The kernel refuses that where parts of the /proc that is there are hidden. */
static int try_proc(struct err *err)
{
	struct child child = CHILD_INIT;
	int status = 1;

	if (unshare(CLONE_NEWPID) < 0)
		return err_sys(err, "make a namespace of processes");
	child.pid = fork();
	if (child.pid < 0)
		return err_sys(err, "make a process");
	if (child.pid == 0)
		mount_proc_and_exit();
	if (child_wait(&child, &status, err) < 0)
		return -1;
	if (status == 0)
		return 0;
	err_set(err, ERR_SYSTEM, "no /proc may be mounted");
	return err_detail(
		err, "the container around this hides parts of its own; it does not when "
		     "started with --security-opt unmask=ALL (docker: systempaths=unconfined)");
}

/* Try it in a child; if it cannot be done, @why (of @why_size bytes) says why not. */
static bool try_enter(bool wants_proc, char *why, size_t why_size)
{
	struct userns ignored = { .host_uid = getuid(), .host_gid = getgid() };
	struct err err = ERR_INIT;
	struct child child = CHILD_INIT;
	struct id_map *maps = new_maps();
	int log_fd = proc_stderr_open(&err);
	char line[PROC_LINE_MAX];
	int status = 1;

	child.pid = fork();
	if (child.pid == 0) {
		bool failed = enter(maps, &ignored, &err) < 0 || (wants_proc && try_proc(&err) < 0);

		dprintf(log_fd, "%s%s%s\n", err.text, err.detail[0] ? ": " : "", err.detail);
		_exit(failed);
	}
	free_maps(maps);
	if (child.pid > 0 && child_wait(&child, &status, &err) < 0)
		status = 1;
	if (why && log_fd >= 0) {
		proc_stderr_line(log_fd, line);
		snprintf(why, why_size, "%s", line);
	}
	fd_close(&log_fd);
	return status == 0;
}

bool userns_try(bool wants_proc, char *why, size_t why_size)
{
	if (is_root() && !root_is_mount())
		return say_root_is_no_mount(why, why_size);
	return is_root() || try_enter(wants_proc, why, why_size);
}

bool userns_is_possible(void)
{
	return userns_try(false, NULL, 0);
}

/* ---- the rungs ------------------------------------------------------------- */

static int enter_namespace(bool wants_one_id, struct userns *out, struct err *err)
{
	struct id_map *maps = new_maps();
	int result = wants_one_id ? 0 : load_subids(maps, out, err);

	if (result == 0)
		result = enter(maps, out, err);
	free_maps(maps);
	return result;
}

/* So that nobody in here, nor a program we start, takes this for a higher rung. */
static int drop_sys_admin(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const int i = CAP_TO_INDEX(CAP_SYS_ADMIN);
	const uint32_t mask = ~(uint32_t)CAP_TO_MASK(CAP_SYS_ADMIN);

	/* where it is not ours to drop, it is not ours either */
	prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0);
	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, "read the capabilities");
	data[i].effective &= mask;
	data[i].permitted &= mask;
	data[i].inheritable &= mask;
	if (syscall(SYS_capset, &header, data) < 0)
		return err_sys(err, "drop a capability");
	return 0;
}

/* Where we are, with chroot(2) alone. */
static int stay(struct userns *out, struct err *err)
{
	out->mode = USERNS_NONE;
	if (geteuid() == 0 && isolation_has_capability(CAP_SYS_CHROOT))
		return drop_sys_admin(err);
	err_set(err, ERR_SYSTEM, "isolation 'chroot' needs root with CAP_SYS_CHROOT");
	return err_detail(err,
			  "root of an ordinary container has it (docker run, podman run, a pod); "
			  "another user needs user namespaces");
}

/* Root who cannot mount as he would: he has no right to, or nothing can replace his "/". */
static int enter_as_weak_root(struct userns *out, struct err *err)
{
	const bool is_possible = is_root() ? say_root_is_no_mount(out->why, sizeof(out->why))
					   : try_enter(true, out->why, sizeof(out->why));

	/* should neither be possible, the namespace's error tells more */
	if (!is_possible && isolation_has_capability(CAP_SYS_CHROOT))
		return stay(out, err);
	out->why[0] = '\0';
	return enter_namespace(false, out, err);
}

static int enter_best(struct userns *out, struct err *err)
{
	if (is_root() && root_is_mount()) {
		describe_root(out);
		return 0;
	}
	return geteuid() == 0 ? enter_as_weak_root(out, err) : enter_namespace(false, out, err);
}

static int enter_wanted(enum isolation wanted, struct userns *out, struct err *err)
{
	switch (wanted) {
	case ISOLATION_NAMESPACES:
		if (is_root())
			describe_root(out);
		else if (enter_namespace(false, out, err) < 0)
			return -1;
		if (isolation_current() == ISOLATION_NAMESPACES)
			return 0;
		return err_set(err, ERR_SYSTEM, "isolation 'namespaces' is not possible: %s",
			       out->why[0] ? out->why : "there is one id only");
	case ISOLATION_SINGLE_ID:
		/* its one id would be root's outside: of all that a command gets hold of */
		if (is_root() && !userns_is_nested())
			return err_set(err, ERR_SYSTEM,
				       "isolation 'single-id' is for ordinary users: root of the "
				       "host has all ids");
		if (!is_root() || isolation_current() != ISOLATION_SINGLE_ID)
			return enter_namespace(true, out, err);
		describe_root(out);
		return 0;
	case ISOLATION_CHROOT:
		return stay(out, err);
	}
	return err_set(err, ERR_BUG, "an isolation that is not known");
}

int userns_enter(struct userns *out, struct err *err)
{
	struct userns fresh = { .host_uid = getuid(), .host_gid = getgid() };
	enum isolation wanted;
	bool is_auto;

	if (isolation_wanted(&wanted, &is_auto, err) < 0)
		return -1;
	if ((is_auto ? enter_best(&fresh, err) : enter_wanted(wanted, &fresh, err)) < 0)
		return -1;
	*out = fresh;
	return 0;
}
