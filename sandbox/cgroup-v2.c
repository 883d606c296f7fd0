/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the files of control groups of version 2. */
#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "sandbox/cgroup-internal.h"

#define PERIOD_DEFAULT_US 100000

static void add_number(struct cgroup_plan *plan, const char *file, uint64_t value)
{
	if (value)
		cgroup_plan_add(plan, file, str_format("%" PRIu64, value));
}

/* Swap is counted apart from memory here. */
static void plan_memory(const struct resources *resources, struct cgroup_plan *out)
{
	uint64_t swap = resources->memory_bytes;

	add_number(out, "memory.max", resources->memory_bytes);
	add_number(out, "memory.low", resources->reservation_bytes);
	if (resources->swap_total_bytes > 0)
		swap = (uint64_t)resources->swap_total_bytes - resources->memory_bytes;
	if (resources->swap_total_bytes < 0)
		cgroup_plan_add(out, "memory.swap.max", str_dup("max"));
	else if (resources->memory_bytes)
		cgroup_plan_add(out, "memory.swap.max", str_format("%" PRIu64, swap))->is_optional =
			resources->swap_total_bytes == 0;
}

/* Where shares go from 2 to 262144, weights go from 1 to 10000. */
static uint64_t weight_of_shares(uint64_t shares)
{
	return 1 + (shares - 2) * 9999 / 262142;
}

static void plan_cpu(const struct resources *resources, struct cgroup_plan *out)
{
	uint64_t period = resources->cpu_period_us ? resources->cpu_period_us : PERIOD_DEFAULT_US;

	if (resources->cpu_quota_us)
		cgroup_plan_add(
			out, "cpu.max",
			str_format("%" PRIu64 " %" PRIu64, resources->cpu_quota_us, period));
	else if (resources->cpu_period_us)
		cgroup_plan_add(out, "cpu.max", str_format("max %" PRIu64, period));
	if (resources->cpu_shares)
		add_number(out, "cpu.weight", weight_of_shares(resources->cpu_shares));
}

static void plan_cpuset(const struct resources *resources, struct cgroup_plan *out)
{
	if (resources->cpus)
		cgroup_plan_add(out, "cpuset.cpus", str_dup(resources->cpus));
	if (resources->memory_nodes)
		cgroup_plan_add(out, "cpuset.mems", str_dup(resources->memory_nodes));
}

static void plan_pids(const struct resources *resources, struct cgroup_plan *out)
{
	add_number(out, "pids.max", resources->pids);
}

/* The scale of version 1, 10 to 1000 around 500, to the one from 1 to 10000 around 100. */
static uint64_t weight_of_io(uint64_t weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

static void plan_io(const struct resources *resources, struct cgroup_plan *out)
{
	static const char *const names[] = {
		[RESOURCE_READ_BYTES] = "rbps",
		[RESOURCE_WRITE_BYTES] = "wbps",
		[RESOURCE_READ_OPERATIONS] = "riops",
		[RESOURCE_WRITE_OPERATIONS] = "wiops",
	};

	if (resources->io_weight)
		cgroup_plan_add(out, "io.weight",
				str_format("%" PRIu64, weight_of_io(resources->io_weight)))
			->or_file = "io.bfq.weight";
	for (size_t i = 0; i < resources->rate_count; i++) {
		const struct resource_rate *rate = &resources->rates[i];

		cgroup_plan_add(out, "io.max",
				str_format("%u:%u %s=%" PRIu64, rate->major, rate->minor,
					   names[rate->kind], rate->per_second));
	}
}

void cgroup_v2_plan(const char *controller, const struct resources *resources,
		    struct cgroup_plan *out)
{
	static const struct {
		const char *controller;
		void (*plan)(const struct resources *resources, struct cgroup_plan *out);
	} rows[] = {
		{ "memory", plan_memory }, { "cpu", plan_cpu },  { "cpuset", plan_cpuset },
		{ "pids", plan_pids },     { "blkio", plan_io },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].controller, controller) == 0)
			rows[i].plan(resources, out);
}
