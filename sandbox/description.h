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
#include "sandbox/resources.h"

/*
 * All that the sandbox program will do, as plain values: it can be printed,
 * compared and tested without doing anything. The program performs it top to
 * bottom (sandbox/program.c).
 */
enum sandbox_namespace {
	SANDBOX_NS_MOUNT = 1 << 0, /* always, but where the host allows nothing (chroot) */
	SANDBOX_NS_PID = 1 << 1,
	SANDBOX_NS_IPC = 1 << 2,
	SANDBOX_NS_UTS = 1 << 3,
	SANDBOX_NS_CGROUP = 1 << 4,
	SANDBOX_NS_NET = 1 << 5,  /* own network: only the loopback, brought up */
	SANDBOX_NS_TIME = 1 << 6, /* clocks that are @time_offset ahead */
	/*
	 * Joined, never made: who has its ids there is made root of it, and all other namespaces
	 * belong to it. The outer process is in it too, in the host's other namespaces.
	 */
	SANDBOX_NS_USER = 1 << 7,
};
#define SANDBOX_NS_END (1 << 8)

enum sandbox_mount_kind {
	SANDBOX_MOUNT_PROC,
	SANDBOX_MOUNT_SYSFS, /* the host's, bound, where the kernel refuses a new one (nested) */
	SANDBOX_MOUNT_TMPFS, /* data: "mode=0755,size=64m" */
	SANDBOX_MOUNT_DEV,   /* a tmpfs with devices, links, and pts, shm, mqueue to mount on */
	SANDBOX_MOUNT_DEVPTS,
	SANDBOX_MOUNT_MQUEUE,
	SANDBOX_MOUNT_CGROUP, /* the own cgroup, version 2; left out where the host has version 1 */
	SANDBOX_MOUNT_BIND,   /* source_fd: a descriptor (O_PATH will do) opened by the parent */
	/*
	 * source_fd: a detached mount that the parent made for this container, gone
	 * with it like the root; data: the path in it that is shown, its links
	 * resolved in it (NULL: all). What is not shown cannot be reached.
	 */
	SANDBOX_MOUNT_TREE,
	/*
	 * source_fd: such a mount too; data: "a,b", files in it, each of which is put on the one of
	 * that name in the directory @target.
	 */
	SANDBOX_MOUNT_FILES,
};
#define SANDBOX_MOUNT_KINDS (SANDBOX_MOUNT_FILES + 1)

enum sandbox_mount_flag {
	SANDBOX_MOUNT_READ_ONLY = 1 << 0,
	SANDBOX_MOUNT_NOSUID = 1 << 1,
	SANDBOX_MOUNT_NODEV = 1 << 2,
	SANDBOX_MOUNT_NOEXEC = 1 << 3,
	SANDBOX_MOUNT_RECURSIVE = 1 << 4, /* BIND */
	/*
	 * A target that is not there is made, with all on the way to it, where that
	 * is in another mount of this list; never in the root, which would keep it.
	 */
	SANDBOX_MOUNT_MAKE_TARGET = 1 << 5,
	SANDBOX_MOUNT_OWNED = 1 << 6, /* BIND: its files' owners are ids of the user namespace */
};

#define SANDBOX_TTY_GID 5 /* the group of terminals */

struct sandbox_mount {
	enum sandbox_mount_kind kind;
	unsigned flags;
	/*
	 * Absolute, and there already (the init layer made it). Resolved in the
	 * root, never out of it; links on the way are followed for TMPFS, BIND and
	 * TREE alone, for all others they are an error.
	 */
	char *target;
	int source_fd;
	char *data;
};

struct sandbox_rlimit {
	int resource;
	uint64_t soft;
	uint64_t hard;
};

/* A node of the container's own /dev; only for real root. */
struct sandbox_device {
	char *name;  /* below /dev, "net/tun" */
	mode_t mode; /* with its kind */
	uid_t uid;
	gid_t gid;
	unsigned major;
	unsigned minor;
};

/* A namespace of somebody else's that takes the place of one of its own. */
struct sandbox_join {
	unsigned ns; /* one SANDBOX_NS_ bit, which is not in namespaces */
	int fd;
};

/* What the host's kernel does not let us have is answered and recorded instead (supervise.h). */
enum sandbox_supervision {
	SANDBOX_UNSUPERVISED,
	SANDBOX_SUPERVISED_DEVICES, /* a user namespace with many ids: devices alone */
	SANDBOX_SUPERVISED,         /* one id: owners of files and processes too */
};

struct sandbox_description {
	/*
	 * Detached mount (storage/mount.h) that becomes "/". It can do so once: it
	 * is gone with the container, though the caller still closes its descriptor.
	 * Who joins another container's mounts has its root, whatever this is.
	 */
	int root_fd;
	bool read_only_root;
	/*
	 * Device nodes found or made in the root can be opened. False mounts it
	 * nodev: nodes can be made, packed and removed, but with CAP_MKNOD alone
	 * nobody gets at the host's disks. The same for those made in /dev.
	 */
	bool opens_devices;
	unsigned namespaces;
	struct sandbox_join *joins;
	size_t join_count;
	int64_t time_offset_s;        /* of the monotonic and the boot clock */
	int64_t boot_offset_s;        /* of the boot clock, besides */
	char *hostname;               /* NULL: leave */
	struct sandbox_mount *mounts; /* in order */
	size_t mount_count;
	/* Files get /dev/null over them, directories an empty tmpfs; absent ones are skipped. */
	struct strlist masked_paths;
	struct strlist read_only_paths; /* absent: skipped */
	struct strlist sysctls; /* "net/ipv4/ip_forward=1": of its own namespaces (sysctl.h) */
	struct strlist argv;    /* argv[0] is looked up in the PATH of env, inside the root */
	struct strlist env;
	char *cwd; /* absolute; resolved in the root; must exist */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	/*
	 * The bounding set, and for uid 0 permitted and effective too; less what we
	 * have not got ourselves. Inheritable and ambient are empty.
	 */
	uint64_t capabilities;
	bool no_new_privileges;
	char *apparmor_profile; /* NULL: the one that we run under stays; so below */
	char *selinux_label;
	bool is_32bit;  /* what uname(2) says is what such a processor would say */
	int seccomp_fd; /* a file with the BPF program, or -1 for none */
	struct sandbox_rlimit *rlimits;
	size_t rlimit_count;
	/* What all its processes may have together, and the doors of the groups that give it. */
	struct resources resources;
	int *cgroup_fds; /* cgroup.procs files, opened for writing; borrowed */
	size_t cgroup_fd_count;
	struct sandbox_device *devices; /* besides those that every container has */
	size_t device_count;
	/*
	 * The first process is not the command but ours: it hands on signals, and takes
	 * in whoever lost its parent.
	 */
	bool has_init;
	bool terminal; /* one of the container's own devpts becomes 0, 1, 2 and /dev/console */
	uint16_t terminal_rows; /* that it has from the beginning; 0: none is known */
	uint16_t terminal_columns;

	/* What the host is, asked once by sandbox_description_defaults. */
	bool nested; /* in a user namespace other than the initial one */
	enum sandbox_supervision supervision;
};

#define SANDBOX_DESCRIPTION_INIT                \
	{                                       \
		.root_fd = -1, .seccomp_fd = -1 \
	}
#define auto_sandbox_description __attribute__((cleanup(sandbox_description_release)))
/* Frees memory; descriptors stay the caller's. */
void sandbox_description_release(struct sandbox_description *description);

/*
 * What docker gives a container by default: the namespaces but net; proc, /dev
 * (null, zero, full, random, urandom, tty, ptmx, fd, stdin, stdout, stderr,
 * core), devpts, shm, mqueue, sysfs, cgroup; masked and read-only paths;
 * default capabilities; cwd "/". Root, argv, env and ids are the caller's to
 * set. Every sandbox has umask 022, a session of its own, and no descriptor
 * but 0, 1 and 2. Call after userns_enter.
 */
void sandbox_description_defaults(struct sandbox_description *description);
/* The same without any mount and path: nothing but the root. */
void sandbox_description_bare(struct sandbox_description *description);
/*
 * After the defaults: for the user namespace at @userns_fd instead of the one that we are in.
 * @has_tty: it has the group 5.
 */
void sandbox_description_nest(struct sandbox_description *description, int userns_fd, bool has_tty);
/* Copies @target and @data (may be NULL); @source_fd stays the caller's. */
void sandbox_description_add_mount(struct sandbox_description *description,
				   enum sandbox_mount_kind kind, const char *target, unsigned flags,
				   int source_fd, const char *data);

void sandbox_description_add_rlimit(struct sandbox_description *description,
				    const struct sandbox_rlimit *limit);
void sandbox_description_add_join(struct sandbox_description *description, unsigned ns, int fd);
/* Copies the name. */
void sandbox_description_add_device(struct sandbox_description *description,
				    const struct sandbox_device *device);
/* The size of /dev/shm that defaults gave another one. */
void sandbox_description_set_shm(struct sandbox_description *description, uint64_t size_bytes);

bool sandbox_description_joins(const struct sandbox_description *description, unsigned ns);
/* The descriptor of that one; -1: it is not joined. */
int sandbox_description_join_fd(const struct sandbox_description *description, unsigned ns);
/* Nothing but chroot(2): no namespace, and no mount either. */
static inline bool sandbox_is_chroot(const struct sandbox_description *description)
{
	return !(description->namespaces & SANDBOX_NS_MOUNT) &&
	       !sandbox_description_joins(description, SANDBOX_NS_MOUNT);
}

/* A stable text, a line per value: for tests and --debug. */
void sandbox_description_print(const struct sandbox_description *description, struct strbuf *out);

/*
 * CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP
 * NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE
 */
#define SANDBOX_CAPS_DEFAULT UINT64_C(0xa80425fb)

#endif
