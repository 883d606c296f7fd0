/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore stop and imgstore kill: signals for containers that run. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/signals.h"
#include "storage/cmd-internal.h"
#include "storage/container-control.h"
#include "storage/container-state.h"

#define TIMEOUT_DEFAULT_S 10
#define TIMEOUT_MAX_S     86400
#define KILL_WAIT_MS      10000

int command_kill(struct store *store, const struct container *container, struct err *err)
{
	bool has_ended = false;

	if (control_signal(container->dir_fd, SIGKILL, container->name, err) < 0 ||
	    control_wait(store, container->id, KILL_WAIT_MS, &has_ended, err) < 0)
		return -1;
	if (!has_ended)
		return err_set(err, ERR_SYSTEM, "container '%s' does not end", container->name);
	return 0;
}

/* @timeout_s: negative for what the container says. */
static int stop_one(struct store *store, const char *text, int timeout_s, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_container_state struct container_state state = { .pid = 0 };
	bool is_running = false;
	bool has_ended = false;

	if (container_look(store, text, &container, &is_running, err) < 0)
		return -1;
	if (!is_running)
		return 0; /* as docker: it is what was asked for */
	if (container_state_load(container.dir_fd, &state, err) < 0)
		return -1;
	if (timeout_s < 0)
		timeout_s = state.stop_signal ? (int)state.stop_timeout_s : TIMEOUT_DEFAULT_S;
	if (control_signal(container.dir_fd, state.stop_signal ? (int)state.stop_signal : SIGTERM,
			   text, err) < 0 ||
	    control_wait(store, container.id, timeout_s * 1000, &has_ended, err) < 0)
		return -1;
	return has_ended ? 0 : command_kill(store, &container, err);
}

static int kill_one(struct store *store, const char *text, int sig, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;

	if (container_look(store, text, &container, NULL, err) < 0)
		return -1;
	return sig == SIGKILL ? command_kill(store, &container, err)
			      : control_signal(container.dir_fd, sig, text, err);
}

/* One that fails does not keep the others. */
static void each(const char *root, const struct strlist *names, bool is_kill, int number,
		 struct err *err)
{
	auto_store struct store *store = NULL;

	if (command_open(root, NULL, &store, err) < 0)
		return;
	for (size_t i = 0; i < names->count; i++) {
		struct err one = ERR_INIT;

		if ((is_kill ? kill_one : stop_one)(store, names->items[i], number, &one) == 0) {
			printf("%s\n", names->items[i]);
			continue;
		}
		if (err->kind != ERR_NONE)
			err_print(err, "imgstore");
		*err = one;
	}
}

int cmd_stop(int argc, char **argv)
{
	const char *root = NULL;
	const char *timeout = NULL;
	const struct cmdline_option options[] = {
		{ 't', "time", OPTION_STRING, &timeout, "SECONDS",
		  "how long it has until it is killed (default: as imgrun was told, or 10)", NULL },
		OPTION_ROOT(&root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore stop",
					 .synopsis = "[OPTIONS] CONTAINER...",
					 .summary = "Ask containers to end, and kill those that do "
						    "not.",
					 .options = options,
					 .min_args = 1,
					 .max_args = SIZE_MAX };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	int64_t seconds = -1;

	if (command_begin(&cmdline, argc, argv, &args, &err) &&
	    (!timeout || amount_whole("--time", timeout, TIMEOUT_MAX_S, &seconds, &err) == 0))
		each(root, &args, false, (int)seconds, &err);
	return command_end(&err);
}

int cmd_kill(int argc, char **argv)
{
	const char *root = NULL;
	const char *text = "KILL";
	const struct cmdline_option options[] = { { 's', "signal", OPTION_STRING, &text, "SIGNAL",
						    "another one than KILL", NULL },
						  OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore kill",
					 .synopsis = "[OPTIONS] CONTAINER...",
					 .summary = "Send a signal to the first process of "
						    "containers.",
					 .options = options,
					 .min_args = 1,
					 .max_args = SIZE_MAX };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	int sig = 0;

	if (command_begin(&cmdline, argc, argv, &args, &err)) {
		if (signal_parse(text, &sig, &err) < 0) {
			err.kind = ERR_USAGE;
			err_prefix(&err, "--signal");
		} else {
			each(root, &args, true, sig, &err);
		}
	}
	return command_end(&err);
}
