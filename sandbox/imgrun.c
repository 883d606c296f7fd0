/* SPDX-License-Identifier: Apache-2.0 */
/* The command imgrun: runs a container of an image in the foreground. */
#include <errno.h>
#include <stdint.h>
#include <sys/wait.h>

#include "common/cmdline.h"
#include "common/log.h"
#include "common/userns.h"
#include "sandbox/container-run.h"
#include "storage/mount.h"
#include "sandbox/run-plan.h"

#define EXIT_OURS        125
#define EXIT_NOT_RUN     126
#define EXIT_NOT_FOUND   127
#define EXIT_SIGNAL_BASE 128

struct imgrun {
	struct run_options run;
	const char *root;
	const char *storage_driver;
	const char *network;
	struct run_setting_texts settings;
	struct strlist env; /* as given; run.env has the values */
	struct strlist env_files;
	struct strlist args;
	bool is_done;
};

static void imgrun_release(struct imgrun *imgrun)
{
	run_options_release(&imgrun->run);
	run_setting_texts_release(&imgrun->settings);
	strlist_release(&imgrun->env);
	strlist_release(&imgrun->env_files);
	strlist_release(&imgrun->args);
}

static int parse_table(int argc, char **argv, struct imgrun *out, struct err *err)
{
	struct run_options *run = &out->run;
	const struct cmdline_option table[] = {
		{ 'i', "interactive", OPTION_FLAG, &run->interactive, NULL,
		  "the container reads our standard input", NULL },
		{ 't', "tty", OPTION_FLAG, &run->terminal, NULL,
		  "the container gets a terminal of its own", NULL },
		{ 0, "rm", OPTION_FLAG, &run->remove_after, NULL,
		  "remove the container when it has ended", NULL },
		{ 0, "name", OPTION_STRING, &run->name, "NAME", "name the container", NULL },
		{ 'e', "env", OPTION_LIST, &out->env, "KEY[=VALUE]",
		  "set a variable, or hand on ours", NULL },
		{ 0, "env-file", OPTION_LIST, &out->env_files, "FILE",
		  "set variables from the lines of a file", NULL },
		{ 'w', "workdir", OPTION_STRING, &run->workdir, "DIR", "start in this directory",
		  NULL },
		{ 'u', "user", OPTION_STRING, &run->user, "USER[:GROUP]",
		  "run as this user of the image, or as a number", NULL },
		{ 'v', "volume", OPTION_LIST, &out->settings.volumes, "HOST:CONTAINER[:ro|rw]",
		  "show a file or directory of the host", NULL },
		{ 0, "entrypoint", OPTION_STRING, &run->entrypoint, "COMMAND",
		  "run this instead of the image's entrypoint", NULL },
		{ 0, "network", OPTION_STRING, &out->network, "host|none",
		  "the host's network (default), or none", NULL },
		{ 'h', "hostname", OPTION_STRING, &run->hostname, "NAME",
		  "the container's host name", NULL },
		RUN_SETTING_OPTIONS(&out->settings),
		{ 0, "read-only", OPTION_FLAG, &run->read_only, NULL,
		  "the container's root cannot be written to", NULL },
		{ 0, "cap-add", OPTION_LIST, &run->cap_add, "CAPABILITY", "grant a capability",
		  NULL },
		{ 0, "cap-drop", OPTION_LIST, &run->cap_drop, "CAPABILITY",
		  "take a capability away", NULL },
		{ 0, "platform", OPTION_STRING, &run->platform, "OS/ARCH[/VARIANT]",
		  "of an image for several platforms, run this one's (default: this machine's)",
		  NULL },
		{ 0, "print-description", OPTION_FLAG, &run->print_description, NULL,
		  "print what would be done, run nothing", NULL },
		{ 0, "storage-driver", OPTION_STRING, &out->storage_driver, "NAME",
		  "how layers are put together: overlay or copy (default: the first that can be "
		  "used here)",
		  NULL },
		{ 0, "root", OPTION_STRING, &out->root, "DIR",
		  "the store (default: $IMGBUILD_ROOT, else the user's own)", NULL },
		OPTION_ADD_STORE,
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgrun",
		.synopsis = "[OPTIONS] IMAGE [COMMAND [ARGUMENT…]]",
		.summary = "Run a container of an image. The exit status is the command's own, 125 "
			   "when\nimgrun failed, 126 or 127 when the command could not be run.",
		.options = table,
		.min_args = 1,
		.max_args = SIZE_MAX,
		.stop_at_positional = true,
	};

	return cmdline_parse(&cmdline, argc, argv, &out->args, &out->is_done, err);
}

static int parse(int argc, char **argv, struct imgrun *out, struct err *err)
{
	if (parse_table(argc, argv, out, err) < 0)
		return -1;
	if (out->is_done)
		return 0;
	if (out->network && sandbox_network_parse(out->network, &out->run.network, err) < 0)
		return -1;
	if (run_settings_make(&out->settings, out->run.network, &out->run.settings, err) < 0)
		return -1;
	for (size_t i = 0; i < out->env_files.count; i++) {
		if (run_env_file(out->env_files.items[i], &out->run.env, err) < 0)
			return err_prefix(err, "--env-file");
	}
	for (size_t i = 0; i < out->env.count; i++) {
		if (run_env_add(out->env.items[i], &out->run.env, err) < 0)
			return err_prefix(err, "--env");
	}
	out->run.image = out->args.items[0];
	for (size_t i = 1; i < out->args.count; i++)
		strlist_add(&out->run.command, out->args.items[i]);
	return 0;
}

static int run(struct imgrun *imgrun, int *out_status, int *out_exec_errno, struct err *err)
{
	auto_store struct store *store = NULL;
	struct userns userns;

	if (userns_enter(&userns, err) < 0 || store_open(imgrun->root, &store, err) < 0)
		return -1;
	if (imgrun->storage_driver && mount_choose_driver(store, imgrun->storage_driver, err) < 0)
		return -1;
	return container_run(store, &imgrun->run, out_status, out_exec_errno, err);
}

int main(int argc, char **argv)
{
	struct imgrun imgrun = { .root = NULL };
	struct err err = ERR_INIT;
	int exec_errno = 0;
	int status = 0;
	int result;

	log_init("imgrun", LOG_INFO);
	result = parse(argc, argv, &imgrun, &err);
	if (result == 0 && !imgrun.is_done)
		result = run(&imgrun, &status, &exec_errno, &err);
	imgrun_release(&imgrun);
	if (result < 0) {
		err_print(&err, "imgrun");
		if (exec_errno)
			return exec_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
		return EXIT_OURS;
	}
	return WIFSIGNALED(status) ? EXIT_SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
}
