/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for which calls are held, and who answers each. */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* The most frequent first: the filter asks in this order. */
const struct held supervise_held[] = {
	{ SYS_fstat, answer_stat, 0, 0, HELD_ALIKE },
	{ SYS_newfstatat, answer_stat, 0, 0, HELD_ALIKE },
	{ SYS_statx, answer_statx, 0, 0, HELD_ALIKE },
	{ SYS_openat, answer_open, 0, 0, HELD_ALIKE },
#ifdef SYS_stat
	{ SYS_stat, answer_stat, 0, 0, HELD_ALIKE },
	{ SYS_lstat, answer_stat, 0, 0, HELD_ALIKE },
	{ SYS_open, answer_open, 0, 0, HELD_ALIKE },
	{ SYS_access, answer_access, 0, 0, HELD_ALIKE },
	{ SYS_readlink, answer_readlink, 0, 0, HELD_ONLY_IN_CHROOT },
	{ SYS_creat, answer_open, 0, 0, HELD_ALIKE },
	{ SYS_mkdir, answer_mkdir, 0, 0, HELD_ALIKE },
	{ SYS_symlink, answer_symlink, 0, 0, HELD_ALIKE },
	{ SYS_mknod, answer_mknod, 0, 0, HELD_ALIKE },
	{ SYS_chown, answer_chown, 0, 0, HELD_ALIKE },
	{ SYS_lchown, answer_chown, 0, 0, HELD_ALIKE },
	{ SYS_chmod, answer_chmod, 0, 0, HELD_ALIKE },
	{ SYS_unlink, answer_remove, 0, 0, HELD_ALIKE },
	{ SYS_rmdir, answer_remove, 0, 0, HELD_ALIKE },
	{ SYS_rename, answer_rename, 0, 0, HELD_ALIKE },
	{ SYS_link, answer_link, 0, 0, HELD_ALIKE },
#endif
	{ SYS_faccessat, answer_access, 0, 0, HELD_ALIKE },
	{ SYS_faccessat2, answer_access, 0, 0, HELD_ALIKE },
	{ SYS_readlinkat, answer_readlink, 0, 0, HELD_ONLY_IN_CHROOT },
	{ SYS_statfs, answer_statfs, 0, 0, HELD_ONLY_IN_CHROOT },
	{ SYS_uname, answer_uname, 0, 0, HELD_ONLY_IN_CHROOT },
	{ SYS_openat2, answer_open, 0, 0, HELD_ALIKE },
	{ SYS_mkdirat, answer_mkdir, 0, 0, HELD_ALIKE },
	{ SYS_symlinkat, answer_symlink, 0, 0, HELD_ALIKE },
	{ SYS_mknodat, answer_mknod, 0, 0, HELD_ALIKE },
	{ SYS_fchown, answer_chown, 0, 0, HELD_ALIKE },
	{ SYS_fchownat, answer_chown, 0, 0, HELD_ALIKE },
	{ SYS_utimensat, answer_utimens, 0, 0, HELD_ALIKE },
	{ SYS_fchmod, answer_change_open, 0, 0, HELD_ALIKE },
	{ SYS_fchmodat, answer_chmod, 0, 0, HELD_ALIKE },
	{ SUPERVISE_FCHMODAT2, answer_chmod, 0, 0, HELD_ALIKE },
	{ SYS_unlinkat, answer_remove, 0, 0, HELD_ALIKE },
#ifdef SYS_renameat
	{ SYS_renameat, answer_rename, 0, 0, HELD_ALIKE },
#endif
	{ SYS_renameat2, answer_rename, 0, 0, HELD_ALIKE },
	{ SYS_linkat, answer_link, 0, 0, HELD_ALIKE },
	{ SYS_chdir, answer_chdir, 0, 0, HELD_ALIKE },
	{ SYS_truncate, answer_truncate, 0, 0, HELD_ALIKE },
	{ SYS_chroot, answer_chroot, 0, 0, HELD_ALIKE },
	{ SYS_setxattr, answer_set_attribute, 0, 0, HELD_ALIKE },
	{ SYS_lsetxattr, answer_set_attribute, 0, 0, HELD_ALIKE },
	{ SYS_fsetxattr, answer_change_open, 0, 0, HELD_ALIKE },
	{ SYS_removexattr, answer_set_attribute, 0, 0, HELD_ALIKE },
	{ SYS_lremovexattr, answer_set_attribute, 0, 0, HELD_ALIKE },
	{ SYS_fremovexattr, answer_change_open, 0, 0, HELD_ALIKE },
	{ SYS_listxattr, answer_listxattr, 0, 0, HELD_ALIKE },
	{ SYS_llistxattr, answer_listxattr, 0, 0, HELD_ALIKE },
	{ SYS_flistxattr, answer_listxattr, 0, 0, HELD_ALIKE },
	{ SYS_execve, answer_exec, 0, 0, HELD_ALIKE },
	{ SYS_execveat, answer_exec, 0, 0, HELD_ALIKE },
	{ SYS_getuid, answer_get_ids, 0, 0, HELD_ALIKE },
	{ SYS_geteuid, answer_get_ids, 0, 0, HELD_ALIKE },
	{ SYS_getgid, answer_get_ids, 0, 0, HELD_ALIKE },
	{ SYS_getegid, answer_get_ids, 0, 0, HELD_ALIKE },
	{ SYS_getresuid, answer_get_ids, 0, 0, HELD_ALIKE },
	{ SYS_getresgid, answer_get_ids, 0, 0, HELD_ALIKE },
	{ SYS_getgroups, answer_get_groups, 0, 0, HELD_ALIKE },
	{ SYS_setuid, answer_set_uid, 0, 0, HELD_ALIKE },
	{ SYS_setreuid, answer_set_uid, 0, 0, HELD_ALIKE },
	{ SYS_setresuid, answer_set_uid, 0, 0, HELD_ALIKE },
	{ SYS_setfsuid, answer_set_uid, 0, 0, HELD_ALIKE },
	{ SYS_setgid, answer_set_gid, 0, 0, HELD_ALIKE },
	{ SYS_setregid, answer_set_gid, 0, 0, HELD_ALIKE },
	{ SYS_setresgid, answer_set_gid, 0, 0, HELD_ALIKE },
	{ SYS_setfsgid, answer_set_gid, 0, 0, HELD_ALIKE },
	{ SYS_setgroups, answer_set_groups, 0, 0, HELD_ALIKE },
	{ SYS_prctl, answer_prctl, 0, PR_SET_KEEPCAPS | PR_SET_DUMPABLE, HELD_ALIKE },
	{ SYS_prlimit64, answer_limit, 1, 8, HELD_ALIKE }, /* of 16, those from 8 on */
#ifdef SYS_setrlimit
	{ SYS_setrlimit, answer_limit, 0, 8, HELD_ALIKE },
#endif
	{ SYS_capget, answer_capget, 0, 0, HELD_ALIKE },
	{ SYS_capset, answer_capset, 0, 0, HELD_ALIKE },
};
const size_t supervise_held_count = sizeof(supervise_held) / sizeof(supervise_held[0]);

/*
 * Other ways to a descriptor's file, by which a command in a chroot would change a device that it
 * was lent. All have an older one, which is held, and programs know that kernels lack them. Looking
 * at the descriptor first would not do: it may be another one's when the kernel looks. The same
 * goes for calls that are held for other reasons: fchmodat2(2), linkat(2).
 */
const struct refused supervise_refused[] = {
	{ SYS_io_uring_setup, ENOSYS, 0, 0 },      { SUPERVISE_SETXATTRAT, ENOSYS, 0, 0 },
	{ SUPERVISE_REMOVEXATTRAT, ENOSYS, 0, 0 }, { SUPERVISE_FILE_SETATTR, ENOSYS, 0, 0 },
#ifdef SYS_futimesat
	{ SYS_futimesat, ENOSYS, 0, 0 },
#endif
};
const size_t supervise_refused_count = sizeof(supervise_refused) / sizeof(supervise_refused[0]);

/*
 * Where devices alone are recorded: what makes them, and what tools ask before they copy files. The
 * calls that follow links are most of all that programs do, and are left alone.
 */
const struct held supervise_held_devices[] = {
	{ SYS_newfstatat, answer_stat, 3, AT_SYMLINK_NOFOLLOW, HELD_ALIKE },
	{ SYS_statx, answer_statx, 2, AT_SYMLINK_NOFOLLOW, HELD_ALIKE },
#ifdef SYS_lstat
	{ SYS_lstat, answer_stat, 0, 0, HELD_ALIKE },
	{ SYS_mknod, answer_mknod, 1, S_IFCHR, HELD_ALIKE },
#endif
	{ SYS_mknodat, answer_mknod, 2, S_IFCHR, HELD_ALIKE },
};
const size_t supervise_held_devices_count =
	sizeof(supervise_held_devices) / sizeof(supervise_held_devices[0]);
