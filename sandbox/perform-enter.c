/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a container is part of besides its own: the groups that limit
 * it, namespaces of other containers, clocks with an offset.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/fd.h"

static const struct {
	unsigned sandbox;
	int kernel;
	const char *name;
} kinds[] = {
	{ SANDBOX_NS_PID, CLONE_NEWPID, "process" },
	{ SANDBOX_NS_IPC, CLONE_NEWIPC, "IPC" },
	{ SANDBOX_NS_UTS, CLONE_NEWUTS, "UTS" },
	{ SANDBOX_NS_NET, CLONE_NEWNET, "network" },
	{ SANDBOX_NS_MOUNT, CLONE_NEWNS, "mount" },
	{ SANDBOX_NS_CGROUP, CLONE_NEWCGROUP, "cgroup" },
	{ SANDBOX_NS_TIME, CLONE_NEWTIME, "time" },
};

/* Process ids and clocks change for children only, so the outer process joins those. */
static const unsigned for_children = SANDBOX_NS_PID | SANDBOX_NS_TIME;
/* What the outer process has joined. */
static const unsigned joined_outside = SANDBOX_NS_PID | SANDBOX_NS_TIME | SANDBOX_NS_USER;

static int join(const struct sandbox_join *join, struct err *err)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].sandbox != join->ns)
			continue;
		if (setns(join->fd, kinds[i].kernel) < 0)
			return err_sys(err, "join the other container's %s namespace",
				       kinds[i].name);
		return 0;
	}
	return err_set(err, ERR_BUG, "a namespace of an unknown kind");
}

static int set_clocks(int64_t offset_s, int64_t boot_offset_s, struct err *err)
{
	auto_close int fd = -1;
	char text[96];
	int len = snprintf(text, sizeof(text), "monotonic %" PRId64 " 0\nboottime %" PRId64 " 0\n",
			   offset_s, boot_offset_s);

	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(err, "make a time namespace");
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '/proc/self/timens_offsets'");
	if (write(fd, text, (size_t)len) != len)
		return errno == ERANGE
			       ? err_set(err, ERR_INPUT,
					 "a clock cannot be %" PRId64 " seconds ahead", offset_s)
			       : err_sys(err, "set the clocks of the container");
	return 0;
}

int perform_outside(const struct sandbox_description *description, struct err *err)
{
	for (size_t i = 0; i < description->join_count; i++)
		if ((description->joins[i].ns & for_children) &&
		    join(&description->joins[i], err) < 0)
			return -1;
	if (!(description->namespaces & SANDBOX_NS_TIME))
		return 0;
	return set_clocks(description->time_offset_s,
			  description->time_offset_s + description->boot_offset_s, err);
}

/*
 * The ids that it has outside have no names in there, and whoever joins has all capabilities in
 * it: it becomes its root first of all.
 */
int perform_own_ids(const struct sandbox_description *description, bool *out_changed,
		    struct err *err)
{
	const int fd = sandbox_description_join_fd(description, SANDBOX_NS_USER);

	*out_changed = fd >= 0;
	if (fd < 0)
		return 0;
	if (setns(fd, CLONE_NEWUSER) < 0)
		return err_sys(err, "join the container's user namespace");
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(err, "become root of the container's user namespace");
	/* a change of ids has undone it */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, "let nobody look into the sandbox");
	return 0;
}

/* "0" is who writes it. */
static int enter_groups(const struct sandbox_description *description, struct err *err)
{
	for (size_t i = 0; i < description->cgroup_fd_count; i++)
		if (write(description->cgroup_fds[i], "0", 1) != 1)
			return err_sys(err, "enter the container's cgroup");
	if (description->cgroup_fd_count > 0 && (description->namespaces & SANDBOX_NS_CGROUP) &&
	    unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, "make a cgroup namespace");
	return 0;
}

/* The root of the other container is ours from here on. */
static int take_root(const struct sandbox_description *description, struct err *err)
{
	auto_close int fd = -1;

	if (!sandbox_description_joins(description, SANDBOX_NS_MOUNT))
		return 0;
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dup3(fd, description->root_fd, O_CLOEXEC) < 0)
		return err_sys(err, "open the other container's root");
	return 0;
}

int perform_enter(const struct sandbox_description *description, struct err *err)
{
	if (enter_groups(description, err) < 0)
		return -1;
	for (size_t i = 0; i < description->join_count; i++)
		if (!(description->joins[i].ns & joined_outside) &&
		    join(&description->joins[i], err) < 0)
			return -1;
	return take_root(description, err);
}
