/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what a description is called in the language of other runtimes. */
#include "sandbox/oci-config.h"

#include <ctype.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/caps.h"
#include "sandbox/limits.h"
#include "sandbox/sysctl.h"

static void add_string(struct json *array, const char *text)
{
	json_append(array, json_new_string(text));
}

/* ---- process ---- */

static struct json *user_json(const struct sandbox_description *description)
{
	struct json *user = json_object();
	struct json *groups = json_array();

	json_set_int(user, "uid", description->uid);
	json_set_int(user, "gid", description->gid);
	for (size_t i = 0; i < description->group_count; i++)
		json_append(groups, json_new_int(description->groups[i]));
	json_set(user, "additionalGids", groups);
	return user;
}

static struct json *caps_json(uint64_t caps)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct json *list = json_array();
	char *rest, *name;

	if (caps == 0)
		return list;
	caps_format(caps & CAPS_ALL, &text);
	rest = text.data;
	while ((name = strsep(&rest, " "))) {
		auto_free char *full = str_format("CAP_%s", name);

		add_string(list, full);
	}
	return list;
}

/* A runtime fails where it is asked for what it has not got, and it has no more than we. */
static uint64_t grantable(void)
{
	uint64_t set = 0;

	for (int i = 0; i < 64; i++)
		if (prctl(PR_CAPBSET_READ, i) == 1)
			set |= CAPS_BIT(i);
	return set;
}

/* A user who is not root has none at first, as with us. */
static struct json *capabilities_json(const struct sandbox_description *description)
{
	struct json *sets = json_object();
	const uint64_t bounding = description->capabilities & grantable();
	uint64_t own = description->uid == 0 ? bounding : 0;

	json_set(sets, "bounding", caps_json(bounding));
	json_set(sets, "effective", caps_json(own));
	json_set(sets, "permitted", caps_json(own));
	json_set(sets, "inheritable", json_array());
	json_set(sets, "ambient", json_array());
	return sets;
}

static struct json *rlimits_json(const struct sandbox_description *description)
{
	struct json *list = json_array();

	for (size_t i = 0; i < description->rlimit_count; i++) {
		const struct sandbox_rlimit *limit = &description->rlimits[i];
		auto_free char *name = str_format("RLIMIT_%s", limits_name(limit->resource));
		struct json *row = json_object();

		for (char *c = name; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		json_set_string(row, "type", name);
		json_set_int(row, "hard", (int64_t)limit->hard);
		json_set_int(row, "soft", (int64_t)limit->soft);
		json_append(list, row);
	}
	return list;
}

static struct json *process_json(const struct sandbox_description *description)
{
	struct json *process = json_object();

	json_set_bool(process, "terminal", description->terminal);
	json_set(process, "user", user_json(description));
	json_set_strlist(process, "args", &description->argv);
	json_set_strlist(process, "env", &description->env);
	json_set_string(process, "cwd", description->cwd);
	json_set(process, "capabilities", capabilities_json(description));
	json_set(process, "rlimits", rlimits_json(description));
	json_set_bool(process, "noNewPrivileges", description->no_new_privileges);
	json_set_string(process, "apparmorProfile", description->apparmor_profile);
	json_set_string(process, "selinuxLabel", description->selinux_label);
	return process;
}

/* ---- mounts ---- */

static const struct {
	unsigned flag;
	const char *name;
} mount_flags[] = {
	{ SANDBOX_MOUNT_READ_ONLY, "ro" },
	{ SANDBOX_MOUNT_NOSUID, "nosuid" },
	{ SANDBOX_MOUNT_NODEV, "nodev" },
	{ SANDBOX_MOUNT_NOEXEC, "noexec" },
};

static const char *type_of(enum sandbox_mount_kind kind)
{
	switch (kind) {
	case SANDBOX_MOUNT_PROC:
		return "proc";
	case SANDBOX_MOUNT_SYSFS:
		return "sysfs";
	case SANDBOX_MOUNT_TMPFS:
	case SANDBOX_MOUNT_DEV:
		return "tmpfs";
	case SANDBOX_MOUNT_DEVPTS:
		return "devpts";
	case SANDBOX_MOUNT_MQUEUE:
		return "mqueue";
	case SANDBOX_MOUNT_CGROUP:
		return "cgroup";
	case SANDBOX_MOUNT_BIND:
	case SANDBOX_MOUNT_TREE:
	case SANDBOX_MOUNT_FILES:
		return "bind";
	}
	return "bind";
}

/* A runtime makes the devices in /dev itself, so that must open them. */
static struct json *mount_options_json(const struct sandbox_mount *mount)
{
	struct json *list = json_array();
	auto_free char *data = str_dup(mount->data ? mount->data : "");
	char *rest = data;
	char *option;

	if (mount->kind == SANDBOX_MOUNT_BIND || mount->kind == SANDBOX_MOUNT_TREE)
		add_string(list, mount->flags & SANDBOX_MOUNT_RECURSIVE ? "rbind" : "bind");
	for (size_t i = 0; i < sizeof(mount_flags) / sizeof(mount_flags[0]); i++)
		if ((mount->flags & mount_flags[i].flag) &&
		    (mount->kind != SANDBOX_MOUNT_DEV ||
		     mount_flags[i].flag != SANDBOX_MOUNT_NODEV))
			add_string(list, mount_flags[i].name);
	if (mount->kind == SANDBOX_MOUNT_DEVPTS)
		add_string(list, "newinstance");
	while (mount->kind != SANDBOX_MOUNT_TREE && (option = strsep(&rest, ",")))
		if (*option)
			add_string(list, option);
	return list;
}

/* An ordinary user's container that has the host's: the kernel gives no other. */
static bool is_shared(const struct sandbox_description *description,
		      const struct sandbox_mount *mount)
{
	unsigned ns = 0;

	if (mount->kind == SANDBOX_MOUNT_SYSFS)
		ns = SANDBOX_NS_NET;
	if (mount->kind == SANDBOX_MOUNT_PROC)
		ns = SANDBOX_NS_PID;
	if (mount->kind == SANDBOX_MOUNT_MQUEUE)
		ns = SANDBOX_NS_IPC;
	return ns && description->nested && !(description->namespaces & ns) &&
	       !sandbox_description_joins(description, ns);
}

/* What we would not show either. */
static bool is_left_out(const struct sandbox_description *description,
			const struct sandbox_mount *mount)
{
	struct statfs fs;

	return mount->kind == SANDBOX_MOUNT_CGROUP && description->nested &&
	       (statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC);
}

char *oci_config_source(const char *bundle, size_t index)
{
	return str_format("%s/mount-%zu", bundle, index);
}

static char *source_of(const struct sandbox_mount *mount, size_t index, const char *bundle)
{
	char link[FD_PATH_MAX];

	if (mount->source_fd < 0)
		return str_dup(type_of(mount->kind));
	return bundle ? oci_config_source(bundle, index)
		      : realpath(fd_path(mount->source_fd, link), NULL);
}

static struct json *mount_json(const struct sandbox_description *description, size_t index,
			       const char *bundle)
{
	const struct sandbox_mount *mount = &description->mounts[index];
	const bool shows_host = is_shared(description, mount);
	auto_free char *source =
		shows_host ? str_dup(mount->target) : source_of(mount, index, bundle);
	struct json *options = mount_options_json(mount);
	struct json *json = json_object();

	if (shows_host)
		add_string(options, "rbind");
	if (shows_host && (mount->flags & SANDBOX_MOUNT_READ_ONLY))
		add_string(options, "rro"); /* with all below it */
	json_set_string(json, "destination", mount->target);
	json_set_string(json, "type", shows_host ? "bind" : type_of(mount->kind));
	json_set_string(json, "source", source ? source : type_of(mount->kind));
	json_set(json, "options", options);
	return json;
}

static struct json *mounts_json(const struct sandbox_description *description, const char *bundle)
{
	struct json *list = json_array();

	for (size_t i = 0; i < description->mount_count; i++)
		if (!is_left_out(description, &description->mounts[i]))
			json_append(list, mount_json(description, i, bundle));
	return list;
}

/* ---- the kernel's part ---- */

/* Those that it makes. What is joined its runtime is in, and it stays there. */
static struct json *namespaces_json(const struct sandbox_description *description, bool is_lasting)
{
	static const struct {
		unsigned ns;
		const char *type;
	} rows[] = {
		{ SANDBOX_NS_PID, "pid" },       { SANDBOX_NS_IPC, "ipc" },
		{ SANDBOX_NS_UTS, "uts" },       { SANDBOX_NS_MOUNT, "mount" },
		{ SANDBOX_NS_CGROUP, "cgroup" }, { SANDBOX_NS_NET, "network" },
		{ SANDBOX_NS_TIME, "time" },
	};
	struct json *list = json_array();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json *row;

		if (!(description->namespaces & rows[i].ns) ||
		    (rows[i].ns == SANDBOX_NS_TIME && !is_lasting))
			continue;
		row = json_object();
		json_set_string(row, "type", rows[i].type);
		json_append(list, row);
	}
	return list;
}

static void set_positive(struct json *json, const char *key, uint64_t value)
{
	if (value)
		json_set_int(json, key, (int64_t)value);
}

static struct json *memory_json(const struct resources *resources)
{
	struct json *memory = json_object();

	set_positive(memory, "limit", resources->memory_bytes);
	set_positive(memory, "reservation", resources->reservation_bytes);
	if (resources->swap_total_bytes)
		json_set_int(memory, "swap", resources->swap_total_bytes);
	else if (resources->memory_bytes)
		json_set_int(memory, "swap", (int64_t)(2 * resources->memory_bytes));
	return memory;
}

static struct json *cpu_json(const struct resources *resources)
{
	struct json *cpu = json_object();

	set_positive(cpu, "shares", resources->cpu_shares);
	set_positive(cpu, "quota", resources->cpu_quota_us);
	set_positive(cpu, "period", resources->cpu_period_us);
	json_set_string(cpu, "cpus", resources->cpus);
	json_set_string(cpu, "mems", resources->memory_nodes);
	return cpu;
}

static struct json *io_json(const struct resources *resources)
{
	static const char *const keys[] = {
		[RESOURCE_READ_BYTES] = "throttleReadBpsDevice",
		[RESOURCE_WRITE_BYTES] = "throttleWriteBpsDevice",
		[RESOURCE_READ_OPERATIONS] = "throttleReadIOPSDevice",
		[RESOURCE_WRITE_OPERATIONS] = "throttleWriteIOPSDevice",
	};
	struct json *io = json_object();

	set_positive(io, "weight", resources->io_weight);
	for (size_t kind = 0; kind < sizeof(keys) / sizeof(keys[0]); kind++) {
		struct json *list = json_array();

		for (size_t i = 0; i < resources->rate_count; i++) {
			const struct resource_rate *rate = &resources->rates[i];
			struct json *row;

			if (rate->kind != kind)
				continue;
			row = json_object();
			json_set_int(row, "major", rate->major);
			json_set_int(row, "minor", rate->minor);
			json_set_int(row, "rate", (int64_t)rate->per_second);
			json_append(list, row);
		}
		json_set(io, keys[kind], list);
	}
	return io;
}

/* Who opens all devices is confined to none. */
static struct json *any_device_json(void)
{
	struct json *list = json_array();
	struct json *all = json_object();

	json_set_bool(all, "allow", true);
	json_set_string(all, "access", "rwm");
	json_append(list, all);
	return list;
}

static void add_rule(struct json *list, const struct resource_device *device, char type)
{
	struct json *row = json_object();
	const char type_text[2] = { type, '\0' };
	char access[4] = "";

	snprintf(access, sizeof(access), "%s%s%s", device->reads ? "r" : "",
		 device->writes ? "w" : "", device->makes ? "m" : "");
	json_set_bool(row, "allow", true);
	json_set_string(row, "type", type_text);
	if (device->major >= 0)
		json_set_int(row, "major", device->major);
	if (device->minor >= 0)
		json_set_int(row, "minor", device->minor);
	json_set_string(row, "access", access);
	json_append(list, row);
}

/* Never a rule for "a": to runc that is all access to all devices, whatever else it says. */
static struct json *device_rules_json(const struct resources *resources)
{
	struct json *list = json_array();
	struct json *none = json_object();

	json_set_bool(none, "allow", false);
	json_set_string(none, "access", "rwm");
	json_append(list, none);
	for (size_t i = 0; i < resources->device_count; i++) {
		const struct resource_device *device = &resources->devices[i];

		for (const char *type = "bc"; *type; type++)
			if (device->type == *type || device->type == 'a')
				add_rule(list, device, *type);
	}
	return list;
}

/* Devices of a container are confined to what every one has where nobody confines them. */
static struct json *resources_json(const struct sandbox_description *description)
{
	const struct resources *resources = &description->resources;
	struct resources confined = { .rates = NULL };
	struct json *json = json_object();

	resources_copy(&confined, resources);
	if (!description->opens_devices)
		resources_confine_devices(&confined);
	if (!description->nested)
		json_set(json, "devices",
			 confined.confines_devices ? device_rules_json(&confined)
						   : any_device_json());
	json_set(json, "memory", memory_json(resources));
	json_set(json, "cpu", cpu_json(resources));
	if (resources->io_weight || resources->rate_count > 0)
		json_set(json, "blockIO", io_json(resources));
	if (resources->pids) {
		struct json *pids = json_object();

		json_set_int(pids, "limit", (int64_t)resources->pids);
		json_set(json, "pids", pids);
	}
	resources_release(&confined);
	return json;
}

static struct json *devices_json(const struct sandbox_description *description)
{
	struct json *list = json_array();

	for (size_t i = 0; i < description->device_count; i++) {
		const struct sandbox_device *device = &description->devices[i];
		auto_free char *path = str_format("/dev/%s", device->name);
		struct json *row = json_object();

		json_set_string(row, "path", path);
		json_set_string(row, "type", S_ISBLK(device->mode) ? "b" : "c");
		json_set_int(row, "major", device->major);
		json_set_int(row, "minor", device->minor);
		json_set_int(row, "fileMode", device->mode & 07777);
		json_set_int(row, "uid", device->uid);
		json_set_int(row, "gid", device->gid);
		json_append(list, row);
	}
	return list;
}

static struct json *sysctls_json(const struct sandbox_description *description)
{
	struct json *json = json_object();

	for (size_t i = 0; i < description->sysctls.count; i++) {
		auto_free char *name = sysctl_name(description->sysctls.items[i]);

		json_set_string(json, name, strchr(description->sysctls.items[i], '=') + 1);
	}
	return json;
}

static struct json *linux_json(const struct sandbox_description *description,
			       const struct oci_config_options *options)
{
	struct json *json = json_object();

	json_set(json, "namespaces", namespaces_json(description, !options->bundle));
	if (options->cgroups_path)
		json_set_string(json, "cgroupsPath", options->cgroups_path);
	if (description->is_32bit) {
		struct json *personality = json_object();

		json_set_string(personality, "domain", "LINUX32");
		json_set(json, "personality", personality);
	}
	json_set(json, "resources", resources_json(description));
	json_set(json, "devices", devices_json(description));
	if (description->sysctls.count > 0)
		json_set(json, "sysctl", sysctls_json(description));
	json_set_strlist(json, "maskedPaths", &description->masked_paths);
	json_set_strlist(json, "readonlyPaths", &description->read_only_paths);
	if (options->has_filter)
		json_set(json, "seccomp", oci_seccomp_json(description->capabilities));
	return json;
}

static int check(const struct sandbox_description *description, bool is_lasting, struct err *err)
{
	if (description->has_init)
		return err_set(err, ERR_INPUT, "an init is not part of a bundle");
	if (is_lasting && description->join_count > 0)
		return err_set(err, ERR_INPUT,
			       "a bundle has no namespace that ends with somebody else");
	for (size_t i = 0; i < description->mount_count; i++)
		if (description->mounts[i].kind == SANDBOX_MOUNT_FILES ||
		    (is_lasting && description->mounts[i].kind == SANDBOX_MOUNT_TREE))
			return err_set(err, ERR_INPUT, "what is mounted at '%s' has no path",
				       description->mounts[i].target);
	return 0;
}

int oci_config_format(const struct sandbox_description *description,
		      const struct oci_config_options *options, struct strbuf *out, struct err *err)
{
	auto_json struct json *config = json_object();
	struct json *root = json_object();

	if (check(description, !options->bundle, err) < 0) {
		json_unref(root);
		return -1;
	}
	json_set_string(root, "path", options->root_path);
	json_set_bool(root, "readonly", description->read_only_root);
	json_set_string(config, "ociVersion", "1.0.2");
	json_set(config, "process", process_json(description));
	json_set(config, "root", root);
	if (description->hostname)
		json_set_string(config, "hostname", description->hostname);
	json_set(config, "mounts", mounts_json(description, options->bundle));
	json_set(config, "linux", linux_json(description, options));
	json_format_pretty(config, out);
	strbuf_putc(out, '\n');
	return 0;
}
