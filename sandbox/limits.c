/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the names of limits and for what --ulimit says. Whether they can be set is
 * the kernel's to say: perform-process.c.
 */
#include "sandbox/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/mem.h"

static const char *const names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = "cpu",           [RLIMIT_FSIZE] = "fsize",
	[RLIMIT_DATA] = "data",         [RLIMIT_STACK] = "stack",
	[RLIMIT_CORE] = "core",         [RLIMIT_RSS] = "rss",
	[RLIMIT_NPROC] = "nproc",       [RLIMIT_NOFILE] = "nofile",
	[RLIMIT_MEMLOCK] = "memlock",   [RLIMIT_AS] = "as",
	[RLIMIT_LOCKS] = "locks",       [RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_MSGQUEUE] = "msgqueue", [RLIMIT_NICE] = "nice",
	[RLIMIT_RTPRIO] = "rtprio",     [RLIMIT_RTTIME] = "rttime",
};

void limits_release(struct limits *limits)
{
	free(limits->items);
	*limits = (struct limits){ .items = NULL };
}

const char *limits_name(int resource)
{
	return resource >= 0 && resource < RLIM_NLIMITS ? names[resource] : "of no known kind";
}

static int find_resource(const char *name, size_t len)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0)
			return i;
	return -1;
}

static void set(struct limits *limits, const struct sandbox_rlimit *row)
{
	size_t at = 0;

	while (at < limits->count && limits->items[at].resource < row->resource)
		at++;
	if (at == limits->count || limits->items[at].resource != row->resource) {
		limits->items =
			mem_resize(limits->items, limits->count + 1, sizeof(limits->items[0]));
		memmove(&limits->items[at + 1], &limits->items[at],
			(limits->count - at) * sizeof(limits->items[0]));
		limits->count++;
	}
	limits->items[at] = *row;
}

static int add_ours(struct limits *limits, struct err *err)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit ours;

		if (getrlimit((__rlimit_resource_t)i, &ours) < 0)
			return err_sys(err, "ask for limit '%s'", names[i]);
		set(limits, &(struct sandbox_rlimit){ i, ours.rlim_cur, ours.rlim_max });
	}
	return 0;
}

/* Decimal, or -1. @end: what stands behind it. */
static bool number(const char *text, char **end, uint64_t *out)
{
	if (strncmp(text, "-1", 2) == 0) {
		*end = (char *)text + 2;
		*out = RLIM_INFINITY;
		return true;
	}
	errno = 0;
	*out = strtoull(text, end, 10);
	return errno == 0 && *text >= '0' && *text <= '9';
}

static bool parse_values(const char *text, struct sandbox_rlimit *out)
{
	char *end;

	if (!number(text, &end, &out->soft))
		return false;
	out->hard = out->soft;
	if (*end == ':' && !number(end + 1, &end, &out->hard))
		return false;
	return *end == '\0';
}

int limits_add(struct limits *limits, const char *text, struct err *err)
{
	size_t len = strcspn(text, "=");
	struct sandbox_rlimit row = { .resource = find_resource(text, len) };

	if (strcmp(text, "host") == 0)
		return add_ours(limits, err);
	if (text[len] != '=')
		return err_set(err, ERR_USAGE, "--ulimit '%s' is not NAME=SOFT[:HARD]", text);
	if (row.resource < 0)
		return err_set(err, ERR_USAGE, "--ulimit '%s': there is no limit '%.*s'", text,
			       (int)len, text);
	if (!parse_values(text + len + 1, &row))
		return err_set(err, ERR_USAGE, "--ulimit '%s': '%s' is not SOFT[:HARD] in numbers",
			       text, text + len + 1);
	if (row.soft > row.hard)
		return err_set(err, ERR_USAGE,
			       "--ulimit '%s': the soft limit is above the hard one", text);
	set(limits, &row);
	return 0;
}
