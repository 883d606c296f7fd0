/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits and settings of the kernel from the command line, volumes as a container's state keeps
 * them for others, and what a host says of its cgroups: a
 * first byte chooses. A rule for devices that was taken is one again when it was written, and so is
 * a setting; no plan has a value of two lines, and no path of a setting leads out of /proc/sys.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strlist.h"
#include "sandbox/cgroup-internal.h"
#include "sandbox/sysctl.h"
#include "sandbox/volume-lent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_device(const char *text)
{
	struct resource_device device, again;
	struct err err = ERR_INIT;
	char buf[RESOURCE_DEVICE_TEXT];

	if (resource_device_parse(text, &device, &err) < 0)
		return;
	if (resource_device_parse(resource_device_format(&device, buf), &again, &err) < 0 ||
	    again.major != device.major || again.minor != device.minor)
		abort();
}

static void check_numbers(const char *text)
{
	const struct resource_texts texts = { .memory = text,
					      .memory_swap = text,
					      .cpus = text,
					      .cpuset_cpus = text,
					      .pids_limit = text };
	struct resources resources = { .rates = NULL };
	auto_cgroup_plan struct cgroup_plan plan = { .items = NULL };
	struct err err = ERR_INIT;

	if (resources_parse(&texts, &resources, &err) == 0) {
		cgroup_v1_plan("memory", &resources, &plan);
		cgroup_v2_plan("cpu", &resources, &plan);
		for (size_t i = 0; i < plan.count; i++)
			if (!plan.items[i].value || strchr(plan.items[i].value, '\n'))
				abort();
	}
	resources_release(&resources);
}

static void check_sysctl(const char *text)
{
	auto_strlist struct strlist items = STRLIST_INIT;
	struct err err = ERR_INIT;
	auto_free char *again = NULL;
	auto_free char *name = NULL;
	unsigned ns;

	if (sysctl_parse(text, &items, &ns, &err) < 0)
		return;
	name = sysctl_name(items.items[0]);
	again = str_format("%s%s", name, strchr(items.items[0], '='));
	if (!ns || items.items[0][0] == '/' || strstr(items.items[0], "../") == items.items[0] ||
	    sysctl_parse(again, &items, &ns, &err) < 0 ||
	    strcmp(items.items[0], items.items[1]) != 0)
		abort();
}

static void check_lent(const char *text)
{
	auto_volumes struct volumes volumes = VOLUMES_INIT;
	auto_strlist struct strlist again = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (volumes_add_lent(&volumes, text, &err) < 0)
		return;
	if (volumes.items[0].kind == VOLUME_LENT && strstr(volumes.items[0].source, ".."))
		abort();
	volumes_lend(&volumes, "id", &again);
	if (again.count != 1 || volumes_add_lent(&volumes, again.items[0], &err) < 0 ||
	    volumes.count != 1)
		abort();
}

static void check_host(char *text)
{
	auto_cgroup_host struct cgroup_host host = { .items = NULL };
	char *own = strchr(text, '\f');

	if (own)
		*own++ = '\0';
	cgroup_host_parse(text, own, &host);
	for (size_t i = 0; i < host.count; i++)
		if (!host.items[i].mount || !host.items[i].own)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = size ? str_ndup((const char *)data + 1, size - 1) : NULL;

	if (!text)
		return 0;
	if (data[0] == 'd')
		check_device(text);
	else if (data[0] == 's')
		check_sysctl(text);
	else if (data[0] == 'v')
		check_lent(text);
	else if (data[0] == 'h')
		check_host(text);
	else
		check_numbers(text);
	return 0;
}
