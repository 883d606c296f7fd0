/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_PROCTEXT_H
#define FUSE_OVERLAY_PROCTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/strbuf.h"

/*
 * Files of /proc as they look to a container that has limits: the host's own, with what
 * the container is given and has used in the places of what the host has. Lines that
 * speak of neither are the host's.
 */

#define PROCTEXT_UNKNOWN UINT64_MAX /* no limit; or nobody counts */

struct proctext_memory {
	uint64_t limit_bytes;
	uint64_t used_bytes; /* with what is cached of files */
	uint64_t swap_limit_bytes;
	uint64_t swap_used_bytes;
	uint64_t active_anon, inactive_anon, active_file, inactive_file, unevictable;
	uint64_t cached, anon, mapped, shared, dirty, writeback;
	uint64_t slab_reclaimable, slab_unreclaimable;
};
void proctext_meminfo(const char *host, const struct proctext_memory *memory, struct strbuf *out);

#define PROCTEXT_CPUS_MAX 8192
struct proctext_cpus {
	uint64_t bits[PROCTEXT_CPUS_MAX / 64];
};
static inline bool proctext_has_cpu(const struct proctext_cpus *cpus, unsigned cpu)
{
	return cpu < PROCTEXT_CPUS_MAX && (cpus->bits[cpu / 64] >> (cpu % 64) & 1);
}
static inline void proctext_add_cpu(struct proctext_cpus *cpus, unsigned cpu)
{
	if (cpu < PROCTEXT_CPUS_MAX)
		cpus->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}
unsigned proctext_count_cpus(const struct proctext_cpus *cpus);
/* "0-2,5\n", as cpuset files have it; false: it is none. */
bool proctext_parse_cpus(const char *text, struct proctext_cpus *out);
/* Leave the first @count of them. */
void proctext_limit_cpus(struct proctext_cpus *cpus, unsigned count);

/* The processors of @cpus, numbered from 0. */
void proctext_cpuinfo(const char *host, const struct proctext_cpus *cpus, struct strbuf *out);

struct proctext_threads {
	unsigned running; /* or ready to run */
	unsigned blocked; /* waiting for a disk */
	unsigned total;
	int64_t last; /* the highest number, as the container has it */
};

struct proctext_times {
	uint64_t up;     /* hundredths of a second since it began, */
	int64_t began_s; /* which was then, by the clock */
	bool has_used;   /* else processors' times are the host's */
	uint64_t user, system;
};
void proctext_stat(const char *host, const struct proctext_cpus *cpus,
		   const struct proctext_times *times, const struct proctext_threads *threads,
		   struct strbuf *out);
void proctext_uptime(const struct proctext_cpus *cpus, const struct proctext_times *times,
		     struct strbuf *out);

/* Means over 1, 5 and 15 minutes, brought up to date every PROCTEXT_LOAD_MS. */
struct proctext_load {
	double means[3];
};
#define PROCTEXT_LOAD_MS 5000
void proctext_load_add(struct proctext_load *load, const struct proctext_threads *threads);
void proctext_loadavg(const struct proctext_load *load, const struct proctext_threads *threads,
		      struct strbuf *out);

#endif
