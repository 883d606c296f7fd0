/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what every container gets unless told otherwise, the same as
 * docker's, and for the questions about the host that decide between two ways
 * of giving it.
 */
#include "sandbox/description.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/isolation.h"
#include "common/mem.h"
#include "common/userns.h"
#include "sandbox/caps.h"

#define PTS         "ptmxmode=0666,mode=0620"
#define PTS_OF_TTYS PTS ",gid=5"

static const char *const masked[] = {
	"/proc/acpi",        "/proc/asound",  "/proc/interrupts",
	"/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi",    "/proc/timer_list",
	"/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap",
};

static const char *const read_only[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* Does id @wanted exist in our user namespace? */
static bool has_gid(uint64_t wanted)
{
	FILE *map = fopen("/proc/self/gid_map", "re");
	uint64_t first, outside, count;
	bool found = false;

	if (!map)
		return false;
	while (!found &&
	       fscanf(map, "%" SCNu64 " %" SCNu64 " %" SCNu64, &first, &outside, &count) == 3)
		found = wanted >= first && wanted - first < count;
	fclose(map);
	return found;
}

/* What each processor tells of its heat lets one guess at what others compute. */
static void mask_thermal(struct strlist *paths)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	for (long i = 0; i < cpus; i++) {
		char path[80];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/thermal_throttle", i);
		if (access(path, F_OK) == 0)
			strlist_add(paths, path);
	}
}

static void add_mounts(struct sandbox_description *description)
{
	const unsigned plain = SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NODEV | SANDBOX_MOUNT_NOEXEC;
	const unsigned ro = plain | SANDBOX_MOUNT_READ_ONLY;
	const bool has_tty = !description->nested || has_gid(SANDBOX_TTY_GID);

	sandbox_description_add_mount(description, SANDBOX_MOUNT_PROC, "/proc", plain, -1, NULL);
	sandbox_description_add_mount(description, SANDBOX_MOUNT_DEV, "/dev",
				      SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NODEV, -1,
				      "mode=0755,size=64m");
	sandbox_description_add_mount(description, SANDBOX_MOUNT_DEVPTS, "/dev/pts",
				      SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NOEXEC, -1,
				      has_tty ? PTS_OF_TTYS : PTS);
	sandbox_description_add_mount(description, SANDBOX_MOUNT_SYSFS, "/sys", ro, -1, NULL);
	sandbox_description_add_mount(description, SANDBOX_MOUNT_CGROUP, "/sys/fs/cgroup", ro, -1,
				      NULL);
	sandbox_description_add_mount(description, SANDBOX_MOUNT_MQUEUE, "/dev/mqueue", plain, -1,
				      NULL);
	sandbox_description_add_mount(description, SANDBOX_MOUNT_TMPFS, "/dev/shm", plain, -1,
				      "mode=1777,size=64m");
}

void sandbox_description_bare(struct sandbox_description *description)
{
	description->nested = userns_is_nested();
	if (isolation_current() != ISOLATION_NAMESPACES)
		description->supervision = SANDBOX_SUPERVISED;
	else if (description->nested)
		description->supervision = SANDBOX_SUPERVISED_DEVICES;
	if (isolation_current() != ISOLATION_CHROOT)
		description->namespaces = SANDBOX_NS_MOUNT | SANDBOX_NS_PID | SANDBOX_NS_IPC |
					  SANDBOX_NS_UTS | SANDBOX_NS_CGROUP;
	/* without a right over the whole system a filter can be loaded only so */
	description->no_new_privileges = sandbox_is_chroot(description);
	description->capabilities = SANDBOX_CAPS_DEFAULT;
	/* by which root leaves one chroot through another */
	if (sandbox_is_chroot(description))
		description->capabilities &= ~CAPS_BIT(CAP_SYS_CHROOT);
	description->cwd = str_dup("/");
}

void sandbox_description_nest(struct sandbox_description *description, int userns_fd, bool has_tty)
{
	description->nested = true;
	description->supervision = SANDBOX_UNSUPERVISED;
	sandbox_description_add_join(description, SANDBOX_NS_USER, userns_fd);
	for (size_t i = 0; i < description->mount_count; i++) {
		if (description->mounts[i].kind != SANDBOX_MOUNT_DEVPTS)
			continue;
		free(description->mounts[i].data);
		description->mounts[i].data = str_dup(has_tty ? PTS_OF_TTYS : PTS);
	}
}

void sandbox_description_defaults(struct sandbox_description *description)
{
	sandbox_description_bare(description);
	if (sandbox_is_chroot(description))
		return;
	add_mounts(description);
	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		strlist_add(&description->masked_paths, masked[i]);
	mask_thermal(&description->masked_paths);
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
		strlist_add(&description->read_only_paths, read_only[i]);
}
