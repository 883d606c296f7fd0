/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgstore: look into the store and look after it. Answers for the list of
 * subcommands and what they share; each is in a cmd-….c.
 */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "storage/cmd-internal.h"

#define PROGRAM "imgstore"

bool command_begin(const struct cmdline *cmdline, int argc, char **argv, struct strlist *out_args,
		   struct err *err)
{
	bool done = false;

	return cmdline_parse(cmdline, argc, argv, out_args, &done, err) == 0 && !done;
}

static int enter(struct userns *out_userns, struct err *err)
{
	struct userns userns;

	if (userns_enter(&userns, err) < 0)
		return -1;
	if (out_userns)
		*out_userns = userns;
	return 0;
}

int command_open(const char *root, struct userns *out_userns, struct store **out, struct err *err)
{
	return enter(out_userns, err) < 0 ? -1 : store_open(root, out, err);
}

int command_open_reading(const char *root, struct userns *out_userns, struct store **out,
			 struct err *err)
{
	return enter(out_userns, err) < 0 ? -1 : store_open_reading(root, out, err);
}

int command_end(struct err *err)
{
	if (fflush(stdout) != 0 && err->kind == ERR_NONE)
		err_sys(err, "write to stdout");
	if (err->kind != ERR_NONE)
		err_print(err, PROGRAM);
	return err_exit_status(err);
}

bool command_wants_json(const char *format)
{
	return format && strcmp(format, "json") == 0;
}

void command_print_json(struct json *take)
{
	auto_json struct json *value = take;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	json_format_pretty(value, &text);
	printf("%s\n", text.data);
}

int main(int argc, char **argv)
{
	static const struct subcommand commands[] = {
		{ "ls", "list images", cmd_ls },
		{ "inspect", "all that is known of images, as JSON", cmd_inspect },
		{ "history", "how an image came about", cmd_history },
		{ "diff", "which files a layer or an image changes", cmd_diff },
		{ "tag", "give an image another name", cmd_tag },
		{ "index", "make one image for several platforms of several", cmd_index },
		{ "rm", "remove images or containers", cmd_rm },
		{ "ps", "list containers", cmd_ps },
		{ "logs", "what a detached container has written", cmd_logs },
		{ "stop", "ask containers to end", cmd_stop },
		{ "kill", "send a signal to containers", cmd_kill },
		{ "exec", "run a command in a running container", cmd_exec },
		{ "bundle", "make an OCI bundle of an image, for other runtimes", cmd_bundle },
		{ "commit", "make an image of what a container has changed", cmd_commit },
		{ "import", "make an image of a root file system's tar", cmd_import },
		{ "export", "write the root file system of an image or container as a tar",
		  cmd_export },
		{ "mount", "show an image's files as a directory", cmd_mount },
		{ "umount", "take that away again", cmd_umount },
		{ "unshare", "run a command in the user namespace of the store", cmd_unshare },
		{ "prune", "remove what nothing needs any more", cmd_prune },
		{ "reset", "remove everything", cmd_reset },
		{ "du", "what images and all else take on the disk", cmd_du },
		{ "check", "is all as it was stored? mend it if not", cmd_check },
		{ "info", "about the store and this host", cmd_info },
		{ "doctor", "what this host allows, and what would lift it", cmd_doctor },
		{ NULL, NULL, NULL },
	};

	log_init(PROGRAM, LOG_INFO);
	return cmdline_dispatch(PROGRAM, "Look into the image store, and look after it.", commands,
				argc, argv);
}
