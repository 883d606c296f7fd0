/* SPDX-License-Identifier: Apache-2.0 */
/*
 * no-openat2 CMD…: run CMD on a kernel that seems to have no openat2(2), or
 * with --eperm, under a filter that is older than the call.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int deny_openat2(int error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int result = -1;

	if (filter && seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned int)error),
				       SCMP_SYS(openat2), 0) == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result;
}

int main(int argc, char **argv)
{
	int first = argc > 1 && strcmp(argv[1], "--eperm") == 0 ? 2 : 1;

	if (first >= argc) {
		fprintf(stderr, "usage: no-openat2 [--eperm] CMD...\n");
		return 2;
	}
	if (deny_openat2(first == 2 ? EPERM : ENOSYS) < 0) {
		fprintf(stderr, "no-openat2: cannot install the filter\n");
		return 125;
	}
	execvp(argv[first], argv + first);
	perror(argv[first]);
	return 127;
}
