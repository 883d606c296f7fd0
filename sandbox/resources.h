/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RESOURCES_H
#define SANDBOX_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"

/*
 * What all processes of a container may have together: values, as the options
 * name them. How a host gives it is cgroup.h's.
 */
enum resource_rate_kind {
	RESOURCE_READ_BYTES,
	RESOURCE_WRITE_BYTES,
	RESOURCE_READ_OPERATIONS,
	RESOURCE_WRITE_OPERATIONS,
};

struct resource_rate {
	enum resource_rate_kind kind;
	unsigned major;
	unsigned minor;
	uint64_t per_second;
};

/* Number -1 is "any". */
struct resource_device {
	char type; /* 'c', 'b', or 'a' for both */
	int64_t major;
	int64_t minor;
	bool reads;
	bool writes;
	bool makes; /* mknod(2) */
};

struct resources {
	uint64_t memory_bytes;    /* 0: no limit; so below */
	int64_t swap_total_bytes; /* memory and swap together; -1: any; 0: twice the memory */
	uint64_t reservation_bytes;
	uint64_t cpu_period_us;
	uint64_t cpu_quota_us;
	uint64_t cpu_shares; /* of 1024 as everybody has */
	uint64_t pids;
	uint64_t io_weight; /* 10…1000 */
	char *cpus;         /* "0-2,5"; NULL: any */
	char *memory_nodes;
	char *parent; /* the group below which the container's is made; NULL: our choice */
	struct resource_rate *rates;
	size_t rate_count;
	bool are_shown;        /* in its /proc: who counts is wanted too, where there is one */
	bool confines_devices; /* to those of the list */
	struct resource_device *devices;
	size_t device_count;
};
void resources_release(struct resources *resources);
void resources_copy(struct resources *to, const struct resources *from);
void resources_add_device(struct resources *resources, const struct resource_device *device);
/* Confine to the devices that every container has, and to nodes of whatever kind being made. */
void resources_confine_devices(struct resources *resources);
/* Is there anything that takes a group? */
bool resources_any(const struct resources *resources);
/* A line a value that is not the default. */
void resources_print(const struct resources *resources, struct strbuf *out);

/* ---- from the command line ---- */

struct resource_texts {
	const char *memory, *memory_swap, *memory_reservation, *cpus, *cpu_period, *cpu_quota,
		*cpu_shares, *cpuset_cpus, *cpuset_mems, *pids_limit, *blkio_weight, *cgroup_parent;
	struct strlist read_bytes, write_bytes, read_operations, write_operations;
	struct strlist device_rules;
};
void resource_texts_release(struct resource_texts *texts);

/* Rows for a table of struct cmdline_option. */
#define RESOURCE_OPTIONS(texts)                                                         \
	{ 'm',           "memory",                                                      \
	  OPTION_STRING, &(texts)->memory,                                              \
	  "SIZE",        "memory for all processes together; who needs more is killed", \
	  NULL },                                                                       \
		{ 0,                                                                    \
		  "memory-swap",                                                        \
		  OPTION_STRING,                                                        \
		  &(texts)->memory_swap,                                                \
		  "SIZE|-1",                                                            \
		  "memory and swap together (default: twice the memory); -1: any swap", \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "memory-reservation",                                                 \
		  OPTION_STRING,                                                        \
		  &(texts)->memory_reservation,                                         \
		  "SIZE",                                                               \
		  "memory that is left to them when the machine runs short",            \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "cpus",                                                               \
		  OPTION_STRING,                                                        \
		  &(texts)->cpus,                                                       \
		  "NUMBER",                                                             \
		  "processors' worth of time, as in 1.5",                               \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "cpu-period",                                                         \
		  OPTION_STRING,                                                        \
		  &(texts)->cpu_period,                                                 \
		  "MICROSECONDS",                                                       \
		  "what --cpu-quota is a part of (default: 100000)",                    \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "cpu-quota",                                                          \
		  OPTION_STRING,                                                        \
		  &(texts)->cpu_quota,                                                  \
		  "MICROSECONDS",                                                       \
		  "processor time within each period",                                  \
		  NULL },                                                               \
		{ 'c',           "cpu-shares",                                          \
		  OPTION_STRING, &(texts)->cpu_shares,                                  \
		  "NUMBER",      "part of busy processors, where others have 1024",     \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "cpuset-cpus",                                                        \
		  OPTION_STRING,                                                        \
		  &(texts)->cpuset_cpus,                                                \
		  "LIST",                                                               \
		  "the processors to run on, as in 0-2,5",                              \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "cpuset-mems",                                                        \
		  OPTION_STRING,                                                        \
		  &(texts)->cpuset_mems,                                                \
		  "LIST",                                                               \
		  "the memory nodes to use, as in 0,1",                                 \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "pids-limit",                                                         \
		  OPTION_STRING,                                                        \
		  &(texts)->pids_limit,                                                 \
		  "NUMBER",                                                             \
		  "processes and threads at the same time; -1: any",                    \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "blkio-weight",                                                       \
		  OPTION_STRING,                                                        \
		  &(texts)->blkio_weight,                                               \
		  "10-1000",                                                            \
		  "part of busy disks, where others have 500",                          \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "device-read-bps",                                                    \
		  OPTION_LIST,                                                          \
		  &(texts)->read_bytes,                                                 \
		  "DEVICE:SIZE",                                                        \
		  "bytes a second that may be read from a disk",                        \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "device-write-bps",                                                   \
		  OPTION_LIST,                                                          \
		  &(texts)->write_bytes,                                                \
		  "DEVICE:SIZE",                                                        \
		  "bytes a second that may be written to a disk",                       \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "device-read-iops",                                                   \
		  OPTION_LIST,                                                          \
		  &(texts)->read_operations,                                            \
		  "DEVICE:NUMBER",                                                      \
		  "reads a second from a disk",                                         \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "device-write-iops",                                                  \
		  OPTION_LIST,                                                          \
		  &(texts)->write_operations,                                           \
		  "DEVICE:NUMBER",                                                      \
		  "writes a second to a disk",                                          \
		  NULL },                                                               \
		{ 0,                                                                    \
		  "device-cgroup-rule",                                                 \
		  OPTION_LIST,                                                          \
		  &(texts)->device_rules,                                               \
		  "TYPE MAJOR:MINOR ACCESS",                                            \
		  "devices that may be opened, as in \"c 1:3 rwm\"",                    \
		  NULL },                                                               \
	{                                                                               \
		0, "cgroup-parent", OPTION_STRING, &(texts)->cgroup_parent, "PATH",     \
			"the cgroup to make theirs below", NULL                         \
	}

/* ERR_USAGE, and ERR_SYSTEM for a device that cannot be looked at. */
int resources_parse(const struct resource_texts *texts, struct resources *out, struct err *err);

/* "c 1:3 rwm", "a *:* m". ERR_USAGE. */
int resource_device_parse(const char *text, struct resource_device *out, struct err *err);
/* The same back, "c 1:3 rwm". @buf holds RESOURCE_DEVICE_TEXT bytes; returns it. */
#define RESOURCE_DEVICE_TEXT 64
const char *resource_device_format(const struct resource_device *device, char *buf);

#endif
