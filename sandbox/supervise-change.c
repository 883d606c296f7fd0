/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for calls that change files and names, or go somewhere: the kernel does it all, if the
 * caller may. Root's calls are let pass at once.
 */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/record.h"

static bool in_chroot(const struct call *call)
{
	return call->supervisor->dev_fd >= 0;
}

/* ---- modes ---- */

/* Of another group than its own nobody makes a program that runs as that. */
static bool may_set_gid(const struct call *call, int fd)
{
	const struct ids *ids = supervise_ids(call);
	bool is_recorded;
	struct stat st;

	return supervise_can(ids, CAP_FSETID) || supervise_stat(call, fd, &st, &is_recorded) < 0 ||
	       supervise_has_group(ids, st.st_gid);
}

/*
 * What it names by its own descriptor in a /proc that is not there is its file, opened by O_PATH
 * most likely. Of the files of /proc themselves nothing is changed.
 */
static int change_mode(const struct call *call, int fd, mode_t mode, bool is_by_us)
{
	char path[32];

	if (call->is_outer && supervise_is_of_proc(fd))
		return -EPERM;
	if ((mode & S_ISGID) && !may_set_gid(call, fd))
		mode &= ~(mode_t)S_ISGID;
	else if (!is_by_us)
		return CALL_PASS;
	snprintf(path, sizeof(path), "self/fd/%d", fd);
	return fchmodat(call->supervisor->proc_fd, path, mode, 0) < 0 ? -errno : 0;
}

int answer_chmod(struct call *call)
{
	bool is_at = true;
	auto_close int fd = -1;
	mode_t mode;
	int result;

#ifdef SYS_chmod
	is_at = call->number != SYS_chmod;
#endif
	if (in_chroot(call) && call->number == SUPERVISE_FCHMODAT2 &&
	    (call->args[3] & AT_EMPTY_PATH))
		return -ENOSYS; /* see supervise_refused */
	mode = (mode_t)call->args[is_at ? 2 : 1] & 07777;
	result = supervise_may_reach_subject(call, 0);
	if (result < 0)
		return result;
	fd = call_open_subject(call);
	if (fd < 0)
		return CALL_PASS;
	if (call_is_lent(fd))
		return 0;
	result = supervise_may_change(call, fd);
	return result < 0 ? result : change_mode(call, fd, mode, call->is_outer);
}

/* ---- attributes ---- */

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* As xattr(7) has it; what only the host's root may, the kernel refuses by itself. */
static int may_set_attribute(const struct call *call, int fd, const char *name)
{
	const struct ids *ids = supervise_ids(call);

	if (strcmp(name, RECORD_NAME) == 0) /* ours alone */
		return -EOPNOTSUPP;
	if (begins_with(name, "user."))
		return supervise_is_checked(call, ids) ? supervise_may(call, ids, fd, W_OK) : 0;
	if (strcmp(name, "security.capability") == 0)
		return supervise_can(ids, CAP_SETFCAP) ? 0 : -EPERM;
	return supervise_may_change(call, fd);
}

int answer_set_attribute(struct call *call)
{
	char name[XATTR_NAME_MAX + 1];
	auto_close int fd = -1;
	int result = supervise_may_reach_subject(call, 0);

	if (result < 0)
		return result;
	fd = call_open_subject(call);
	if (fd < 0 || call_read_text(call, call->args[1], name, sizeof(name)) < 0)
		return CALL_PASS;
	if (call_is_lent(fd))
		return 0;
	result = may_set_attribute(call, fd, name);
	return result < 0 ? result : CALL_PASS;
}

/* ---- by descriptor ---- */

/* What the kernel asks for a name, for it would ask us and not the caller. */
static bool may_set_for_kernel(const struct call *call, const char *name)
{
	if (strcmp(name, "security.capability") == 0)
		return call_can(call, CAP_SETFCAP);
	if (begins_with(name, "security.") || begins_with(name, "trusted."))
		return call_can(call, CAP_SYS_ADMIN);
	return true;
}

/* @path: the file. */
static int change_attribute(const struct call *call, const char *path, const char *name)
{
	const size_t size = (size_t)call->args[3];
	auto_free char *value = NULL;
	int result;

	if (!may_set_for_kernel(call, name))
		return -EPERM;
	if (call->number == SYS_fremovexattr)
		return removexattr(path, name) < 0 ? -errno : 0;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	value = mem_alloc(size + 1);
	result = size ? call_read(call, call->args[2], value, size) : 0;
	if (result < 0)
		return result;
	return setxattr(path, name, value, size, (int)call->args[4]) < 0 ? -errno : 0;
}

static int change_open_attribute(const struct call *call, int fd)
{
	char name[XATTR_NAME_MAX + 1];
	char path[32];
	int result = call_read_text(call, call->args[1], name, sizeof(name));

	if (result < 0)
		return result == -ENAMETOOLONG ? -ERANGE : result;
	result = may_set_attribute(call, fd, name);
	if (result < 0)
		return result;
	if (!in_chroot(call))
		return CALL_PASS;
	snprintf(path, sizeof(path), "self/fd/%d", fd);
	return change_attribute(call, path, name);
}

/*
 * Mode and attributes, an ACL too, by descriptor; by its path a device is not there. In a chroot it
 * is done here: what the descriptor is for the kernel afterwards, another thread may have changed.
 */
int answer_change_open(struct call *call)
{
	auto_close int fd = call_open_fd(call, (int)call->args[0]);
	int result;

	if (fd < 0)
		return fd;
	if (!call_is_alive(call))
		return -ESRCH;
	if (call_is_lent(fd))
		return 0;
	if (call->number != SYS_fchmod)
		return change_open_attribute(call, fd);
	result = supervise_may_change(call, fd);
	return result < 0 ? result
			  : change_mode(call, fd, (mode_t)call->args[1] & 07777, in_chroot(call));
}

/* ---- names ---- */

static int let_pass(int result)
{
	return result < 0 ? result : CALL_PASS;
}

static struct at at_of(const struct call *call, unsigned dir_arg)
{
	return (struct at){ .dir_fd = (int)call->args[dir_arg], .path = call->args[dir_arg + 1] };
}

static struct at at_here(const struct call *call, unsigned path_arg)
{
	return (struct at){ .dir_fd = AT_FDCWD, .path = call->args[path_arg] };
}

int answer_remove(struct call *call)
{
	const bool is_at = call->number == SYS_unlinkat;

	return let_pass(
		supervise_may_enter(call, is_at ? at_of(call, 0) : at_here(call, 0), ENTER_GONE));
}

int answer_rename(struct call *call)
{
	bool is_at = true;
	int result;

#ifdef SYS_rename
	is_at = call->number != SYS_rename;
#endif
	result = supervise_may_enter(call, is_at ? at_of(call, 0) : at_here(call, 0), ENTER_GONE);
	return result < 0 ? result
			  : let_pass(supervise_may_enter(
				    call, is_at ? at_of(call, 2) : at_here(call, 1), ENTER_EITHER));
}

int answer_link(struct call *call)
{
	const bool is_at = call->number == SYS_linkat;
	struct at from = is_at ? at_of(call, 0) : at_here(call, 0);
	int result;

	if (in_chroot(call) && is_at && (call->args[4] & AT_EMPTY_PATH))
		return -ENOENT; /* as without CAP_DAC_READ_SEARCH; see supervise_refused */
	from.flags = is_at && (call->args[4] & AT_SYMLINK_FOLLOW) ? 0 : AT_SYMLINK_NOFOLLOW;
	result = supervise_may_link(call, from);
	return result < 0 ? result
			  : let_pass(supervise_may_enter(
				    call, is_at ? at_of(call, 2) : at_here(call, 1), ENTER_NEW));
}

/* ---- going somewhere, cutting off ---- */

int answer_chdir(struct call *call)
{
	return let_pass(supervise_may_reach(call, at_here(call, 0), X_OK));
}

int answer_truncate(struct call *call)
{
	return let_pass(supervise_may_reach(call, at_here(call, 0), W_OK));
}

int answer_chroot(struct call *call)
{
	return supervise_can(supervise_ids(call), CAP_SYS_CHROOT) ? CALL_PASS : -EPERM;
}
