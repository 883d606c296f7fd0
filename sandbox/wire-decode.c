/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the bytes of a description say. Both ends are ours and of one
 * version, yet every length is checked: a program that runs with all privileges
 * takes nothing for granted.
 */
#include "sandbox/wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "sandbox/wire-internal.h"

#define HEAD_BYTES (4 * sizeof(uint32_t))
#define GROUPS_MAX 65536

struct field {
	uint32_t tag;
	const char *data;
	size_t len;
};

static int broken(struct err *err, const char *what)
{
	return err_set(err, ERR_BUG, "sandbox description: %s", what);
}

static uint32_t get_u32(const char *data)
{
	uint32_t n;

	memcpy(&n, data, sizeof(n));
	return n;
}

static int take_number(const struct field *field, uint64_t max, uint64_t *out, struct err *err)
{
	uint64_t n;

	if (field->len != sizeof(n))
		return broken(err, "a number has another length");
	memcpy(&n, field->data, sizeof(n));
	if (n > max)
		return broken(err, "a number is out of its range");
	*out = n;
	return 0;
}

static int check_text(const char *data, size_t len, struct err *err)
{
	if (memchr(data, '\0', len))
		return broken(err, "a NUL in a text");
	return 0;
}

static int take_text(const struct field *field, char **out, struct err *err)
{
	if (check_text(field->data, field->len, err) < 0)
		return -1;
	free(*out);
	*out = str_ndup(field->data, field->len);
	return 0;
}

static int take_item(const struct field *field, struct strlist *list, struct err *err)
{
	if (check_text(field->data, field->len, err) < 0)
		return -1;
	strlist_take(list, str_ndup(field->data, field->len));
	return 0;
}

static int fd_from_index(uint64_t index, const struct wire_head *head, int *out, struct err *err)
{
	if (index == WIRE_NO_FD)
		*out = -1;
	else if (index < head->fd_count)
		*out = WIRE_FIRST_FD + (int)index;
	else
		return broken(err, "a descriptor that was not passed");
	return 0;
}

static int take_fd(const struct field *field, const struct wire_head *head, int *out,
		   struct err *err)
{
	uint64_t index = WIRE_NO_FD;

	if (take_number(field, WIRE_NO_FD, &index, err) < 0)
		return -1;
	return fd_from_index(index, head, out, err);
}

static int take_mount(const struct field *field, const struct wire_head *head,
		      struct sandbox_description *out, struct err *err)
{
	const char *text = field->data + MOUNT_BYTES;
	auto_free char *target = NULL;
	auto_free char *data = NULL;
	uint32_t kind, target_len;
	int fd = -1;

	if (field->len < MOUNT_BYTES)
		return broken(err, "a mount is cut short");
	kind = get_u32(field->data);
	if (kind >= SANDBOX_MOUNT_KINDS)
		return broken(err, "a mount of an unknown kind");
	if (fd_from_index(get_u32(field->data + 8), head, &fd, err) < 0)
		return -1;
	target_len = get_u32(field->data + 12);
	if (target_len > field->len - MOUNT_BYTES)
		return broken(err, "a mount's target is cut short");
	if (check_text(text, field->len - MOUNT_BYTES, err) < 0)
		return -1;
	target = str_ndup(text, target_len);
	if (field->len - MOUNT_BYTES > target_len)
		data = str_ndup(text + target_len, field->len - MOUNT_BYTES - target_len);
	if ((kind == SANDBOX_MOUNT_BIND || kind == SANDBOX_MOUNT_TREE ||
	     kind == SANDBOX_MOUNT_FILES) != (fd >= 0))
		return broken(err, "a bind mount or tree has a source, no other mount has");
	sandbox_description_add_mount(out, (enum sandbox_mount_kind)kind, target,
				      get_u32(field->data + 4), fd, data);
	return 0;
}

static int take_groups(const struct field *field, struct sandbox_description *out, struct err *err)
{
	size_t count = field->len / sizeof(uint32_t);

	if (field->len % sizeof(uint32_t) != 0 || count > GROUPS_MAX)
		return broken(err, "the groups have no such length");
	free(out->groups);
	out->groups = mem_array(count + 1, sizeof(out->groups[0]));
	out->group_count = count;
	for (size_t i = 0; i < count; i++)
		out->groups[i] = get_u32(field->data + i * sizeof(uint32_t));
	return 0;
}

static int take_rlimit(const struct field *field, struct sandbox_description *out, struct err *err)
{
	size_t count = out->rlimit_count;
	uint64_t row[3];

	if (field->len != sizeof(row))
		return broken(err, "a limit has another length");
	memcpy(row, field->data, sizeof(row));
	if (row[0] > INT32_MAX)
		return broken(err, "a limit of an unknown resource");
	out->rlimits = mem_resize(out->rlimits, count + 1, sizeof(out->rlimits[0]));
	out->rlimits[count] = (struct sandbox_rlimit){ (int)row[0], row[1], row[2] };
	out->rlimit_count++;
	return 0;
}

static int take_flags(const struct field *field, struct sandbox_description *out, struct err *err)
{
	uint64_t flags = 0;

	if (take_number(field, WIRE_FLAG_END - 1, &flags, err) < 0)
		return -1;
	out->read_only_root = flags & WIRE_FLAG_READ_ONLY_ROOT;
	out->opens_devices = flags & WIRE_FLAG_OPENS_DEVICES;
	out->no_new_privileges = flags & WIRE_FLAG_NO_NEW_PRIVILEGES;
	out->is_32bit = flags & WIRE_FLAG_32BIT;
	out->terminal = flags & WIRE_FLAG_TERMINAL;
	out->has_init = flags & WIRE_FLAG_INIT;
	out->nested = flags & WIRE_FLAG_NESTED;
	if (flags & WIRE_FLAG_SUPERVISED)
		out->supervision = SANDBOX_SUPERVISED;
	else if (flags & WIRE_FLAG_SUPERVISED_DEVICES)
		out->supervision = SANDBOX_SUPERVISED_DEVICES;
	return 0;
}

static int take_terminal_size(const struct field *field, struct sandbox_description *out,
			      struct err *err)
{
	uint64_t size = 0;

	if (take_number(field, UINT32_MAX, &size, err) < 0)
		return -1;
	out->terminal_rows = (uint16_t)(size >> 16);
	out->terminal_columns = (uint16_t)size;
	return 0;
}

static int take_ids(const struct field *field, struct sandbox_description *out, struct err *err)
{
	uint64_t id = 0;

	if (take_number(field, UINT32_MAX - 1, &id, err) < 0)
		return -1;
	if (field->tag == WIRE_UID)
		out->uid = (uid_t)id;
	else
		out->gid = (gid_t)id;
	return 0;
}

static int take_namespaces(const struct field *field, struct sandbox_description *out,
			   struct err *err)
{
	uint64_t namespaces = 0;

	if (take_number(field, SANDBOX_NS_END - 1, &namespaces, err) < 0)
		return -1;
	out->namespaces = (unsigned)namespaces;
	return 0;
}

static int take_join(const struct field *field, const struct wire_head *head,
		     struct sandbox_description *out, struct err *err)
{
	uint32_t row[2];
	int fd = -1;

	if (field->len != sizeof(row))
		return broken(err, "a namespace to join has another length");
	memcpy(row, field->data, sizeof(row));
	if (row[0] == 0 || row[0] >= SANDBOX_NS_END || (row[0] & (row[0] - 1)))
		return broken(err, "a namespace of an unknown kind");
	if (fd_from_index(row[1], head, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return broken(err, "a namespace without a descriptor");
	sandbox_description_add_join(out, row[0], fd);
	return 0;
}

static int take_cgroup(const struct field *field, const struct wire_head *head,
		       struct sandbox_description *out, struct err *err)
{
	size_t count = out->cgroup_fd_count;
	int fd = -1;

	if (take_fd(field, head, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return broken(err, "a cgroup without a descriptor");
	out->cgroup_fds = mem_resize(out->cgroup_fds, count + 1, sizeof(out->cgroup_fds[0]));
	out->cgroup_fds[count] = fd;
	out->cgroup_fd_count++;
	return 0;
}

static int take_offset(const struct field *field, int64_t *out, struct err *err)
{
	uint64_t offset = 0;

	if (take_number(field, UINT64_MAX, &offset, err) < 0)
		return -1;
	*out = (int64_t)offset;
	return 0;
}

static int take_device(const struct field *field, struct sandbox_description *out, struct err *err)
{
	uint32_t row[DEVICE_NUMBERS];
	auto_free char *name = NULL;

	if (field->len <= sizeof(row))
		return broken(err, "a device is cut short");
	memcpy(row, field->data, sizeof(row));
	if (check_text(field->data + sizeof(row), field->len - sizeof(row), err) < 0)
		return -1;
	name = str_ndup(field->data + sizeof(row), field->len - sizeof(row));
	sandbox_description_add_device(out, &(struct sandbox_device){ .name = name,
								      .mode = row[0],
								      .uid = row[1],
								      .gid = row[2],
								      .major = row[3],
								      .minor = row[4] });
	return 0;
}

static int take_field(const struct field *field, const struct wire_head *head,
		      struct sandbox_description *out, struct err *err)
{
	switch ((enum wire_tag)field->tag) {
	case WIRE_ROOT:
		return take_fd(field, head, &out->root_fd, err);
	case WIRE_FLAGS:
		return take_flags(field, out, err);
	case WIRE_NAMESPACES:
		return take_namespaces(field, out, err);
	case WIRE_HOSTNAME:
		return take_text(field, &out->hostname, err);
	case WIRE_MOUNT:
		return take_mount(field, head, out, err);
	case WIRE_MASKED:
		return take_item(field, &out->masked_paths, err);
	case WIRE_READ_ONLY:
		return take_item(field, &out->read_only_paths, err);
	case WIRE_SYSCTL:
		if (!memchr(field->data, '=', field->len))
			return broken(err, "a setting without a value");
		return take_item(field, &out->sysctls, err);
	case WIRE_APPARMOR:
		return take_text(field, &out->apparmor_profile, err);
	case WIRE_SELINUX:
		return take_text(field, &out->selinux_label, err);
	case WIRE_ARG:
		return take_item(field, &out->argv, err);
	case WIRE_ENV:
		return take_item(field, &out->env, err);
	case WIRE_CWD:
		return take_text(field, &out->cwd, err);
	case WIRE_UID:
	case WIRE_GID:
		return take_ids(field, out, err);
	case WIRE_GROUPS:
		return take_groups(field, out, err);
	case WIRE_CAPABILITIES:
		return take_number(field, UINT64_MAX, &out->capabilities, err);
	case WIRE_SECCOMP:
		return take_fd(field, head, &out->seccomp_fd, err);
	case WIRE_RLIMIT:
		return take_rlimit(field, out, err);
	case WIRE_TERMINAL_SIZE:
		return take_terminal_size(field, out, err);
	case WIRE_JOIN:
		return take_join(field, head, out, err);
	case WIRE_CGROUP:
		return take_cgroup(field, head, out, err);
	case WIRE_TIME_OFFSET:
		return take_offset(field, &out->time_offset_s, err);
	case WIRE_BOOT_OFFSET:
		return take_offset(field, &out->boot_offset_s, err);
	case WIRE_DEVICE:
		return take_device(field, out, err);
	}
	return broken(err, "an unknown field");
}

static int take_head(const char *data, size_t len, struct wire_head *out, struct err *err)
{
	if (len < HEAD_BYTES || len > WIRE_MAX_BYTES)
		return broken(err, "a length that cannot be");
	if (get_u32(data) != WIRE_MAGIC || get_u32(data + 4) != WIRE_VERSION)
		return broken(err, "written by another version");
	if (get_u32(data + 8) == 0 || get_u32(data + 8) > INT32_MAX)
		return broken(err, "no launcher");
	if (get_u32(data + 12) > WIRE_MAX_FDS)
		return broken(err, "too many descriptors");
	out->launcher = (pid_t)get_u32(data + 8);
	out->fd_count = get_u32(data + 12);
	return 0;
}

static int check_whole(const struct sandbox_description *description, struct err *err)
{
	if (description->root_fd < 0)
		return broken(err, "no root");
	if (description->argv.count == 0)
		return broken(err, "no command");
	if (!description->cwd || description->cwd[0] != '/')
		return broken(err, "no working directory");
	/* all that is to be seen as /proc and /dev is answered for then */
	if (sandbox_is_chroot(description) && description->supervision != SANDBOX_SUPERVISED)
		return broken(err, "neither a mount namespace nor a supervisor");
	return 0;
}

int wire_decode(const char *data, size_t len, struct wire_head *out_head,
		struct sandbox_description *out, struct err *err)
{
	auto_sandbox_description struct sandbox_description got = SANDBOX_DESCRIPTION_INIT;
	struct wire_head head = { .launcher = 0 };
	size_t at = HEAD_BYTES;

	if (take_head(data, len, &head, err) < 0)
		return -1;
	while (at < len) {
		struct field field = { .tag = 0 };

		if (len - at < 2 * sizeof(uint32_t))
			return broken(err, "a field is cut short");
		field.tag = get_u32(data + at);
		field.len = get_u32(data + at + 4);
		field.data = data + at + 8;
		at += 8;
		if (field.len > len - at)
			return broken(err, "a field is cut short");
		if (take_field(&field, &head, &got, err) < 0)
			return -1;
		at += field.len;
	}
	if (check_whole(&got, err) < 0)
		return -1;
	*out_head = head;
	*out = got;
	got = (struct sandbox_description)SANDBOX_DESCRIPTION_INIT;
	return 0;
}
