/* SPDX-License-Identifier: Apache-2.0 */
/* Limits as values, the files that say them in either version, and where a host has these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "sandbox/cgroup-internal.h"

static const struct resource_texts many = {
	.memory = "64m",
	.memory_swap = "96m",
	.memory_reservation = "32m",
	.cpus = "1.5",
	.cpu_shares = "512",
	.cpuset_cpus = "0-2,5",
	.pids_limit = "7",
	.blkio_weight = "500",
};

static void parse(const struct resource_texts *texts, struct resources *out)
{
	struct err err = ERR_INIT;

	assert_int_equal(resources_parse(texts, out, &err), 0);
}

/* "FILE=VALUE" of each, with "?" where it is optional. */
static char *plan_text(const struct resources *resources, bool is_v2)
{
	static const char *const names[] = { "memory", "cpu", "cpuset", "pids", "blkio" };
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_cgroup_plan struct cgroup_plan plan = { .items = NULL };

		(is_v2 ? cgroup_v2_plan : cgroup_v1_plan)(names[i], resources, &plan);
		for (size_t k = 0; k < plan.count; k++)
			strbuf_printf(&text, "%s%s=%s\n", plan.items[k].is_optional ? "?" : "",
				      plan.items[k].file,
				      plan.items[k].value ? plan.items[k].value : "(above)");
	}
	return str_dup(text.data ? text.data : "");
}

static void version_1_says_it_so(void **state)
{
	struct resources resources = { .rates = NULL };
	auto_free char *text = NULL;

	parse(&many, &resources);
	text = plan_text(&resources, false);
	assert_string_equal(text, "memory.limit_in_bytes=67108864\n"
				  "memory.memsw.limit_in_bytes=100663296\n"
				  "memory.soft_limit_in_bytes=33554432\n"
				  "cpu.cfs_period_us=100000\n"
				  "cpu.cfs_quota_us=150000\n"
				  "cpu.shares=512\n"
				  "cpuset.cpus=0-2,5\n"
				  "cpuset.mems=(above)\n"
				  "pids.max=7\n"
				  "blkio.weight=500\n");
	resources_release(&resources);
}

static void version_2_says_it_so(void **state)
{
	struct resources resources = { .rates = NULL };
	auto_free char *text = NULL;

	parse(&many, &resources);
	text = plan_text(&resources, true);
	assert_string_equal(text, "memory.max=67108864\n"
				  "memory.low=33554432\n"
				  "memory.swap.max=33554432\n"
				  "cpu.max=150000 100000\n"
				  "cpu.weight=20\n"
				  "cpuset.cpus=0-2,5\n"
				  "pids.max=7\n"
				  "io.weight=4950\n");
	resources_release(&resources);
}

static void swap_is_as_much_as_memory(void **state)
{
	const struct resource_texts texts = { .memory = "1g" };
	const struct resource_texts any = { .memory = "1g", .memory_swap = "-1" };
	struct resources resources = { .rates = NULL };
	auto_free char *v1 = NULL;
	auto_free char *v2 = NULL;
	auto_free char *unlimited = NULL;

	parse(&texts, &resources);
	v1 = plan_text(&resources, false);
	v2 = plan_text(&resources, true);
	assert_non_null(strstr(v1, "?memory.memsw.limit_in_bytes=2147483648\n"));
	assert_non_null(strstr(v2, "?memory.swap.max=1073741824\n"));
	resources_release(&resources);
	parse(&any, &resources);
	unlimited = plan_text(&resources, false);
	assert_null(strstr(unlimited, "memsw"));
	resources_release(&resources);
}

static void devices_come_and_go_as_text(void **state)
{
	static const char *const good[] = { "c 1:3 rwm", "b *:* m", "a *:* rw", "c 136:* r" };
	static const char *const bad[] = { "",         "c",        "c 1:3",
					   "c 1:3 ",   "d 1:3 r",  "c 1:3 x",
					   "c -1:3 r", "c 1:3 r ", "c 4096:0 r" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct resource_device device;
		struct err err = ERR_INIT;
		char text[RESOURCE_DEVICE_TEXT];

		assert_int_equal(resource_device_parse(good[i], &device, &err), 0);
		assert_string_equal(resource_device_format(&device, text), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct resource_device device;
		struct err err = ERR_INIT;

		assert_int_equal(resource_device_parse(bad[i], &device, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
	}
}

static void a_hybrid_host(void **state)
{
	char mounts[] =
		"1 0 8:1 / / rw - ext4 /dev/sda rw\n"
		"2 1 0:20 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup "
		"rw,memory\n"
		"3 1 0:21 /box /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
		"4 1 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
	char own[] = "9:cpu,cpuacct:/box/in\n4:memory:/user/a:b\n0::/\n";
	auto_cgroup_host struct cgroup_host host = { .items = NULL };
	const struct cgroup_hierarchy *found;

	cgroup_host_parse(mounts, own, &host);
	assert_int_equal(host.count, 3);
	found = cgroup_host_find(&host, "memory");
	assert_string_equal(found->mount, "/sys/fs/cgroup/memory");
	assert_string_equal(found->own, "/user/a:b");
	assert_false(found->is_v2);
	found = cgroup_host_find(&host, "cpu");
	assert_string_equal(found->own, "/in");
	assert_null(cgroup_host_find(&host, "pids"));
	found = cgroup_host_find(&host, "devices");
	assert_true(found->is_v2);
	assert_string_equal(found->own, "");
}

static void half_lines_are_passed_over(void **state)
{
	char mounts[] = "\n - cgroup\n1 2 3 4 5 - cgroup\n1 2 3 4 5 - cgroup2 x\nx";
	char own[] = "\n1\n1:\n0::\n::";
	auto_cgroup_host struct cgroup_host host = { .items = NULL };

	cgroup_host_parse(mounts, own, &host);
	assert_int_equal(host.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1_says_it_so),
		cmocka_unit_test(version_2_says_it_so),
		cmocka_unit_test(swap_is_as_much_as_memory),
		cmocka_unit_test(devices_come_and_go_as_text),
		cmocka_unit_test(a_hybrid_host),
		cmocka_unit_test(half_lines_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
