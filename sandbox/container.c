/* SPDX-License-Identifier: Apache-2.0 */
/* The program "container": what imgstore does by means of the sandbox. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cmdline.h"
#include "common/log.h"
#include "sandbox/container-exec.h"
#include "sandbox/front.h"
#include "sandbox/run-plan.h"

#define EXIT_OURS      125
#define EXIT_NOT_RUN   126
#define EXIT_NOT_FOUND 127

static int take_words(const struct strlist *args, const struct strlist *env,
		      struct exec_options *out, struct err *err)
{
	for (size_t i = 0; i < env->count; i++)
		if (run_env_add(env->items[i], &out->env, err) < 0)
			return err_prefix(err, "--env");
	out->container = args->items[0];
	for (size_t i = 1; i < args->count; i++)
		strlist_add(&out->command, args->items[i]);
	return 0;
}

/* ---- at a terminal, until it is left ---- */

static void hold_front(void *context, const char *id)
{
	(void)id;
	front_hold(context);
}

static void leave_front(void *context, const char *name)
{
	log_info("the command in container '%s' goes on in the background", name);
	front_leave(context);
}

static int run(struct exec_options *exec, const char *keys, struct run_outcome *out,
	       struct err *err)
{
	struct front front;
	const struct run_observer observer = { .started = hold_front,
					       .left = leave_front,
					       .context = &front };

	if (detach_keys_parse(keys ? keys : DETACH_KEYS_DEFAULT, &exec->detach_keys, err) < 0)
		return err_prefix(err, "--detach-keys");
	if (!exec->terminal || !exec->interactive || exec->detach_keys.count == 0)
		return container_exec(exec, NULL, out, err);
	return front_make(&front, err) < 0 ? -1 : container_exec(exec, &observer, out, err);
}

static int end(const struct run_outcome *outcome, const struct err *err)
{
	if (err->kind == ERR_NONE)
		return run_exit_status(outcome->status);
	err_print(err, "imgstore");
	if (outcome->exec_errno)
		return outcome->exec_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
	return EXIT_OURS;
}

static int cmd_exec(int argc, char **argv)
{
	struct exec_options exec = { .root = NULL };
	auto_strlist struct strlist env = STRLIST_INIT;
	const char *detach_keys = NULL;
	const struct cmdline_option options[] = {
		{ 'i', "interactive", OPTION_FLAG, &exec.interactive, NULL,
		  "the command reads our standard input", NULL },
		{ 't', "tty", OPTION_FLAG, &exec.terminal, NULL, "it gets a terminal of its own",
		  NULL },
		{ 0, "detach-keys", OPTION_STRING, &detach_keys, "KEYS",
		  "with -it: what is typed to leave it to itself (default: " DETACH_KEYS_DEFAULT
		  ")",
		  NULL },
		{ 'e', "env", OPTION_LIST, &env, "KEY[=VALUE]", "set a variable, or hand on ours",
		  NULL },
		{ 'u', "user", OPTION_STRING, &exec.user, "USER[:GROUP]",
		  "run as this user (default: the container's)", NULL },
		{ 'w', "workdir", OPTION_STRING, &exec.workdir, "DIR", "start in this directory",
		  NULL },
		{ 0, "privileged", OPTION_FLAG, &exec.is_privileged, NULL,
		  "with all capabilities and without a filter", NULL },
		{ 0, "root", OPTION_STRING, &exec.root, "DIR",
		  "the store (default: $IMGBUILD_ROOT)", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = { .program = "imgstore exec",
					 .synopsis = "[OPTIONS] CONTAINER COMMAND [ARGUMENT...]",
					 .summary = "Run a command in a container that runs, with "
						    "the container's rights. The\nexit status is "
						    "as imgrun's.",
					 .options = options,
					 .min_args = 2,
					 .max_args = SIZE_MAX,
					 .stop_at_positional = true };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct run_outcome outcome = { .status = 0 };
	struct err err = ERR_INIT;
	bool is_done = false;
	int status;

	if (cmdline_parse(&cmdline, argc, argv, &args, &is_done, &err) == 0 && !is_done &&
	    take_words(&args, &env, &exec, &err) == 0)
		(void)run(&exec, detach_keys, &outcome, &err); /* told by err */
	status = end(&outcome, &err);
	strlist_release(&exec.env);
	strlist_release(&exec.command);
	return status;
}

int main(int argc, char **argv)
{
	static const struct subcommand commands[] = {
		{ "exec", "run a command in a running container", cmd_exec },
		{ NULL, NULL, NULL },
	};

	log_init("imgstore", LOG_INFO);
	return cmdline_dispatch("imgstore", "", commands, argc, argv);
}
