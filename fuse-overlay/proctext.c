/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the texts alone: who reads the host's, and counts, is procview.c and group.c. */
#include "fuse-overlay/proctext.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB   UINT64_C(1024)
#define TICKS 100 /* of a second, in all these files */

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What is left of @whole. */
static uint64_t without(uint64_t whole, uint64_t part)
{
	return part < whole ? whole - part : 0;
}

/* The line at @at without its end; *out_len: its length. NULL behind the last one. */
static const char *next_line(const char **at, size_t *out_len)
{
	const char *line = *at;

	if (!*line)
		return NULL;
	*out_len = strcspn(line, "\n");
	*at = line + *out_len + (line[*out_len] == '\n');
	return line;
}

static void put_line(struct strbuf *out, const char *line, size_t len)
{
	strbuf_add(out, line, len);
	strbuf_putc(out, '\n');
}

/* ---- memory ---- */

/* What the host has, by the line that begins so; 0: it does not say. */
static uint64_t host_bytes(const char *host, const char *name)
{
	const char *line;
	size_t len;

	while ((line = next_line(&host, &len)))
		if (strncmp(line, name, strlen(name)) == 0)
			return smaller(strtoull(line + strlen(name), NULL, 10), UINT64_MAX / KIB) *
			       KIB;
	return 0;
}

struct memory_line {
	const char *name;
	uint64_t bytes;
};

static void put_memory(struct strbuf *out, const char *line, size_t len,
		       const struct memory_line *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t name_len = strlen(rows[i].name);

		if (len > name_len && strncmp(line, rows[i].name, name_len) == 0 &&
		    line[name_len] == ':') {
			strbuf_printf(out, "%s:%*s%8" PRIu64 " kB\n", rows[i].name,
				      name_len < 15 ? (int)(15 - name_len) : 0, "",
				      rows[i].bytes / KIB);
			return;
		}
	}
	put_line(out, line, len);
}

void proctext_meminfo(const char *host, const struct proctext_memory *memory, struct strbuf *out)
{
	const uint64_t total = smaller(host_bytes(host, "MemTotal:"), memory->limit_bytes);
	const uint64_t used = smaller(memory->used_bytes, total);
	const uint64_t files = memory->active_file + memory->inactive_file;
	const uint64_t available = smaller(total - used + files + memory->slab_reclaimable, total);
	const uint64_t swap = smaller(host_bytes(host, "SwapTotal:"), memory->swap_limit_bytes);
	const struct memory_line rows[] = {
		{ "MemTotal", total },
		{ "MemFree", total - used },
		{ "MemAvailable", available },
		{ "Buffers", 0 },
		{ "Cached", memory->cached },
		{ "SwapCached", 0 },
		{ "Active", memory->active_anon + memory->active_file },
		{ "Inactive", memory->inactive_anon + memory->inactive_file },
		{ "Active(anon)", memory->active_anon },
		{ "Inactive(anon)", memory->inactive_anon },
		{ "Active(file)", memory->active_file },
		{ "Inactive(file)", memory->inactive_file },
		{ "Unevictable", memory->unevictable },
		{ "Mlocked", 0 },
		{ "SwapTotal", swap },
		{ "SwapFree", without(swap, memory->swap_used_bytes) },
		{ "Dirty", memory->dirty },
		{ "Writeback", memory->writeback },
		{ "AnonPages", memory->anon },
		{ "Mapped", memory->mapped },
		{ "Shmem", memory->shared },
		{ "KReclaimable", memory->slab_reclaimable },
		{ "Slab", memory->slab_reclaimable + memory->slab_unreclaimable },
		{ "SReclaimable", memory->slab_reclaimable },
		{ "SUnreclaim", memory->slab_unreclaimable },
	};
	const char *line;
	size_t len;

	while ((line = next_line(&host, &len))) {
		if (memory->used_bytes == PROCTEXT_UNKNOWN)
			put_line(out, line, len);
		else
			put_memory(out, line, len, rows, sizeof(rows) / sizeof(rows[0]));
	}
}

/* ---- processors ---- */

unsigned proctext_count_cpus(const struct proctext_cpus *cpus)
{
	unsigned count = 0;

	for (size_t i = 0; i < PROCTEXT_CPUS_MAX / 64; i++)
		count += (unsigned)__builtin_popcountll(cpus->bits[i]);
	return count;
}

bool proctext_parse_cpus(const char *text, struct proctext_cpus *out)
{
	struct proctext_cpus cpus = { .bits = { 0 } };

	for (;;) {
		char *end;
		unsigned long first, last;

		if (*text < '0' || *text > '9')
			return false;
		first = last = strtoul(text, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last >= PROCTEXT_CPUS_MAX)
			return false;
		for (unsigned long i = first; i <= last; i++)
			proctext_add_cpu(&cpus, (unsigned)i);
		if (*end == '\0' || (*end == '\n' && end[1] == '\0'))
			break;
		if (*end != ',')
			return false;
		text = end + 1;
	}
	*out = cpus;
	return true;
}

void proctext_limit_cpus(struct proctext_cpus *cpus, unsigned count)
{
	for (unsigned i = 0; i < PROCTEXT_CPUS_MAX; i++) {
		if (!proctext_has_cpu(cpus, i))
			continue;
		if (count > 0)
			count--;
		else
			cpus->bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
	}
}

/* "NAME<blanks>: NUMBER" */
static bool is_processor(const char *line, size_t len, unsigned *out)
{
	static const char name[] = "processor";
	const char *at = line + strlen(name);

	if (len < strlen(name) || strncmp(line, name, strlen(name)) != 0)
		return false;
	at += strspn(at, " \t");
	if (*at != ':')
		return false;
	at += 1 + strspn(at + 1, " \t");
	if (*at < '0' || *at > '9')
		return false;
	*out = (unsigned)strtoul(at, NULL, 10);
	return true;
}

void proctext_cpuinfo(const char *host, const struct proctext_cpus *cpus, struct strbuf *out)
{
	bool is_shown = true;
	unsigned next = 0;
	const char *line;
	size_t len;

	while ((line = next_line(&host, &len))) {
		unsigned number;

		if (is_processor(line, len, &number)) {
			is_shown = proctext_has_cpu(cpus, number);
			if (is_shown)
				strbuf_printf(out, "processor\t: %u\n", next++);
			continue;
		}
		if (is_shown)
			put_line(out, line, len);
		/* the blank line ends a processor; some have lines for all behind the last */
		if (len == 0)
			is_shown = true;
	}
}

/* ---- times ---- */

static uint64_t idle_of(const struct proctext_times *times, unsigned cpus)
{
	return without(times->up * cpus, times->user + times->system);
}

static void put_cpu(struct strbuf *out, const char *name, uint64_t user, uint64_t system,
		    uint64_t idle)
{
	strbuf_printf(out, "%s %" PRIu64 " 0 %" PRIu64 " %" PRIu64 " 0 0 0 0 0 0\n", name, user,
		      system, idle);
}

/* All are alike: who used which is not counted everywhere, and a quota belongs to none of them. */
static void put_cpus_used(struct strbuf *out, const struct proctext_times *times, unsigned count)
{
	const uint64_t n = count ? count : 1;

	put_cpu(out, "cpu ", times->user, times->system, idle_of(times, count));
	for (unsigned i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cpu%u", i);
		put_cpu(out, name, times->user / n, times->system / n, idle_of(times, count) / n);
	}
}

static bool starts(const char *line, size_t len, const char *name)
{
	return len > strlen(name) && strncmp(line, name, strlen(name)) == 0 &&
	       line[strlen(name)] == ' ';
}

static bool is_cpu(const char *line, size_t len)
{
	return len > 3 && strncmp(line, "cpu", 3) == 0 &&
	       (line[3] == ' ' || (line[3] >= '0' && line[3] <= '9'));
}

/* The host's line of one processor, with another number. */
static void put_host_cpu(struct strbuf *out, const char *line, size_t len,
			 const struct proctext_cpus *cpus, unsigned *next)
{
	char *end;
	unsigned long number;

	if (line[3] == ' ') {
		put_line(out, line, len);
		return;
	}
	number = strtoul(line + 3, &end, 10);
	if (number >= PROCTEXT_CPUS_MAX || !proctext_has_cpu(cpus, (unsigned)number))
		return;
	strbuf_printf(out, "cpu%u", (*next)++);
	put_line(out, end, len - (size_t)(end - line));
}

void proctext_stat(const char *host, const struct proctext_cpus *cpus,
		   const struct proctext_times *times, const struct proctext_threads *threads,
		   struct strbuf *out)
{
	unsigned next = 0;
	const char *line;
	size_t len;

	if (times->has_used)
		put_cpus_used(out, times, proctext_count_cpus(cpus));
	while ((line = next_line(&host, &len))) {
		if (is_cpu(line, len)) {
			if (!times->has_used)
				put_host_cpu(out, line, len, cpus, &next);
		} else if (starts(line, len, "btime")) {
			strbuf_printf(out, "btime %" PRId64 "\n", times->began_s);
		} else if (starts(line, len, "procs_running")) {
			strbuf_printf(out, "procs_running %u\n", threads->running);
		} else if (starts(line, len, "procs_blocked")) {
			strbuf_printf(out, "procs_blocked %u\n", threads->blocked);
		} else {
			put_line(out, line, len);
		}
	}
}

static void put_seconds(struct strbuf *out, uint64_t ticks, char end)
{
	strbuf_printf(out, "%" PRIu64 ".%02u%c", ticks / TICKS, (unsigned)(ticks % TICKS), end);
}

void proctext_uptime(const struct proctext_cpus *cpus, const struct proctext_times *times,
		     struct strbuf *out)
{
	put_seconds(out, times->up, ' ');
	put_seconds(out, idle_of(times, proctext_count_cpus(cpus)), '\n');
}

/* ---- load ---- */

/* e^(-5/60), e^(-5/300), e^(-5/900): what is left of a mean after one more time. */
static const double decays[3] = { 0.9200444146293233, 0.9834714538216174, 0.9944598480048967 };

void proctext_load_add(struct proctext_load *load, const struct proctext_threads *threads)
{
	const double now = (double)threads->running + threads->blocked;

	for (size_t i = 0; i < 3; i++)
		load->means[i] = load->means[i] * decays[i] + now * (1 - decays[i]);
}

void proctext_loadavg(const struct proctext_load *load, const struct proctext_threads *threads,
		      struct strbuf *out)
{
	strbuf_printf(out, "%.2f %.2f %.2f %u/%u %" PRId64 "\n", load->means[0], load->means[1],
		      load->means[2], threads->running, threads->total, threads->last);
}
