/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for keeping a command in its root where there are no namespaces: chroot(2), and because
 * root leaves that if he wants to, Landlock.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"

/* As of the newest that we know; older kernels know the first of them only. */
#define FS_RIGHTS_1         ((UINT64_C(1) << 13) - 1) /* Linux 5.13: EXECUTE … MAKE_SYM */
#define FS_REFER            (UINT64_C(1) << 13)       /* 5.19 */
#define FS_TRUNCATE         (UINT64_C(1) << 14)       /* 6.2 */
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)        /* 6.12 */
#define SCOPE_SIGNAL        (UINT64_C(1) << 1)

/* Devices are opened by the supervisor; the right to control them is not taken away. */
struct ruleset {
	uint64_t handled_fs;
	uint64_t handled_net;
	uint64_t scoped;
};

int confine_check(const struct sandbox_description *description, struct err *err)
{
	const char *what = NULL;

	if (!sandbox_is_chroot(description))
		return 0;
	if (description->mount_count > 0)
		what = description->mounts[0].target;
	if (what)
		return err_set(err, ERR_SYSTEM,
			       "mount '%s': with isolation 'chroot' nothing can be mounted", what);
	if (description->terminal || description->read_only_root || description->apparmor_profile ||
	    description->selinux_label || (description->namespaces & SANDBOX_NS_NET))
		return err_set(err, ERR_SYSTEM, "with isolation 'chroot' there is no %s",
			       description->terminal         ? "terminal"
			       : description->read_only_root ? "root that is read-only"
			       : description->apparmor_profile || description->selinux_label
				       ? "label for AppArmor or SELinux, for there is no /proc"
				       : "network of its own");
	return 0;
}

static int create_ruleset(const struct ruleset *ruleset, size_t size, uint32_t flags)
{
	return (int)syscall(SYS_landlock_create_ruleset, ruleset, size, flags);
}

/* -1 with no error: this kernel has none, or a filter of the container around us hides it. */
static int open_ruleset(uint64_t *out_rights)
{
	const int version = create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset ruleset = { .handled_fs = FS_RIGHTS_1 };
	size_t size = sizeof(ruleset.handled_fs);

	/* without REFER, which the second has, nothing could be renamed to another directory */
	if (version < 2)
		return -1;
	ruleset.handled_fs |= FS_REFER;
	if (version >= 3)
		ruleset.handled_fs |= FS_TRUNCATE;
	if (version >= 6) {
		ruleset.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
		size = sizeof(ruleset);
	}
	*out_rights = ruleset.handled_fs;
	return create_ruleset(&ruleset, size, 0);
}

static int lock_in(int root_fd, struct err *err)
{
	struct landlock_path_beneath_attr root = { .parent_fd = root_fd };
	uint64_t rights = 0;
	auto_close int fd = open_ruleset(&rights);

	if (fd < 0)
		return 0;
	/* devices are recorded, not made */
	root.allowed_access =
		rights & ~(uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK);
	if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &root, 0) < 0)
		return err_sys(err, "lock the command into its root");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "forbid new privileges");
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_sys(err, "lock the command into its root");
	return 0;
}

/*
 * Elsewhere a file system of its own is there, in which everybody shares memory. Here it is the
 * root's own directory; no layer holds what is below /dev.
 */
static void open_shm(int root_fd)
{
	struct err ignored = ERR_INIT; /* an image may have something else there */
	auto_close int dev_fd = -1;
	auto_close int fd = -1;

	(void)mkdirat(root_fd, "dev", 0755);
	dev_fd = beneath_open(root_fd, "dev", BENEATH_NO_LINKS, O_PATH | O_DIRECTORY, &ignored);
	if (dev_fd < 0)
		return;
	(void)mkdirat(dev_fd, "shm", 0755);
	fd = openat(dev_fd, "shm", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		(void)fchmod(fd, 01777);
}

int confine(const struct sandbox_description *description, struct err *err)
{
	open_shm(description->root_fd);
	if (lock_in(description->root_fd, err) < 0)
		return -1;
	if (fchdir(description->root_fd) < 0 || chroot(".") < 0)
		return err_sys(err, "change to the root");
	return 0;
}
