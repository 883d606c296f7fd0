/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore unshare: a command in the user namespace in which an ordinary user's store is used. */
#include <stdlib.h>
#include <unistd.h>

#include "storage/cmd-internal.h"

static int unshare_exec(const char *root, char **command, struct err *err)
{
	struct userns userns;

	if (root && setenv("IMGBUILD_ROOT", root, 1) < 0)
		return err_sys(err, "set IMGBUILD_ROOT");
	if (userns_enter(&userns, err) < 0)
		return -1;
	execvp(command[0], command);
	return err_sys(err, "execute '%s'", command[0]);
}

int cmd_unshare(int argc, char **argv)
{
	const char *root = NULL;
	const struct cmdline_option options[] = { OPTION_ROOT(&root), OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore unshare",
					 .synopsis = "[OPTIONS] COMMAND [ARG...]",
					 .summary = "Run a command in the user namespace in which "
						    "the store is used; as root, just run it.\n"
						    "There an ordinary user can mount images "
						    "and look at their files as their owner.",
					 .options = options,
					 .min_args = 1,
					 .max_args = SIZE_MAX,
					 .stop_at_positional = true };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		unshare_exec(root, args.items, &err);
	return command_end(&err);
}
