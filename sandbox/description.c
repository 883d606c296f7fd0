/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for descriptions as values: filling, releasing, printing. What is in
 * one by default is said in defaults.c, how it becomes bytes in wire.c, and
 * what is done with it in perform.c.
 */
#include "sandbox/description.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/mem.h"
#include "sandbox/caps.h"

void sandbox_description_release(struct sandbox_description *description)
{
	for (size_t i = 0; i < description->mount_count; i++) {
		free(description->mounts[i].target);
		free(description->mounts[i].data);
	}
	free(description->mounts);
	for (size_t i = 0; i < description->device_count; i++)
		free(description->devices[i].name);
	free(description->devices);
	free(description->joins);
	resources_release(&description->resources);
	free(description->cgroup_fds);
	free(description->hostname);
	free(description->cwd);
	free(description->groups);
	free(description->rlimits);
	strlist_release(&description->masked_paths);
	strlist_release(&description->read_only_paths);
	strlist_release(&description->sysctls);
	free(description->apparmor_profile);
	free(description->selinux_label);
	strlist_release(&description->argv);
	strlist_release(&description->env);
	*description = (struct sandbox_description)SANDBOX_DESCRIPTION_INIT;
}

void sandbox_description_add_mount(struct sandbox_description *description,
				   enum sandbox_mount_kind kind, const char *target, unsigned flags,
				   int source_fd, const char *data)
{
	size_t count = description->mount_count;

	description->mounts =
		mem_resize(description->mounts, count + 1, sizeof(description->mounts[0]));
	description->mounts[count] = (struct sandbox_mount){
		.kind = kind,
		.flags = flags,
		.target = str_dup(target),
		.source_fd = source_fd,
		.data = str_dup(data),
	};
	description->mount_count++;
}

void sandbox_description_add_rlimit(struct sandbox_description *description,
				    const struct sandbox_rlimit *limit)
{
	size_t count = description->rlimit_count++;

	description->rlimits =
		mem_resize(description->rlimits, count + 1, sizeof(description->rlimits[0]));
	description->rlimits[count] = *limit;
}

void sandbox_description_add_join(struct sandbox_description *description, unsigned ns, int fd)
{
	size_t count = description->join_count++;

	description->joins =
		mem_resize(description->joins, count + 1, sizeof(description->joins[0]));
	description->joins[count] = (struct sandbox_join){ .ns = ns, .fd = fd };
}

int sandbox_description_join_fd(const struct sandbox_description *description, unsigned ns)
{
	for (size_t i = 0; i < description->join_count; i++)
		if (description->joins[i].ns == ns)
			return description->joins[i].fd;
	return -1;
}

bool sandbox_description_joins(const struct sandbox_description *description, unsigned ns)
{
	return sandbox_description_join_fd(description, ns) >= 0;
}

void sandbox_description_add_device(struct sandbox_description *description,
				    const struct sandbox_device *device)
{
	size_t count = description->device_count++;

	description->devices =
		mem_resize(description->devices, count + 1, sizeof(description->devices[0]));
	description->devices[count] = *device;
	description->devices[count].name = str_dup(device->name);
}

void sandbox_description_set_shm(struct sandbox_description *description, uint64_t size_bytes)
{
	for (size_t i = 0; i < description->mount_count; i++) {
		struct sandbox_mount *mount = &description->mounts[i];

		if (strcmp(mount->target, "/dev/shm") != 0)
			continue;
		free(mount->data);
		mount->data = str_format("mode=1777,size=%" PRIu64, size_bytes);
	}
}

/* ---- printing ---- */

struct bit_name {
	unsigned bit;
	const char *name;
};

static void print_bits(struct strbuf *out, unsigned bits, const struct bit_name *names)
{
	for (; names->name; names++) {
		if (bits & names->bit)
			strbuf_printf(out, " %s", names->name);
	}
}

static const char *kind_name(enum sandbox_mount_kind kind)
{
	switch (kind) {
	case SANDBOX_MOUNT_PROC:
		return "proc";
	case SANDBOX_MOUNT_SYSFS:
		return "sysfs";
	case SANDBOX_MOUNT_TMPFS:
		return "tmpfs";
	case SANDBOX_MOUNT_DEV:
		return "dev";
	case SANDBOX_MOUNT_DEVPTS:
		return "devpts";
	case SANDBOX_MOUNT_MQUEUE:
		return "mqueue";
	case SANDBOX_MOUNT_CGROUP:
		return "cgroup";
	case SANDBOX_MOUNT_BIND:
		return "bind";
	case SANDBOX_MOUNT_TREE:
		return "tree";
	case SANDBOX_MOUNT_FILES:
		return "files";
	}
	return "unknown";
}

/* Quoted so that a line is a value, whatever bytes it holds. */
static void print_text(struct strbuf *out, const char *key, const char *text)
{
	strbuf_printf(out, "%s \"", key);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			strbuf_printf(out, "\\%c", *p);
		else if (*p < ' ' || *p >= 0x7f)
			strbuf_printf(out, "\\x%02x", *p);
		else
			strbuf_putc(out, (char)*p);
	}
	strbuf_puts(out, "\"\n");
}

static void print_list(struct strbuf *out, const char *key, const struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		print_text(out, key, list->items[i]);
}

static void print_mount(struct strbuf *out, const struct sandbox_mount *mount)
{
	static const struct bit_name flags[] = {
		{ SANDBOX_MOUNT_READ_ONLY, "ro" },    { SANDBOX_MOUNT_NOSUID, "nosuid" },
		{ SANDBOX_MOUNT_NODEV, "nodev" },     { SANDBOX_MOUNT_NOEXEC, "noexec" },
		{ SANDBOX_MOUNT_RECURSIVE, "rbind" }, { SANDBOX_MOUNT_MAKE_TARGET, "make" },
		{ SANDBOX_MOUNT_OWNED, "owned" },     { 0, NULL },
	};

	strbuf_printf(out, "mount %s", kind_name(mount->kind));
	print_bits(out, mount->flags, flags);
	if (mount->data)
		strbuf_printf(out, " %s", mount->data);
	print_text(out, "", mount->target);
}

static void print_ids(struct strbuf *out, const struct sandbox_description *description)
{
	strbuf_printf(out, "uid %" PRIuMAX "\ngid %" PRIuMAX "\ngroups",
		      (uintmax_t)description->uid, (uintmax_t)description->gid);
	for (size_t i = 0; i < description->group_count; i++)
		strbuf_printf(out, " %" PRIuMAX, (uintmax_t)description->groups[i]);
	strbuf_puts(out, "\ncapabilities ");
	caps_format(description->capabilities, out);
	strbuf_putc(out, '\n');
}

static void print_flags(struct strbuf *out, const struct sandbox_description *description)
{
	strbuf_puts(out, "flags");
	if (description->read_only_root)
		strbuf_puts(out, " read-only-root");
	if (description->opens_devices)
		strbuf_puts(out, " opens-devices");
	if (description->no_new_privileges)
		strbuf_puts(out, " no-new-privileges");
	if (description->is_32bit)
		strbuf_puts(out, " 32bit");
	if (description->seccomp_fd >= 0)
		strbuf_puts(out, " seccomp");
	if (description->has_init)
		strbuf_puts(out, " init");
	if (description->terminal)
		strbuf_printf(out, " terminal=%ux%u", description->terminal_rows,
			      description->terminal_columns);
	if (description->nested)
		strbuf_puts(out, " nested");
	if (description->supervision == SANDBOX_SUPERVISED)
		strbuf_puts(out, " supervised");
	if (description->supervision == SANDBOX_SUPERVISED_DEVICES)
		strbuf_puts(out, " supervised-devices");
	strbuf_putc(out, '\n');
}

static void print_namespaces(struct strbuf *out, const struct sandbox_description *description)
{
	static const struct bit_name namespaces[] = {
		{ SANDBOX_NS_MOUNT, "mount" },
		{ SANDBOX_NS_PID, "pid" },
		{ SANDBOX_NS_IPC, "ipc" },
		{ SANDBOX_NS_UTS, "uts" },
		{ SANDBOX_NS_CGROUP, "cgroup" },
		{ SANDBOX_NS_NET, "net" },
		{ SANDBOX_NS_TIME, "time" },
		{ SANDBOX_NS_USER, "user" },
		{ 0, NULL },
	};

	strbuf_puts(out, "namespaces");
	print_bits(out, description->namespaces, namespaces);
	strbuf_putc(out, '\n');
	for (size_t i = 0; i < description->join_count; i++) {
		strbuf_puts(out, "join");
		print_bits(out, description->joins[i].ns, namespaces);
		strbuf_putc(out, '\n');
	}
	if (description->namespaces & SANDBOX_NS_TIME)
		strbuf_printf(out, "time-offset %" PRId64 "\n", description->time_offset_s);
	if (description->boot_offset_s)
		strbuf_printf(out, "boot-offset %" PRId64 "\n", description->boot_offset_s);
}

static void print_devices(struct strbuf *out, const struct sandbox_description *description)
{
	for (size_t i = 0; i < description->device_count; i++) {
		const struct sandbox_device *device = &description->devices[i];

		strbuf_printf(out, "node %c %u:%u %04o %ju:%ju", S_ISBLK(device->mode) ? 'b' : 'c',
			      device->major, device->minor, device->mode & 07777,
			      (uintmax_t)device->uid, (uintmax_t)device->gid);
		print_text(out, "", device->name);
	}
}

void sandbox_description_print(const struct sandbox_description *description, struct strbuf *out)
{
	print_namespaces(out, description);
	print_flags(out, description);
	if (description->hostname)
		print_text(out, "hostname", description->hostname);
	for (size_t i = 0; i < description->mount_count; i++)
		print_mount(out, &description->mounts[i]);
	print_devices(out, description);
	print_list(out, "masked", &description->masked_paths);
	print_list(out, "read-only", &description->read_only_paths);
	print_list(out, "sysctl", &description->sysctls);
	print_ids(out, description);
	for (size_t i = 0; i < description->rlimit_count; i++)
		strbuf_printf(out, "rlimit %d %" PRIu64 " %" PRIu64 "\n",
			      description->rlimits[i].resource, description->rlimits[i].soft,
			      description->rlimits[i].hard);
	if (description->apparmor_profile)
		print_text(out, "apparmor", description->apparmor_profile);
	if (description->selinux_label)
		print_text(out, "selinux", description->selinux_label);
	resources_print(&description->resources, out);
	if (description->cwd)
		print_text(out, "cwd", description->cwd);
	print_list(out, "arg", &description->argv);
	print_list(out, "env", &description->env);
}
