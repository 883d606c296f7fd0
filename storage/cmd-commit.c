/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore commit: what a container has changed becomes an image. */
#include <stdio.h>

#include "storage/cmd-internal.h"
#include "storage/commit.h"
#include "storage/container-state.h"

static int commit(const char *root, const struct strlist *args, struct commit_options *options,
		  struct err *err)
{
	auto_store struct store *store = NULL;
	auto_container struct container container = CONTAINER_INIT;
	auto_container_state struct container_state state = { .pid = 0 };
	struct digest id;
	char name[DIGEST_NAME_MAX];

	if (command_open(root, NULL, &store, err) < 0 ||
	    container_open(store, args->items[0], &container, err) < 0 ||
	    container_state_load(container.dir_fd, &state, err) < 0)
		return -1;
	options->name = args->count > 1 ? args->items[1] : NULL;
	options->command = &state.command;
	options->keeps_container = true;
	if (container_commit(store, &container, options, &id, err) < 0)
		return -1;
	printf("%s\n", digest_name(&id, name));
	return 0;
}

int cmd_commit(int argc, char **argv)
{
	const char *root = NULL;
	struct commit_options commit_options = { .name = NULL };
	const struct cmdline_option options[] = {
		{ 'm', "message", OPTION_STRING, &commit_options.comment, "TEXT",
		  "a comment in the history", NULL },
		{ 'a', "author", OPTION_STRING, &commit_options.author, "NAME",
		  "author of the image", NULL },
		OPTION_ROOT(&root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore commit",
					 .synopsis = "[OPTIONS] CONTAINER [NAME[:TAG]]",
					 .summary = "Make an image of what a stopped container has "
						    "changed.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 2 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		commit(root, &args, &commit_options, &err);
	return command_end(&err);
}
