/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which file of a control group says what. A limit of a group above counts too: version
 * 1 sums up those of memory itself, for all others we look upwards as long as there is such a file.
 */
#include "fuse-overlay/group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

#define FILE_MAX_BYTES 16384
#define HEIGHT_MAX     32
/* more are counted, but not asked what they do */
#define THREADS_MAX 4096

int group_open(struct group *group, char *const *paths, size_t count)
{
	*group = (struct group){ .fds = mem_array(count + 1, sizeof(int)) };
	for (size_t i = 0; i < count; i++) {
		int fd = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0) {
			int reason = errno;

			group_close(group);
			return -reason;
		}
		group->fds[group->count++] = fd;
	}
	return 0;
}

void group_close(struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		close(group->fds[i]);
	free(group->fds);
	*group = (struct group){ .fds = NULL };
}

/* ---- files ---- */

/* @text has FILE_MAX_BYTES. */
static bool read_at(int dir_fd, const char *name, char *text)
{
	return fd_read_text(dir_fd, name, text, FILE_MAX_BYTES);
}

/* The directory that has it, or -1. */
static int find(const struct group *group, const char *name)
{
	for (size_t i = 0; i < group->count; i++)
		if (faccessat(group->fds[i], name, R_OK, 0) == 0)
			return group->fds[i];
	return -1;
}

static bool read_first(const struct group *group, const char *name, char *text)
{
	int fd = find(group, name);

	return fd >= 0 && read_at(fd, name, text);
}

/* "max" and what is no number are PROCTEXT_UNKNOWN. */
static uint64_t number_of(const char *text)
{
	return *text >= '0' && *text <= '9' ? strtoull(text, NULL, 10) : PROCTEXT_UNKNOWN;
}

static uint64_t read_number(const struct group *group, const char *name)
{
	char text[FILE_MAX_BYTES];

	return read_first(group, name, text) ? number_of(text) : PROCTEXT_UNKNOWN;
}

/* "name value" lines. */
static uint64_t value_in(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, name, len) == 0 && at[len] == ' ')
			return number_of(at + len + 1);
	return PROCTEXT_UNKNOWN;
}

/* From the group to the top: the smallest that @value finds in the file of each. */
static uint64_t smallest(const struct group *group, const char *name,
			 uint64_t (*value)(int dir_fd, const char *text))
{
	char text[FILE_MAX_BYTES];
	int fd = find(group, name);
	uint64_t result = PROCTEXT_UNKNOWN;
	auto_close int at = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	for (int i = 0; at >= 0 && i < HEIGHT_MAX && read_at(at, name, text); i++) {
		uint64_t one = value(at, text);
		int above = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (one < result)
			result = one;
		close(at);
		at = above;
	}
	return result;
}

/* ---- memory ---- */

struct memory_row {
	const char *name;
	size_t offset;
};
#define ROW(name, field)                                      \
	{                                                     \
		name, offsetof(struct proctext_memory, field) \
	}

static const struct memory_row v1_rows[] = {
	ROW("total_active_anon", active_anon),
	ROW("total_inactive_anon", inactive_anon),
	ROW("total_active_file", active_file),
	ROW("total_inactive_file", inactive_file),
	ROW("total_unevictable", unevictable),
	ROW("total_cache", cached),
	ROW("total_rss", anon),
	ROW("total_mapped_file", mapped),
	ROW("total_shmem", shared),
	ROW("total_dirty", dirty),
	ROW("total_writeback", writeback),
};
static const struct memory_row v2_rows[] = {
	ROW("active_anon", active_anon),
	ROW("inactive_anon", inactive_anon),
	ROW("active_file", active_file),
	ROW("inactive_file", inactive_file),
	ROW("unevictable", unevictable),
	ROW("file", cached),
	ROW("anon", anon),
	ROW("file_mapped", mapped),
	ROW("shmem", shared),
	ROW("file_dirty", dirty),
	ROW("file_writeback", writeback),
	ROW("slab_reclaimable", slab_reclaimable),
	ROW("slab_unreclaimable", slab_unreclaimable),
};

static void take_rows(const char *text, const struct memory_row *rows, size_t count,
		      struct proctext_memory *out)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = value_in(text, rows[i].name);

		if (value != PROCTEXT_UNKNOWN)
			*(uint64_t *)((char *)out + rows[i].offset) = value;
	}
}

static uint64_t limit_of(int dir_fd, const char *text)
{
	(void)dir_fd;
	return number_of(text);
}

static void memory_v2(const struct group *group, const char *stat, struct proctext_memory *out)
{
	out->used_bytes = read_number(group, "memory.current");
	out->limit_bytes = smallest(group, "memory.max", limit_of);
	out->swap_limit_bytes = smallest(group, "memory.swap.max", limit_of);
	out->swap_used_bytes = read_number(group, "memory.swap.current");
	take_rows(stat, v2_rows, sizeof(v2_rows) / sizeof(v2_rows[0]), out);
}

/* Memory and swap have one limit together here. */
static void memory_v1(const struct group *group, const char *stat, struct proctext_memory *out)
{
	uint64_t both = value_in(stat, "hierarchical_memsw_limit");

	out->used_bytes = read_number(group, "memory.usage_in_bytes");
	out->limit_bytes = value_in(stat, "hierarchical_memory_limit");
	out->swap_used_bytes = value_in(stat, "total_swap");
	if (both != PROCTEXT_UNKNOWN && out->limit_bytes <= both)
		out->swap_limit_bytes = both - out->limit_bytes;
	/* no limit is all that can be numbered, and all but nothing remains of it */
	if (out->limit_bytes > (uint64_t)INT64_MAX - (1U << 20))
		out->swap_limit_bytes = PROCTEXT_UNKNOWN;
	take_rows(stat, v1_rows, sizeof(v1_rows) / sizeof(v1_rows[0]), out);
}

void group_memory(const struct group *group, struct proctext_memory *out)
{
	char stat[FILE_MAX_BYTES];

	*out = (struct proctext_memory){ .limit_bytes = PROCTEXT_UNKNOWN,
					 .used_bytes = PROCTEXT_UNKNOWN,
					 .swap_limit_bytes = PROCTEXT_UNKNOWN };
	if (!read_first(group, "memory.stat", stat))
		return;
	if (find(group, "memory.current") >= 0)
		memory_v2(group, stat, out);
	else
		memory_v1(group, stat, out);
	if (out->swap_used_bytes == PROCTEXT_UNKNOWN)
		out->swap_used_bytes = 0;
}

/* ---- processors ---- */

bool group_cpu_used(const struct group *group, uint64_t *out_user, uint64_t *out_system)
{
	const uint64_t us_per_tick = 10000;
	char text[FILE_MAX_BYTES];
	uint64_t user, system;

	if (read_first(group, "cpuacct.stat", text)) {
		user = value_in(text, "user");
		system = value_in(text, "system");
	} else if (read_first(group, "cpu.stat", text)) {
		user = value_in(text, "user_usec");
		system = value_in(text, "system_usec");
		if (user == PROCTEXT_UNKNOWN || system == PROCTEXT_UNKNOWN)
			return false;
		user /= us_per_tick;
		system /= us_per_tick;
	} else {
		return false;
	}
	if (user == PROCTEXT_UNKNOWN || system == PROCTEXT_UNKNOWN)
		return false;
	*out_user = user;
	*out_system = system;
	return true;
}

static uint64_t rounded_up(uint64_t quota, uint64_t period)
{
	if (quota == PROCTEXT_UNKNOWN || period == PROCTEXT_UNKNOWN || period == 0)
		return PROCTEXT_UNKNOWN;
	return quota / period + (quota % period > 0);
}

/* "QUOTA PERIOD" */
static uint64_t quota_v2(int dir_fd, const char *text)
{
	const char *space = strchr(text, ' ');

	(void)dir_fd;
	return space ? rounded_up(number_of(text), number_of(space + 1)) : PROCTEXT_UNKNOWN;
}

/* "-1" is none. */
static uint64_t quota_v1(int dir_fd, const char *text)
{
	char period[FILE_MAX_BYTES];

	if (!read_at(dir_fd, "cpu.cfs_period_us", period))
		return PROCTEXT_UNKNOWN;
	return rounded_up(number_of(text), number_of(period));
}

unsigned group_cpu_quota(const struct group *group)
{
	uint64_t one = smallest(group, "cpu.max", quota_v2);
	uint64_t other = smallest(group, "cpu.cfs_quota_us", quota_v1);
	uint64_t result = one < other ? one : other;

	return result > PROCTEXT_CPUS_MAX ? 0 : (unsigned)result;
}

void group_cpus(const struct group *group, struct proctext_cpus *cpus)
{
	char text[FILE_MAX_BYTES];
	struct proctext_cpus own;

	if (!read_first(group, "cpuset.cpus.effective", text) &&
	    !read_first(group, "cpuset.effective_cpus", text) &&
	    !read_first(group, "cpuset.cpus", text))
		return;
	if (!proctext_parse_cpus(text, &own))
		return;
	for (size_t i = 0; i < PROCTEXT_CPUS_MAX / 64; i++)
		cpus->bits[i] &= own.bits[i];
}

/* ---- threads ---- */

/* "PID (NAME) STATE …": a name may have anything in it. */
static void count_state(long tid, struct proctext_threads *out)
{
	char path[48];
	char text[FILE_MAX_BYTES];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%ld/stat", tid);
	if (!read_at(AT_FDCWD, path, text))
		return;
	end = strrchr(text, ')');
	if (!end || end[1] != ' ')
		return;
	out->running += end[2] == 'R';
	out->blocked += end[2] == 'D';
}

/* Its number where it is deepest: "NSpid:\t100\t7". */
static int64_t inner_number(long tid)
{
	char path[48];
	char text[FILE_MAX_BYTES];
	const char *line, *end;

	snprintf(path, sizeof(path), "/proc/%ld/status", tid);
	if (!read_at(AT_FDCWD, path, text))
		return 0;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return 0;
	end = line + 1 + strcspn(line + 1, "\n");
	while (end > line && end[-1] != '\t')
		end--;
	return strtoll(end, NULL, 10);
}

static FILE *open_threads(const struct group *group)
{
	static const char *const names[] = { "cgroup.threads", "tasks" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int dir_fd = find(group, names[i]);
		int fd = dir_fd < 0 ? -1 : openat(dir_fd, names[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			return fdopen(fd, "r");
	}
	return NULL;
}

void group_threads(const struct group *group, struct proctext_threads *out)
{
	FILE *file = open_threads(group);
	long tid, last = 0;

	*out = (struct proctext_threads){ .total = 0 };
	while (file && fscanf(file, "%ld", &tid) == 1) {
		if (out->total++ < THREADS_MAX)
			count_state(tid, out);
		if (tid > last)
			last = tid;
	}
	if (file)
		fclose(file);
	if (last)
		out->last = inner_number(last);
}
