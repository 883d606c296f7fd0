/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the bytes that carry a description to the sandbox program. Both
 * ends are ours and of one version, yet every length is checked: a program
 * that runs with all privileges takes nothing for granted.
 */
#include "sandbox/wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum wire_tag {
	WIRE_ROOT = 1,
	WIRE_FLAGS,
	WIRE_NAMESPACES,
	WIRE_HOSTNAME,
	WIRE_MOUNT,
	WIRE_MASKED,
	WIRE_READ_ONLY,
	WIRE_ARG,
	WIRE_ENV,
	WIRE_CWD,
	WIRE_UID,
	WIRE_GID,
	WIRE_GROUPS,
	WIRE_CAPABILITIES,
	WIRE_SECCOMP,
	WIRE_RLIMIT,
	WIRE_TERMINAL_SIZE,
	WIRE_JOIN,
	WIRE_CGROUP,
	WIRE_TIME_OFFSET,
	WIRE_DEVICE,
	WIRE_BOOT_OFFSET,
	WIRE_SYSCTL,
	WIRE_APPARMOR,
	WIRE_SELINUX,
};

enum wire_flag {
	WIRE_FLAG_READ_ONLY_ROOT = 1 << 0,
	WIRE_FLAG_OPENS_DEVICES = 1 << 1,
	WIRE_FLAG_NO_NEW_PRIVILEGES = 1 << 2,
	WIRE_FLAG_TERMINAL = 1 << 3,
	WIRE_FLAG_NESTED = 1 << 4,
	WIRE_FLAG_SUPERVISED = 1 << 5,
	WIRE_FLAG_32BIT = 1 << 6,
	WIRE_FLAG_INIT = 1 << 7,
	WIRE_FLAG_SUPERVISED_DEVICES = 1 << 8,
	WIRE_FLAG_END = 1 << 9,
};

#define HEAD_BYTES     (4 * sizeof(uint32_t))
#define MOUNT_BYTES    (4 * sizeof(uint32_t))
#define GROUPS_MAX     65536
#define DEVICE_NUMBERS 5

/* ---- writing ---- */

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

/* ---- reading ---- */

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
