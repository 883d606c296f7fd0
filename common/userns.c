/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for entering a user namespace at the start of a command, so that the
 * rest of the code is root in there. The namespaces of steps and containers are
 * the sandbox's business.
 */
#include "common/userns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/proc-internal.h"
#include "common/proc.h"
#include "common/userns-internal.h"

#define INITIAL_USERNS_INODE 0xEFFFFFFDu /* fixed since Linux 3.8 */

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

/* Nothing to enter: who we are outside is all that is asked. */
static void describe_root(struct userns *out)
{
	bool is_nested = userns_is_nested();

	out->mode = is_nested ? USERNS_INSIDE : USERNS_HOST;
	out->host_uid = outside_id("/proc/self/uid_map", getuid());
	out->host_gid = outside_id("/proc/self/gid_map", getgid());
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
	struct id_map *maps = idmaps_new();
	int log_fd = proc_stderr_open(&err);
	char line[PROC_LINE_MAX];
	int status = 1;

	child.pid = fork();
	if (child.pid == 0) {
		bool failed = idmaps_enter(maps, &ignored, &err) < 0 || (wants_proc && try_proc(&err) < 0);

		dprintf(log_fd, "%s%s%s\n", err.text, err.detail[0] ? ": " : "", err.detail);
		_exit(failed);
	}
	idmaps_free(maps);
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
	struct id_map *maps = idmaps_new();
	int result = wants_one_id ? 0 : idmaps_load(maps, out, err);

	if (result == 0)
		result = idmaps_enter(maps, out, err);
	idmaps_free(maps);
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
