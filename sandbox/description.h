/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_DESCRIPTION_H
#define SANDBOX_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"

/*
 * All that the sandbox program will do, as plain values: it can be printed,
 * compared and tested without doing anything. The program performs it top to
 * bottom (sandbox/program.c).
 */
enum sandbox_namespace {
	SANDBOX_NS_MOUNT = 1 << 0, /* always */
	SANDBOX_NS_PID = 1 << 1,
	SANDBOX_NS_IPC = 1 << 2,
	SANDBOX_NS_UTS = 1 << 3,
	SANDBOX_NS_CGROUP = 1 << 4,
	SANDBOX_NS_NET = 1 << 5, /* own network: only the loopback, brought up */
};

enum sandbox_mount_kind {
	SANDBOX_MOUNT_PROC,
	SANDBOX_MOUNT_SYSFS, /* read-only; a bind of the host's where the kernel refuses a new one */
	SANDBOX_MOUNT_TMPFS, /* data: "mode=0755,size=64m" */
	SANDBOX_MOUNT_DEVPTS,
	SANDBOX_MOUNT_MQUEUE,
	SANDBOX_MOUNT_CGROUP, /* read-only view of the own cgroup; left out where the host has none to give */
	SANDBOX_MOUNT_BIND,   /* source_fd: O_PATH descriptor, opened by the parent */
};

enum sandbox_mount_flag {
	SANDBOX_MOUNT_READ_ONLY = 1 << 0,
	SANDBOX_MOUNT_NOSUID = 1 << 1,
	SANDBOX_MOUNT_NODEV = 1 << 2,
	SANDBOX_MOUNT_NOEXEC = 1 << 3,
	SANDBOX_MOUNT_RECURSIVE = 1 << 4, /* BIND */
};

struct sandbox_mount {
	enum sandbox_mount_kind kind;
	unsigned flags;
	char *target; /* absolute in the root; exists there (the init layer made it); resolved in the root, never out of it */
	int source_fd;
	char *data;
};

struct sandbox_rlimit {
	int resource;
	uint64_t soft;
	uint64_t hard;
};

struct sandbox_description {
	int root_fd; /* detached mount (storage/mount.h) that becomes "/" */
	bool read_only_root;
	unsigned namespaces;
	char *hostname; /* NULL: leave */
	struct sandbox_mount *mounts; /* in order */
	size_t mount_count;
	struct strlist masked_paths;	/* files: /dev/null bound over; directories: empty read-only tmpfs; absent: skipped */
	struct strlist read_only_paths; /* absent: skipped */
	struct strlist argv;		/* argv[0] is looked up in the PATH of env, inside the root */
	struct strlist env;
	char *cwd; /* absolute; resolved in the root; must exist */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	uint64_t capabilities; /* bounding set; also permitted and effective for uid 0. Inheritable and ambient are empty */
	bool no_new_privileges;
	int seccomp_fd; /* a file with the BPF program, or -1 for none */
	struct sandbox_rlimit *rlimits;
	size_t rlimit_count;
	bool terminal; /* a pseudo terminal of the container's own devpts becomes 0, 1, 2 and /dev/console */
	bool keep_devices; /* internal: devices are made with mknod (real root) instead of bound */
};

#define SANDBOX_DESCRIPTION_INIT { .root_fd = -1, .seccomp_fd = -1 }
#define auto_sandbox_description __attribute__((cleanup(sandbox_description_release)))
/* Frees memory; descriptors stay the caller's. */
void sandbox_description_release(struct sandbox_description *description);

/*
 * What docker gives a container by default: the namespaces but net, proc,
 * /dev (tmpfs with null, zero, full, random, urandom, tty, ptmx, fd, stdin, stdout, stderr, core), devpts, shm, mqueue, sysfs, cgroup; masked
 * and read-only paths; default capabilities; cwd "/"; umask 022. argv, env, ids and root are the caller's to set.
 */
void sandbox_description_defaults(struct sandbox_description *description);
void sandbox_description_add_mount(struct sandbox_description *description,
				   enum sandbox_mount_kind kind, const char *target,
				   unsigned flags, int source_fd, const char *data);

/* A stable text, a line per value: for tests and --debug. */
void sandbox_description_print(const struct sandbox_description *description,
			       struct strbuf *out);

#define SANDBOX_CAPS_DEFAULT /* CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE */ \
	UINT64_C(0xa80425fb)

#endif
