/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore doctor: what this host allows, which rung of the ladder results, and what would lift it.
 */
#include <stdio.h>

#include "common/mem.h"
#include "storage/cmd-internal.h"
#include "storage/host.h"

static void add(struct json *json, const struct host_answer *answers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct json *value = json_object();

		json_set_bool(value, "Possible", answers[i].is_yes);
		json_set_string(value, "Detail", answers[i].detail);
		json_set(json, answers[i].name, value);
	}
}

static void show(const struct host_answer *answers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%-16s %-4s %s\n", answers[i].name, answers[i].is_yes ? "yes" : "no",
		       answers[i].detail);
}

/* A store that cannot be opened is one of the answers; a rung that cannot be had is an error. */
static int doctor(const char *root, const char *format, struct err *err)
{
	auto_json struct json *json = json_object();
	struct host_answer answers[2 * HOST_ANSWERS_MAX];
	auto_store struct store *store = NULL;
	size_t count = host_ask_outside(answers);
	struct err store_err = ERR_INIT;
	struct userns userns;
	int result = userns_enter(&userns, err);

	if (result == 0) {
		if (store_open(root, &store, &store_err) < 0)
			store = NULL;
		count += host_ask_inside(store, &userns, answers + count);
	}
	if (command_wants_json(format)) {
		add(json, answers, count);
		command_print_json(ptr_steal(&json));
	} else {
		show(answers, count);
	}
	if (result == 0 && !store)
		*err = store_err;
	return result < 0 || !store ? -1 : 0;
}

int cmd_doctor(int argc, char **argv)
{
	const char *root = NULL;
	const char *format = NULL;
	const struct cmdline_option options[] = { OPTION_FORMAT(&format), OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore doctor",
					 .synopsis = "[OPTIONS]",
					 .summary = "What this host allows, how commands are kept "
						    "apart on it, and what would lift that.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		doctor(root, format, &err);
	return command_end(&err);
}
