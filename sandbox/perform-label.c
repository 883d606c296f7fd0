/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the label under which a security module of the kernel (AppArmor, SELinux) has the
 * command run, from its exec on. The file that takes it is looked at: in a container whose /proc
 * is something else the label would go nowhere, and nobody would know.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"

static int open_attribute(const char *name, struct err *err)
{
	auto_free char *path = str_format("/proc/%d/attr/%s", getpid(), name);
	auto_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = -1;
	struct statfs fs;

	if (root_fd < 0)
		return err_sys(err, "open '/'");
	fd = beneath_open(root_fd, path, BENEATH_NO_LINKS, O_WRONLY, err);
	if (fd < 0)
		return -1;
	if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return err_set(err, ERR_SYSTEM, "'%s' is no file of the kernel", path);
	return fd_steal(&fd);
}

static int set(const char *name, const char *text, struct err *err)
{
	auto_close int fd = open_attribute(name, err);

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return err_sys(err, "the kernel does not take it");
	return 0;
}

/* Older kernels have one file for all modules. */
static int set_profile(const char *profile, struct err *err)
{
	auto_free char *text = str_format("exec %s", profile);

	if (set("apparmor/exec", text, err) == 0)
		return 0;
	if (err->sys_errno != ENOENT)
		return -1;
	err_clear(err);
	return set("exec", text, err);
}

int perform_labels(const struct sandbox_description *description, struct err *err)
{
	if (description->apparmor_profile && set_profile(description->apparmor_profile, err) < 0)
		return err_prefix(err, "AppArmor profile '%s'", description->apparmor_profile);
	if (description->selinux_label && set("exec", description->selinux_label, err) < 0)
		return err_prefix(err, "SELinux label '%s'", description->selinux_label);
	return 0;
}
