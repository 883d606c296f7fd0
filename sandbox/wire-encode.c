/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for a description as bytes. */
#include "sandbox/wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "sandbox/wire-internal.h"

static void put_u32(struct strbuf *out, uint32_t n)
{
	strbuf_add(out, &n, sizeof(n));
}

static void put_field(struct strbuf *out, enum wire_tag tag, const void *data, size_t len)
{
	put_u32(out, tag);
	put_u32(out, (uint32_t)len); /* the sum of all is held against WIRE_MAX_BYTES */
	strbuf_add(out, data, len);
}

static void put_number(struct strbuf *out, enum wire_tag tag, uint64_t n)
{
	put_field(out, tag, &n, sizeof(n));
}

static void put_text(struct strbuf *out, enum wire_tag tag, const char *text)
{
	if (text)
		put_field(out, tag, text, strlen(text));
}

static void put_list(struct strbuf *out, enum wire_tag tag, const struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		put_text(out, tag, list->items[i]);
}

/* The index that stands for @fd; one too many is counted, and refused at the end. */
static uint32_t fd_index(struct wire_fds *fds, int fd)
{
	if (fd < 0)
		return WIRE_NO_FD;
	if (fds->count < WIRE_MAX_FDS)
		fds->items[fds->count] = fd;
	return (uint32_t)fds->count++;
}

static void put_mount(struct strbuf *out, const struct sandbox_mount *mount, struct wire_fds *fds)
{
	const char *data = mount->data ? mount->data : "";
	size_t target_len = strlen(mount->target);

	put_u32(out, WIRE_MOUNT);
	put_u32(out, (uint32_t)(MOUNT_BYTES + target_len + strlen(data)));
	put_u32(out, mount->kind);
	put_u32(out, mount->flags);
	put_u32(out, fd_index(fds, mount->source_fd));
	put_u32(out, (uint32_t)target_len);
	strbuf_add(out, mount->target, target_len);
	strbuf_puts(out, data);
}

static void put_ids(struct strbuf *out, const struct sandbox_description *description)
{
	auto_free uint32_t *groups = mem_array(description->group_count + 1, sizeof(uint32_t));

	put_number(out, WIRE_UID, description->uid);
	put_number(out, WIRE_GID, description->gid);
	for (size_t i = 0; i < description->group_count; i++)
		groups[i] = description->groups[i];
	put_field(out, WIRE_GROUPS, groups, description->group_count * sizeof(uint32_t));
	put_number(out, WIRE_CAPABILITIES, description->capabilities);
}

static uint64_t flags_of(const struct sandbox_description *description)
{
	return (description->read_only_root ? WIRE_FLAG_READ_ONLY_ROOT : 0U) |
	       (description->opens_devices ? WIRE_FLAG_OPENS_DEVICES : 0U) |
	       (description->no_new_privileges ? WIRE_FLAG_NO_NEW_PRIVILEGES : 0U) |
	       (description->is_32bit ? WIRE_FLAG_32BIT : 0U) |
	       (description->terminal ? WIRE_FLAG_TERMINAL : 0U) |
	       (description->has_init ? WIRE_FLAG_INIT : 0U) |
	       (description->nested ? WIRE_FLAG_NESTED : 0U) |
	       (description->supervision == SANDBOX_SUPERVISED ? WIRE_FLAG_SUPERVISED : 0U) |
	       (description->supervision == SANDBOX_SUPERVISED_DEVICES
			? WIRE_FLAG_SUPERVISED_DEVICES
			: 0U);
}

static void put_joins(struct strbuf *out, const struct sandbox_description *description,
		      struct wire_fds *fds)
{
	for (size_t i = 0; i < description->join_count; i++) {
		uint32_t row[2] = { description->joins[i].ns,
				    fd_index(fds, description->joins[i].fd) };

		put_field(out, WIRE_JOIN, row, sizeof(row));
	}
	for (size_t i = 0; i < description->cgroup_fd_count; i++)
		put_number(out, WIRE_CGROUP, fd_index(fds, description->cgroup_fds[i]));
	put_number(out, WIRE_TIME_OFFSET, (uint64_t)description->time_offset_s);
	put_number(out, WIRE_BOOT_OFFSET, (uint64_t)description->boot_offset_s);
}

static void put_devices(struct strbuf *out, const struct sandbox_description *description)
{
	for (size_t i = 0; i < description->device_count; i++) {
		const struct sandbox_device *device = &description->devices[i];
		uint32_t row[DEVICE_NUMBERS] = { device->mode, device->uid, device->gid,
						 device->major, device->minor };

		put_u32(out, WIRE_DEVICE);
		put_u32(out, (uint32_t)(sizeof(row) + strlen(device->name)));
		strbuf_add(out, row, sizeof(row));
		strbuf_puts(out, device->name);
	}
}

static void put_fields(struct strbuf *out, const struct sandbox_description *description,
		       struct wire_fds *fds)
{
	put_number(out, WIRE_ROOT, fd_index(fds, description->root_fd));
	put_number(out, WIRE_FLAGS, flags_of(description));
	put_number(out, WIRE_NAMESPACES, description->namespaces);
	put_text(out, WIRE_HOSTNAME, description->hostname);
	for (size_t i = 0; i < description->mount_count; i++)
		put_mount(out, &description->mounts[i], fds);
	put_list(out, WIRE_MASKED, &description->masked_paths);
	put_list(out, WIRE_READ_ONLY, &description->read_only_paths);
	put_list(out, WIRE_SYSCTL, &description->sysctls);
	put_text(out, WIRE_APPARMOR, description->apparmor_profile);
	put_text(out, WIRE_SELINUX, description->selinux_label);
	put_list(out, WIRE_ARG, &description->argv);
	put_list(out, WIRE_ENV, &description->env);
	put_text(out, WIRE_CWD, description->cwd);
	put_ids(out, description);
	put_number(out, WIRE_SECCOMP, fd_index(fds, description->seccomp_fd));
	put_joins(out, description, fds);
	put_devices(out, description);
	put_number(out, WIRE_TERMINAL_SIZE,
		   (uint64_t)description->terminal_rows << 16 | description->terminal_columns);
	for (size_t i = 0; i < description->rlimit_count; i++) {
		const struct sandbox_rlimit *limit = &description->rlimits[i];
		uint64_t row[3] = { (uint64_t)limit->resource, limit->soft, limit->hard };

		put_field(out, WIRE_RLIMIT, row, sizeof(row));
	}
}

int wire_encode(const struct sandbox_description *description, pid_t launcher, struct strbuf *out,
		struct wire_fds *out_fds, struct err *err)
{
	uint32_t fd_count;

	strbuf_truncate(out, 0);
	out_fds->count = 0;
	put_u32(out, WIRE_MAGIC);
	put_u32(out, WIRE_VERSION);
	put_u32(out, (uint32_t)launcher);
	put_u32(out, 0);
	put_fields(out, description, out_fds);
	if (out->len > WIRE_MAX_BYTES)
		return err_set(err, ERR_INPUT,
			       "arguments and environment of the command are larger than %zu bytes",
			       WIRE_MAX_BYTES);
	if (out_fds->count > WIRE_MAX_FDS)
		return err_set(err, ERR_INPUT, "the sandbox has more than %d mounts", WIRE_MAX_FDS);
	fd_count = (uint32_t)out_fds->count;
	memcpy(out->data + 3 * sizeof(uint32_t), &fd_count, sizeof(fd_count));
	return 0;
}
