/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the files of control groups of version 1, and for plans as lists. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "sandbox/cgroup-internal.h"

void cgroup_plan_release(struct cgroup_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free(plan->items[i].value);
	free(plan->items);
	*plan = (struct cgroup_plan){ .items = NULL };
}

struct cgroup_setting *cgroup_plan_add(struct cgroup_plan *plan, const char *file, char *value)
{
	plan->items = mem_resize(plan->items, plan->count + 1, sizeof(plan->items[0]));
	plan->items[plan->count] = (struct cgroup_setting){ .file = file, .value = value };
	return &plan->items[plan->count++];
}

static void add_number(struct cgroup_plan *plan, const char *file, uint64_t value)
{
	if (value)
		cgroup_plan_add(plan, file, str_format("%" PRIu64, value));
}

/* The limit first: that of both together may not be lower. */
static void plan_memory(const struct resources *resources, struct cgroup_plan *out)
{
	static const char *const together = "memory.memsw.limit_in_bytes";

	add_number(out, "memory.limit_in_bytes", resources->memory_bytes);
	if (resources->swap_total_bytes > 0)
		add_number(out, together, (uint64_t)resources->swap_total_bytes);
	else if (resources->swap_total_bytes == 0 && resources->memory_bytes)
		cgroup_plan_add(out, together, str_format("%" PRIu64, 2 * resources->memory_bytes))
			->is_optional = true;
	add_number(out, "memory.soft_limit_in_bytes", resources->reservation_bytes);
}

static void plan_cpu(const struct resources *resources, struct cgroup_plan *out)
{
	add_number(out, "cpu.cfs_period_us", resources->cpu_period_us);
	add_number(out, "cpu.cfs_quota_us", resources->cpu_quota_us);
	add_number(out, "cpu.shares", resources->cpu_shares);
}

/* Nobody can enter before both are set: NULL is what the group above has. */
static void plan_cpuset(const struct resources *resources, struct cgroup_plan *out)
{
	cgroup_plan_add(out, "cpuset.cpus", str_dup(resources->cpus));
	cgroup_plan_add(out, "cpuset.mems", str_dup(resources->memory_nodes));
}

static void plan_pids(const struct resources *resources, struct cgroup_plan *out)
{
	add_number(out, "pids.max", resources->pids);
}

static void plan_io(const struct resources *resources, struct cgroup_plan *out)
{
	static const char *const files[] = {
		[RESOURCE_READ_BYTES] = "blkio.throttle.read_bps_device",
		[RESOURCE_WRITE_BYTES] = "blkio.throttle.write_bps_device",
		[RESOURCE_READ_OPERATIONS] = "blkio.throttle.read_iops_device",
		[RESOURCE_WRITE_OPERATIONS] = "blkio.throttle.write_iops_device",
	};

	if (resources->io_weight)
		cgroup_plan_add(out, "blkio.weight", str_format("%" PRIu64, resources->io_weight))
			->or_file = "blkio.bfq.weight";
	for (size_t i = 0; i < resources->rate_count; i++) {
		const struct resource_rate *rate = &resources->rates[i];

		cgroup_plan_add(
			out, files[rate->kind],
			str_format("%u:%u %" PRIu64, rate->major, rate->minor, rate->per_second));
	}
}

static void plan_devices(const struct resources *resources, struct cgroup_plan *out)
{
	char text[RESOURCE_DEVICE_TEXT];

	cgroup_plan_add(out, "devices.deny", str_dup("a"));
	for (size_t i = 0; i < resources->device_count; i++) {
		struct resource_device device = resources->devices[i];

		/* "a" stands for all there is in this version, whatever follows */
		if (device.type != 'a') {
			cgroup_plan_add(out, "devices.allow",
					str_dup(resource_device_format(&device, text)));
			continue;
		}
		for (const char *type = "bc"; *type; type++) {
			device.type = *type;
			cgroup_plan_add(out, "devices.allow",
					str_dup(resource_device_format(&device, text)));
		}
	}
}

void cgroup_v1_plan(const char *controller, const struct resources *resources,
		    struct cgroup_plan *out)
{
	static const struct {
		const char *controller;
		void (*plan)(const struct resources *resources, struct cgroup_plan *out);
	} rows[] = {
		{ "memory", plan_memory }, { "cpu", plan_cpu },  { "cpuset", plan_cpuset },
		{ "pids", plan_pids },     { "blkio", plan_io }, { "devices", plan_devices },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].controller, controller) == 0)
			rows[i].plan(resources, out);
}
