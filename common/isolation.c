/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the names of the rungs, which one is wanted, and on which one a process stands.
 * Getting there is left to userns.
 */
#include "common/isolation.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/userns.h"

static const char *const names[ISOLATION_COUNT] = {
	[ISOLATION_NAMESPACES] = "namespaces",
	[ISOLATION_SINGLE_ID] = "single-id",
	[ISOLATION_CHROOT] = "chroot",
};

const char *isolation_name(enum isolation isolation)
{
	return names[isolation];
}

bool isolation_has_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

static uint64_t count_ids(const char *map_path)
{
	FILE *file = fopen(map_path, "re");
	uint64_t total = 0;
	uint32_t count;

	while (file && fscanf(file, "%*u %*u %" SCNu32, &count) == 1)
		total += count;
	if (file)
		fclose(file);
	return total;
}

bool isolation_has_one_id(void)
{
	return count_ids("/proc/self/uid_map") == 1 || count_ids("/proc/self/gid_map") == 1;
}

enum isolation isolation_current(void)
{
	if (!isolation_has_capability(CAP_SYS_ADMIN))
		return ISOLATION_CHROOT;
	return userns_is_nested() && isolation_has_one_id() ? ISOLATION_SINGLE_ID
							    : ISOLATION_NAMESPACES;
}

static int parse(const char *text, enum isolation *out, bool *out_is_auto, struct err *err)
{
	*out_is_auto = !text || !text[0] || strcmp(text, "auto") == 0;
	*out = ISOLATION_NAMESPACES;
	if (*out_is_auto)
		return 0;
	for (int i = 0; i < ISOLATION_COUNT; i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*out = (enum isolation)i;
		return 0;
	}
	return err_set(err, ERR_USAGE,
		       "the isolation is auto, namespaces, single-id or chroot, not '%s'", text);
}

int isolation_wanted(enum isolation *out, bool *out_is_auto, struct err *err)
{
	if (parse(getenv(ISOLATION_ENV), out, out_is_auto, err) < 0)
		return err_prefix(err, ISOLATION_ENV);
	return 0;
}

int isolation_want(const char *text, struct err *err)
{
	enum isolation wanted;
	bool is_auto;

	if (!text)
		return 0;
	if (parse(text, &wanted, &is_auto, err) < 0)
		return err_prefix(err, "--isolation");
	return setenv(ISOLATION_ENV, text, 1) < 0 ? err_sys(err, "set " ISOLATION_ENV) : 0;
}
