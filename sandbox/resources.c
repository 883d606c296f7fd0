/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for limits as values: what the options say, and what is said of them. */
#include "sandbox/resources.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/mem.h"
#include "common/size.h"

#define PERIOD_DEFAULT_US 100000
#define PERIOD_MIN_US     1000
#define PERIOD_MAX_US     1000000
#define QUOTA_MIN_US      1000
#define CPUS_MAX          1e6
#define MEMORY_MIN_BYTES  (UINT64_C(512) * 1024)
#define PIDS_MAX          (UINT64_C(1) << 22)
#define MAJOR_MAX         ((INT64_C(1) << 12) - 1)
#define MINOR_MAX         ((INT64_C(1) << 20) - 1)

void resources_release(struct resources *resources)
{
	free(resources->cpus);
	free(resources->memory_nodes);
	free(resources->parent);
	free(resources->rates);
	free(resources->devices);
	*resources = (struct resources){ .rates = NULL };
}

void resources_copy(struct resources *to, const struct resources *from)
{
	resources_release(to);
	*to = *from;
	to->cpus = str_dup(from->cpus);
	to->memory_nodes = str_dup(from->memory_nodes);
	to->parent = str_dup(from->parent);
	to->rates = mem_dup(from->rates, from->rate_count * sizeof(from->rates[0]));
	to->devices = mem_dup(from->devices, from->device_count * sizeof(from->devices[0]));
}

void resources_add_device(struct resources *resources, const struct resource_device *device)
{
	size_t count = resources->device_count++;

	resources->devices =
		mem_resize(resources->devices, count + 1, sizeof(resources->devices[0]));
	resources->devices[count] = *device;
}

void resources_confine_devices(struct resources *resources)
{
	static const struct resource_device always[] = {
		/* a node that nobody can open does no harm, and packages bring them */
		{ 'a', -1, -1, false, false, true }, { 'c', 1, 3, true, true, true }, /* null */
		{ 'c', 1, 5, true, true, true },                                      /* zero */
		{ 'c', 1, 7, true, true, true },                                      /* full */
		{ 'c', 1, 8, true, true, true },                                      /* random */
		{ 'c', 1, 9, true, true, true },                                      /* urandom */
		{ 'c', 5, 0, true, true, true },                                      /* tty */
		{ 'c', 5, 1, true, true, true },                                      /* console */
		{ 'c', 5, 2, true, true, true },                                      /* ptmx */
		{ 'c', 136, -1, true, true, true },                                   /* pts */
	};

	if (resources->confines_devices)
		return;
	resources->confines_devices = true;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		resources_add_device(resources, &always[i]);
}

bool resources_any(const struct resources *resources)
{
	return resources->memory_bytes || resources->swap_total_bytes ||
	       resources->reservation_bytes || resources->cpu_period_us ||
	       resources->cpu_quota_us || resources->cpu_shares || resources->pids ||
	       resources->io_weight || resources->cpus || resources->memory_nodes ||
	       resources->rate_count > 0 || resources->confines_devices || resources->are_shown;
}

/* ---- devices ---- */

static void format_number(int64_t number, char *buf, size_t size)
{
	if (number < 0)
		snprintf(buf, size, "*");
	else
		snprintf(buf, size, "%" PRId64, number);
}

const char *resource_device_format(const struct resource_device *device, char *buf)
{
	char major_text[16];
	char minor_text[16];

	format_number(device->major, major_text, sizeof(major_text));
	format_number(device->minor, minor_text, sizeof(minor_text));
	snprintf(buf, RESOURCE_DEVICE_TEXT, "%c %s:%s %s%s%s", device->type, major_text, minor_text,
		 device->reads ? "r" : "", device->writes ? "w" : "", device->makes ? "m" : "");
	return buf;
}

static bool parse_device_number(const char **at, int64_t max, int64_t *out)
{
	char *end;

	if (**at == '*') {
		*out = -1;
		(*at)++;
		return true;
	}
	errno = 0;
	*out = strtoll(*at, &end, 10);
	if (errno != 0 || **at < '0' || **at > '9' || *out > max)
		return false;
	*at = end;
	return true;
}

static bool parse_access(const char *at, struct resource_device *out)
{
	if (!*at)
		return false;
	for (; *at; at++) {
		out->reads |= *at == 'r';
		out->writes |= *at == 'w';
		out->makes |= *at == 'm';
		if (!strchr("rwm", *at))
			return false;
	}
	return true;
}

int resource_device_parse(const char *text, struct resource_device *out, struct err *err)
{
	struct resource_device device = { .type = text[0] };
	const char *at = text + 2;

	if (text[0] && strchr("abc", text[0]) && text[1] == ' ' &&
	    parse_device_number(&at, MAJOR_MAX, &device.major) && *at++ == ':' &&
	    parse_device_number(&at, MINOR_MAX, &device.minor) && *at++ == ' ' &&
	    parse_access(at, &device)) {
		*out = device;
		return 0;
	}
	return err_set(err, ERR_USAGE,
		       "'%s' is no rule for devices: TYPE MAJOR:MINOR ACCESS, as in \"c 1:3 rwm\"",
		       text);
}

/* ---- numbers ---- */

static int parse_whole(const char *text, uint64_t *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *end)
		return err_set(err, ERR_USAGE, "'%s' is no whole number", text);
	return 0;
}

static int parse_within(const char *text, uint64_t min, uint64_t max, uint64_t *out,
			struct err *err)
{
	if (parse_whole(text, out, err) < 0)
		return -1;
	if (*out < min || *out > max)
		return err_set(err, ERR_USAGE, "'%s' is not within %" PRIu64 " and %" PRIu64, text,
			       min, max);
	return 0;
}

static int parse_bytes(const char *text, uint64_t *out, struct err *err)
{
	if (size_parse(text, out, err) == 0)
		return 0;
	err->kind = ERR_USAGE;
	return -1;
}

static int take_memory(const char *text, struct resources *out, struct err *err)
{
	if (parse_bytes(text, &out->memory_bytes, err) < 0)
		return -1;
	if (out->memory_bytes < MEMORY_MIN_BYTES)
		return err_set(err, ERR_USAGE, "'%s' is less than any process needs (512k)", text);
	return 0;
}

static int take_swap(const char *text, struct resources *out, struct err *err)
{
	uint64_t bytes = 0;

	if (strcmp(text, "-1") == 0) {
		out->swap_total_bytes = -1;
		return 0;
	}
	if (parse_bytes(text, &bytes, err) < 0)
		return -1;
	if (!out->memory_bytes)
		return err_set(err, ERR_USAGE, "it is memory and swap together: give --memory too");
	if (bytes < out->memory_bytes)
		return err_set(err, ERR_USAGE,
			       "'%s' is memory and swap together, and less than --memory", text);
	out->swap_total_bytes = (int64_t)bytes;
	return 0;
}

static int take_reservation(const char *text, struct resources *out, struct err *err)
{
	if (parse_bytes(text, &out->reservation_bytes, err) < 0)
		return -1;
	if (out->memory_bytes && out->reservation_bytes > out->memory_bytes)
		return err_set(err, ERR_USAGE, "'%s' is more than --memory", text);
	return 0;
}

static int take_period(const char *text, struct resources *out, struct err *err)
{
	return parse_within(text, PERIOD_MIN_US, PERIOD_MAX_US, &out->cpu_period_us, err);
}

static int take_quota(const char *text, struct resources *out, struct err *err)
{
	if (strcmp(text, "-1") == 0)
		return 0;
	return parse_within(text, QUOTA_MIN_US, UINT64_MAX / 2, &out->cpu_quota_us, err);
}

static int take_cpus(const char *text, struct resources *out, struct err *err)
{
	char *end;
	double cpus = strtod(text, &end);

	if (text[0] < '0' || text[0] > '9' || *end || cpus < 0.01 || cpus > CPUS_MAX)
		return err_set(err, ERR_USAGE, "'%s' is no number of processors, as in 1.5", text);
	if (out->cpu_period_us || out->cpu_quota_us)
		return err_set(err, ERR_USAGE,
			       "it says the same as --cpu-period and --cpu-quota: give either");
	out->cpu_period_us = PERIOD_DEFAULT_US;
	out->cpu_quota_us = (uint64_t)(cpus * PERIOD_DEFAULT_US + 0.5);
	return 0;
}

static int take_shares(const char *text, struct resources *out, struct err *err)
{
	return parse_within(text, 2, 262144, &out->cpu_shares, err);
}

static int take_pids(const char *text, struct resources *out, struct err *err)
{
	if (strcmp(text, "-1") == 0)
		return 0;
	return parse_within(text, 1, PIDS_MAX, &out->pids, err);
}

static int take_weight(const char *text, struct resources *out, struct err *err)
{
	return parse_within(text, 10, 1000, &out->io_weight, err);
}

/* "0-2,5": whether the machine has them, the kernel says. */
static int take_list(const char *text, char **out, struct err *err)
{
	const char *at = text;

	while (*at >= '0' && *at <= '9') {
		at += strspn(at, "0123456789");
		if (*at == '-' && at[1] >= '0' && at[1] <= '9')
			at += 1 + strspn(at + 1, "0123456789");
		if (*at == '\0') {
			free(*out);
			*out = str_dup(text);
			return 0;
		}
		if (*at++ != ',')
			break;
	}
	return err_set(err, ERR_USAGE, "'%s' is no list of numbers, as in 0-2,5", text);
}

static int take_cpuset(const char *text, struct resources *out, struct err *err)
{
	return take_list(text, &out->cpus, err);
}

static int take_nodes(const char *text, struct resources *out, struct err *err)
{
	return take_list(text, &out->memory_nodes, err);
}

static int take_parent(const char *text, struct resources *out, struct err *err)
{
	if (!text[strspn(text, "/")] || strstr(text, ".."))
		return err_set(err, ERR_USAGE, "'%s' is no path of a cgroup, as in /builds", text);
	free(out->parent);
	out->parent = str_dup(text + strspn(text, "/"));
	return 0;
}

/* ---- rates ---- */

static int take_rate(const char *text, enum resource_rate_kind kind, struct resources *out,
		     struct err *err)
{
	const bool in_bytes = kind == RESOURCE_READ_BYTES || kind == RESOURCE_WRITE_BYTES;
	const char *colon = strrchr(text, ':');
	auto_free char *path = str_ndup(text, colon ? (size_t)(colon - text) : 0);
	struct resource_rate rate = { .kind = kind };
	struct stat st;

	if (!colon || text[0] != '/')
		return err_set(err, ERR_USAGE, "'%s' is not DEVICE:%s", text,
			       in_bytes ? "SIZE" : "NUMBER");
	if ((in_bytes ? parse_bytes(colon + 1, &rate.per_second, err)
		      : parse_whole(colon + 1, &rate.per_second, err)) < 0)
		return -1;
	if (rate.per_second == 0)
		return err_set(err, ERR_USAGE, "'%s' is nothing at all", text);
	if (stat(path, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	if (!S_ISBLK(st.st_mode))
		return err_set(err, ERR_USAGE, "'%s' is no block device", path);
	rate.major = major(st.st_rdev);
	rate.minor = minor(st.st_rdev);
	out->rates = mem_resize(out->rates, out->rate_count + 1, sizeof(out->rates[0]));
	out->rates[out->rate_count++] = rate;
	return 0;
}

static int take_rates(const struct resource_texts *texts, struct resources *out, struct err *err)
{
	const struct {
		const char *option;
		const struct strlist *list;
		enum resource_rate_kind kind;
	} rows[] = {
		{ "device-read-bps", &texts->read_bytes, RESOURCE_READ_BYTES },
		{ "device-write-bps", &texts->write_bytes, RESOURCE_WRITE_BYTES },
		{ "device-read-iops", &texts->read_operations, RESOURCE_READ_OPERATIONS },
		{ "device-write-iops", &texts->write_operations, RESOURCE_WRITE_OPERATIONS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; k < rows[i].list->count; k++)
			if (take_rate(rows[i].list->items[k], rows[i].kind, out, err) < 0)
				return err_prefix(err, "--%s", rows[i].option);
	return 0;
}

static int take_rules(const struct strlist *texts, struct resources *out, struct err *err)
{
	for (size_t i = 0; i < texts->count; i++) {
		struct resource_device device;

		if (resource_device_parse(texts->items[i], &device, err) < 0)
			return err_prefix(err, "--device-cgroup-rule");
		resources_confine_devices(out);
		resources_add_device(out, &device);
	}
	return 0;
}

/* ---- all together ---- */

void resource_texts_release(struct resource_texts *texts)
{
	strlist_release(&texts->read_bytes);
	strlist_release(&texts->write_bytes);
	strlist_release(&texts->read_operations);
	strlist_release(&texts->write_operations);
	strlist_release(&texts->device_rules);
}

int resources_parse(const struct resource_texts *texts, struct resources *out, struct err *err)
{
	/* in this order: some are held against those before them */
	const struct {
		const char *option;
		const char *text;
		int (*take)(const char *text, struct resources *out, struct err *err);
	} rows[] = {
		{ "memory", texts->memory, take_memory },
		{ "memory-swap", texts->memory_swap, take_swap },
		{ "memory-reservation", texts->memory_reservation, take_reservation },
		{ "cpu-period", texts->cpu_period, take_period },
		{ "cpu-quota", texts->cpu_quota, take_quota },
		{ "cpus", texts->cpus, take_cpus },
		{ "cpu-shares", texts->cpu_shares, take_shares },
		{ "cpuset-cpus", texts->cpuset_cpus, take_cpuset },
		{ "cpuset-mems", texts->cpuset_mems, take_nodes },
		{ "pids-limit", texts->pids_limit, take_pids },
		{ "blkio-weight", texts->blkio_weight, take_weight },
		{ "cgroup-parent", texts->cgroup_parent, take_parent },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].text && rows[i].take(rows[i].text, out, err) < 0)
			return err_prefix(err, "--%s", rows[i].option);
	if (take_rates(texts, out, err) < 0)
		return -1;
	return take_rules(&texts->device_rules, out, err);
}

/* ---- printing ---- */

static void print_rates(const struct resources *resources, struct strbuf *out)
{
	static const char *const names[] = {
		[RESOURCE_READ_BYTES] = "read-bytes",
		[RESOURCE_WRITE_BYTES] = "write-bytes",
		[RESOURCE_READ_OPERATIONS] = "reads",
		[RESOURCE_WRITE_OPERATIONS] = "writes",
	};

	for (size_t i = 0; i < resources->rate_count; i++) {
		const struct resource_rate *rate = &resources->rates[i];

		strbuf_printf(out, "limit %s %u:%u %" PRIu64 "\n", names[rate->kind], rate->major,
			      rate->minor, rate->per_second);
	}
}

void resources_print(const struct resources *resources, struct strbuf *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "memory", resources->memory_bytes },
		{ "memory-reservation", resources->reservation_bytes },
		{ "cpu-period", resources->cpu_period_us },
		{ "cpu-quota", resources->cpu_quota_us },
		{ "cpu-shares", resources->cpu_shares },
		{ "pids", resources->pids },
		{ "io-weight", resources->io_weight },
	};
	char text[RESOURCE_DEVICE_TEXT];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].value)
			strbuf_printf(out, "limit %s %" PRIu64 "\n", numbers[i].name,
				      numbers[i].value);
	if (resources->swap_total_bytes)
		strbuf_printf(out, "limit memory-and-swap %" PRId64 "\n",
			      resources->swap_total_bytes);
	if (resources->cpus)
		strbuf_printf(out, "limit cpus %s\n", resources->cpus);
	if (resources->memory_nodes)
		strbuf_printf(out, "limit memory-nodes %s\n", resources->memory_nodes);
	print_rates(resources, out);
	if (resources->are_shown)
		strbuf_puts(out, "limits-in-proc\n");
	for (size_t i = 0; resources->confines_devices && i < resources->device_count; i++)
		strbuf_printf(out, "device %s\n",
			      resource_device_format(&resources->devices[i], text));
}
