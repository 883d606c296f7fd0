/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore reset: an empty store. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/cmd-internal.h"
#include "storage/gc.h"

static int ask(struct store *store, struct err *err)
{
	char answer[16];

	if (!isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE,
			       "this removes all images and containers of '%s': give --force",
			       store_root_path(store));
	fprintf(stderr, "Remove all images, containers and caches in '%s'? [y/N] ",
		store_root_path(store));
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
		return err_set(err, ERR_INTERRUPTED, "nothing was removed");
	return 0;
}

static int reset(const char *root, bool force, struct err *err)
{
	auto_store struct store *store = NULL;

	if (command_open(root, NULL, &store, err) < 0 || (!force && ask(store, err) < 0))
		return -1;
	return store_reset(store, err);
}

int cmd_reset(int argc, char **argv)
{
	const char *root = NULL;
	bool force = false;
	const struct cmdline_option options[] = { { 'f', "force", OPTION_FLAG, &force, NULL,
						    "without asking", NULL },
						  OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore reset",
					 .synopsis = "[OPTIONS]",
					 .summary = "Remove everything in the store: images, "
						    "containers, caches. Refused while anything in "
						    "it is in use.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		reset(root, force, &err);
	return command_end(&err);
}
