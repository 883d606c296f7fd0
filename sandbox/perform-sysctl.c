/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for settings of the kernel that the container has of its own: written while its /proc can
 * still be written to. Which it may have, sysctl.c has said; the kernel shows in there the
 * namespaces of who looks.
 */
#include "sandbox/perform-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"

#define DOMAIN_NAME "kernel/domainname="

static int set(int root_fd, const char *item, struct err *err)
{
	const char *value = strchr(item, '=') + 1;
	auto_free char *path = str_format("proc/sys/%.*s", (int)(value - 1 - item), item);
	auto_close int fd = -1;

	/* its file is for root of the host alone, the call for root of the namespace */
	if (strncmp(item, DOMAIN_NAME, strlen(DOMAIN_NAME)) == 0)
		return setdomainname(value, strlen(value)) < 0
			       ? err_sys(err, "set the domain name '%s'", value)
			       : 0;
	fd = beneath_open(root_fd, path, BENEATH_NO_LINKS, O_WRONLY, err);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_SYSTEM, "this kernel has no '/%s'", path);
	if (fd < 0)
		return -1;
	if (write(fd, value, strlen(value)) < 0)
		return err_sys(err, "write '%s' into '/%s'", value, path);
	return 0;
}

int perform_sysctls(const struct sandbox_description *description, struct err *err)
{
	for (size_t i = 0; i < description->sysctls.count; i++)
		if (set(description->root_fd, description->sysctls.items[i], err) < 0)
			return err_prefix(err, "--sysctl");
	return 0;
}
