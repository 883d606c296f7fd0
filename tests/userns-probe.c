/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enters the user namespace as a command does and prints, a line each, what
 * came of it: for tests/userns.bats. Arguments are then run in there.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/userns.h"

static const char *mode_name(enum userns_mode mode)
{
	switch (mode) {
	case USERNS_HOST:
		return "host";
	case USERNS_SUBIDS:
		return "subids";
	case USERNS_SINGLE:
		return "single";
	case USERNS_INSIDE:
		return "inside";
	case USERNS_NONE:
		return "chroot";
	}
	return "none";
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct userns ns;

	if (argc > 1 && strcmp(argv[1], "--possible") == 0) {
		printf("possible %d\n", userns_is_possible());
		return 0;
	}
	if (userns_enter(&ns, &err) < 0) {
		err_print(&err, "userns-probe");
		return err_exit_status(&err);
	}
	printf("mode %s\nhost %u:%u\nnow %u:%u\nnested %d\nwhy %s\n", mode_name(ns.mode),
	       ns.host_uid, ns.host_gid, geteuid(), getegid(), userns_is_nested(), ns.why);
	if (argc < 2)
		return 0;
	fflush(stdout);
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
