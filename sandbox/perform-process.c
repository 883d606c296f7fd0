/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the container's first process is when it becomes the
 * command: limits, directory, ids, capabilities, system call filter; and for
 * finding the command. Runs inside of the root, with the host out of reach.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "sandbox/caps.h"
#include "sandbox/limits.h"
#include "sandbox/supervise.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int set_limits(const struct sandbox_description *description, struct err *err)
{
	for (size_t i = 0; i < description->rlimit_count; i++) {
		const struct sandbox_rlimit *row = &description->rlimits[i];
		const struct rlimit limit = { .rlim_cur = row->soft, .rlim_max = row->hard };

		if (setrlimit((__rlimit_resource_t)row->resource, &limit) == 0)
			continue;
		if (errno == EPERM)
			return err_set(err, ERR_SYSTEM,
				       "set limit '%s': only who has CAP_SYS_RESOURCE on the host "
				       "may raise the hard one",
				       limits_name(row->resource));
		return err_sys(err, "set limit '%s'", limits_name(row->resource));
	}
	return 0;
}

/*
 * No magic links: "/proc/self/fd/N" would be a door to whatever a descriptor
 * holds. As root, before the ids change: a user may work in a directory that
 * only root could have gone to.
 */
static int change_directory(const struct sandbox_description *description, struct err *err)
{
	auto_close int fd = beneath_open(description->root_fd, description->cwd, BENEATH_IN_ROOT,
					 O_PATH | O_DIRECTORY, err);

	if (fd < 0)
		return err_prefix(err, "working directory");
	if (fchdir(fd) < 0)
		return err_sys(err, "change to the working directory '%s'", description->cwd);
	return 0;
}

/* A pipe of ours that the user may open again by its name (/dev/stdout); nobody else's file. */
static int give_pipes(const struct sandbox_description *description, struct err *err)
{
	/* supervised, he is root in truth */
	if (description->uid == 0 || description->terminal ||
	    description->supervision == SANDBOX_SUPERVISED)
		return 0;
	for (int i = 0; i < 3; i++) {
		struct stat st;

		if (fstat(i, &st) < 0)
			return err_sys(err, "stat descriptor %d", i);
		if (S_ISFIFO(st.st_mode) && fchown(i, description->uid, (gid_t)-1) < 0 &&
		    errno != EPERM)
			return err_sys(err, "give descriptor %d to the user", i);
	}
	return 0;
}

/* A session keyring of the host may hold keys; the filter, where there is one, keeps them away. */
static int leave_keyring(const struct sandbox_description *description, struct err *err)
{
	if (description->seccomp_fd >= 0)
		return 0;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return err_sys(err, "leave the session keyring");
	return 0;
}

/* ---- ids and capabilities ---- */

/* What is supervised makes no devices: they are recorded, whoever would be let make them. */
static uint64_t real_capabilities(const struct sandbox_description *description)
{
	if (description->supervision == SANDBOX_SUPERVISED)
		return description->capabilities & ~CAPS_BIT(CAP_MKNOD);
	return description->capabilities;
}

static int drop_bounding(uint64_t keep, struct err *err)
{
	for (int cap = 0; cap < 64; cap++) {
		if (keep & (UINT64_C(1) << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL) /* past the last one that this kernel has */
				return 0;
			return err_sys(err, "drop capability %d", cap);
		}
	}
	return 0;
}

static int set_ids(const struct sandbox_description *description, struct err *err)
{
	if (description->supervision == SANDBOX_SUPERVISED) /* only says that it is somebody else */
		return 0;
	if (setgroups(description->group_count, description->groups) < 0)
		return err_sys(err, "set %zu supplementary groups", description->group_count);
	if (setresgid(description->gid, description->gid, description->gid) < 0)
		return err_sys(err, "become group %ju", (uintmax_t)description->gid);
	if (setresuid(description->uid, description->uid, description->uid) < 0)
		return err_sys(err, "become user %ju", (uintmax_t)description->uid);
	return 0;
}

/*
 * Permitted and effective are the description's, less what we have not got
 * ourselves. Another user than root lost all by setresuid, and gets none back
 * at exec: inheritable and ambient are empty.
 */
static int set_capabilities(const struct sandbox_description *description, struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(err, "clear the ambient capabilities");
	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, "read the capabilities");
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(real_capabilities(description) >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return err_sys(err, "set the capabilities");
	return 0;
}

/* ---- the filter ---- */

/* By pread: the descriptor's offset is shared by all sandboxes that use the filter. */
static int load_filter(int fd, struct err *err)
{
	auto_free struct sock_filter *program = NULL;
	struct sock_fprog what;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat the system call filter");
	if (st.st_size <= 0 || st.st_size % (off_t)sizeof(*program) != 0 ||
	    st.st_size / (off_t)sizeof(*program) > BPF_MAXINSNS)
		return err_set(err, ERR_BUG, "the system call filter has no such length");
	program = mem_alloc((size_t)st.st_size);
	if (pread(fd, program, (size_t)st.st_size, 0) != st.st_size)
		return err_sys(err, "read the system call filter");
	what.len = (unsigned short)(st.st_size / (off_t)sizeof(*program));
	what.filter = program;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &what) < 0)
		return err_sys(err, "load the system call filter");
	return 0;
}

static int load_filters(const struct sandbox_description *description,
			const struct perform_ties *ties, struct err *err)
{
	if (description->seccomp_fd >= 0 && load_filter(description->seccomp_fd, err) < 0)
		return -1;
	if (description->supervision == SANDBOX_UNSUPERVISED)
		return 0;
	return supervise_install(ties->supervisor_fd, description, err);
}

/*
 * Without "no new privileges" loading a filter takes a capability that we are
 * about to lose, so it comes first; docker's filter lets pass all that follows
 * here. With it, the filter is the last thing before exec.
 */
static int drop_privileges(const struct sandbox_description *description,
			   const struct perform_ties *ties, struct err *err)
{
	const bool is_late = description->no_new_privileges;

	if (description->is_32bit && personality(PER_LINUX32) < 0)
		return err_sys(err, "become a 32 bit process");
	if (drop_bounding(real_capabilities(description), err) < 0)
		return -1;
	if (!is_late && load_filters(description, ties, err) < 0)
		return -1;
	if (set_ids(description, err) < 0 || set_capabilities(description, err) < 0)
		return -1;
	if (perform_tie(ties->alive_fd, err) < 0)
		return -1;
	if (description->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "forbid new privileges");
	if (is_late && load_filters(description, ties, err) < 0)
		return -1;
	return 0;
}

/* ---- the command ---- */

/*
 * Through a magic link of proc ("/proc/self/exe") the container would get hold
 * of this very program, the host's file. What is there must be a plain path.
 */
static int check_plain(const char *path)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				      .resolve = RESOLVE_NO_MAGICLINKS };
	auto_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd < 0)
		return errno == ELOOP ? EACCES : errno;
	return 0;
}

/* Executes, or says why not. */
static int try_exec(const char *path, char *const *argv, char *const *env)
{
	int reason = check_plain(path);

	if (reason)
		return reason;
	execve(path, argv, env);
	return errno;
}

/* As execvp(3): a directory that does not have it, or not for us, is passed over. */
static int search_and_exec(const char *search, char *const *argv, char *const *env)
{
	int reason = ENOENT;

	for (;;) {
		size_t len = strcspn(search, ":");
		auto_strbuf struct strbuf path = STRBUF_INIT;
		int now;

		strbuf_add(&path, len ? search : ".", len ? len : 1);
		strbuf_printf(&path, "/%s", argv[0]);
		now = try_exec(path.data, argv, env);
		if (now != ENOENT && now != ENOTDIR && now != EACCES)
			return now;
		if (now == EACCES)
			reason = EACCES;
		if (!search[len])
			return reason;
		search += len + 1;
	}
}

static int exec_command(const struct sandbox_description *description, int *out_exec_errno,
			struct err *err)
{
	static char *const no_env[] = { NULL };
	char *const *argv = description->argv.items;
	char *const *env = description->env.count ? description->env.items : no_env;
	const char *search = strlist_env_get(&description->env, "PATH");
	const bool has_slash = strchr(argv[0], '/');
	int reason;

	if (!*argv[0])
		reason = ENOENT;
	else if (has_slash)
		reason = try_exec(argv[0], argv, env);
	else
		reason = search_and_exec(search && *search ? search : DEFAULT_PATH, argv, env);
	*out_exec_errno = reason;
	if (reason == ENOENT && !has_slash)
		return err_set(err, ERR_STEP, "execute '%s': not found in PATH", argv[0]);
	errno = reason;
	err_sys(err, "execute '%s'", argv[0]);
	err->kind = ERR_STEP;
	return -1;
}

int perform_process(const struct sandbox_description *description, const struct perform_ties *ties,
		    int *out_exec_errno, struct err *err)
{
	sigset_t none;

	if (set_limits(description, err) < 0 || change_directory(description, err) < 0 ||
	    give_pipes(description, err) < 0 || leave_keyring(description, err) < 0 ||
	    perform_labels(description, err) < 0 ||
	    drop_privileges(description, ties, err) < 0 || perform_init(description, ties, err) < 0)
		return -1;
	umask(022);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return exec_command(description, out_exec_errno, err);
}
