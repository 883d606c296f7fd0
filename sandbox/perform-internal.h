/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_PERFORM_INTERNAL_H
#define SANDBOX_PERFORM_INTERNAL_H

#include "common/err.h"
#include "sandbox/description.h"

/*
 * What the sandbox program does with a description, in the order of these
 * declarations. Nothing here is used outside of it.
 */

/*
 * In the outer process, which shares the launcher's mount namespace: replace
 * each bind source by a detached, private copy of its mount, that the inner
 * process can attach. The flags are set on it. Close them again.
 */
int perform_clone_sources(struct sandbox_description *description, struct err *err);
void perform_close_sources(struct sandbox_description *description);

/*
 * In the outer process, before the clone: what is inherited by children only (clocks, somebody
 * else's process ids).
 */
int perform_outside(const struct sandbox_description *description, struct err *err);
/*
 * In the outer process, after that: it is root of the user namespace that is joined from here on,
 * and its tie to the launcher is to be renewed (*out_changed).
 */
int perform_own_ids(const struct sandbox_description *description, bool *out_changed,
		    struct err *err);
/* In the container's first process, before all else: its groups, and the namespaces of others. */
int perform_enter(const struct sandbox_description *description, struct err *err);

/*
 * The kernel kills this process with its parent, unless that died before it was
 * asked to: @alive_fd, a pipe that only the parent can write to, tells. To be
 * repeated after a change of ids, which undoes it.
 */
int perform_tie(int alive_fd, struct err *err);

/* What the first process has of the outer one. */
struct perform_ties {
	int alive_fd;      /* see perform_tie */
	int supervisor_fd; /* supervised: where supervise_install sends; else -1 */
};

/*
 * With an init of ours: fork the command's process, which returns, and look after it. In
 * the parent it does not come back: it ends as the command did.
 */
int perform_init(const struct sandbox_description *description, const struct perform_ties *ties,
		 struct err *err);

/*
 * In the container's first process: everything, then exec. Returns -1 only;
 * *out_exec_errno is set when it was the command that could not be executed.
 */
int perform(const struct sandbox_description *description, const struct perform_ties *ties,
	    int *out_exec_errno, struct err *err);

/* Mounts that later steps work in, by descriptor; -1 when the description has none. */
struct perform_fds {
	int dev_fd;
	int pts_fd;
};

/* perform-mounts.c: the root, all mounts in order, what is hidden; then "/" is the root. */
int perform_mounts(const struct sandbox_description *description, struct perform_fds *out,
		   struct err *err);

/*
 * confine.c: instead of all that, "/" is the root, by chroot(2). Where the kernel has Landlock,
 * files outside of it cannot be reached all the same, nor processes that are not in it. What a
 * description without namespaces cannot have is ERR_SYSTEM beforehand, in the outer process.
 */
int confine_check(const struct sandbox_description *description, struct err *err);
int confine(const struct sandbox_description *description, struct err *err);

/*
 * perform-target.c: what @mount is to be put on, opened in the root; @source_fd: the
 * mount, a directory or not. Made when it is missing and may be made.
 */
int perform_target(int root_fd, const struct sandbox_mount *mount, int source_fd, struct err *err);

/* perform-label.c: under which the command will run. */
int perform_labels(const struct sandbox_description *description, struct err *err);

/* perform-sysctl.c: all of them, in the /proc that is mounted in the root. */
int perform_sysctls(const struct sandbox_description *description, struct err *err);

/* perform-dev.c: fill an attached /dev, which is nodev afterwards; open its terminal, tell the
 * launcher, be it 0, 1, 2. */
int perform_dev(const struct sandbox_description *description, int dev_fd, struct err *err);
int perform_terminal(const struct sandbox_description *description, const struct perform_fds *fds,
		     struct err *err);

/* mountfd.c: one mount by descriptor. */
struct mount_spec {
	const char *type;
	const char *data;     /* "a=b,c", or NULL */
	uint64_t attributes;  /* MOUNT_ATTR_* */
	bool is_read_only_fs; /* the file system itself, not only this mount of it */
};
int mountfd_new(const struct mount_spec *spec, struct err *err);
/* A detached private copy of the mount at @fd; @attributes are added to it (and below it). */
int mountfd_clone(int fd, bool recursive, uint64_t attributes, const char *what, struct err *err);
int mountfd_clone_path(const char *path, bool recursive, uint64_t attributes, struct err *err);
int mountfd_attach(int mount_fd, int target_fd, const char *target, struct err *err);
/* The owners of its files are ids of that user namespace from here on. */
int mountfd_own(int fd, int userns_fd, const char *what, struct err *err);
/* Add @attributes to the mount at @fd itself. */
int mountfd_set(int fd, uint64_t attributes, const char *what, struct err *err);
uint64_t mountfd_attributes(unsigned flags);

/* perform-process.c: what the process itself is, then exec. */
int perform_process(const struct sandbox_description *description, const struct perform_ties *ties,
		    int *out_exec_errno, struct err *err);

#endif
