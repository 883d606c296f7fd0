/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what RUN asks for: the command, what it sees, and whether it may
 * have what it asks for beyond the sandbox. Its mounts are plan-mount.c's.
 */
#include <string.h>

#include "builder/history.h"
#include "builder/plan-internal.h"
#include "common/json.h"
#include "common/mem.h"

#define SCRIPT_DIRECTORY "/dev/pipes/"

static int need_allowed(const struct planner *planner, enum plan_allowed wanted, const char *what,
			const char *name, struct err *err)
{
	if (planner->input->allowed & wanted)
		return 0;
	err_set(err, ERR_INPUT, "%s is not allowed to a Buildfile", what);
	return source_hint(err, "imgbuild --allow %s allows it to this one", name);
}

static int check_run(const struct planner *planner, const struct plan_stage *stage,
		     const struct origin *origin, const struct instruction *instruction,
		     struct err *err)
{
	const struct plan_input *input = planner->input;
	const struct run_instruction *run = &instruction->run;

	if (run->device_count > 0)
		return plan_refuse(err, origin, instruction, "RUN --device");
	if ((run->security == RUN_SECURITY_INSECURE &&
	     need_allowed(planner, PLAN_ALLOWED_INSECURE, "--security=insecure",
			  "security.insecure", err) < 0) ||
	    (run->network == RUN_NETWORK_HOST &&
	     need_allowed(planner, PLAN_ALLOWED_HOST_NETWORK, "--network=host", "network.host",
			  err) < 0) ||
	    (input->check_runs &&
	     input->check_runs(input->context, plan_files_platform(stage), err) < 0))
		return ast_locate(err, origin->ast, instruction);
	return 0;
}

/*
 * A script that begins with "#!" is a program of its own, executed as it is; the
 * history has it by way of the shell, as others write it.
 */
static void plan_script(const struct plan_stage *stage, const struct run_instruction *run,
			char *text, struct plan_run *out, struct strlist *shown)
{
	out->script = text;
	out->script_path = str_format(SCRIPT_DIRECTORY "%s", run->heredocs[0].name);
	strlist_add(&out->argv, out->script_path);
	plan_shell(stage, out->script_path, shown);
}

static int plan_command(const struct plan_stage *stage, const struct run_instruction *run,
			struct plan_run *out, struct strlist *shown, struct err *err)
{
	auto_free char *text = NULL;

	if (run->command.is_exec) {
		strlist_copy(&out->argv, &run->command.args);
	} else {
		text = run_shell_text(run);
		if (run->is_script && strncmp(text, "#!", 2) == 0) {
			plan_script(stage, run, ptr_steal(&text), out, shown);
			return 0;
		}
		plan_shell(stage, text, &out->argv);
	}
	if (out->argv.count == 0)
		return err_set(err, ERR_INPUT, "there is no command");
	strlist_copy(shown, &out->argv);
	return 0;
}

/* What the kernel cannot be told. */
static int check_nul(const struct strlist *list, const char *what, struct err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (json_has_nul(list->items[i]))
			return err_set(err, ERR_INPUT, "%s cannot hold a NUL", what);
	return 0;
}

static void set_platform(const struct plan_stage *stage, struct plan_run *run)
{
	const struct platform *platform = plan_files_platform(stage);
	auto_strbuf struct strbuf text = STRBUF_INIT;

	platform_format(platform, &text);
	run->platform = strbuf_steal(&text);
	run->is_32bit = platform_is_32bit(platform);
}

int plan_run(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
	     const struct instruction *instruction, struct err *err)
{
	const struct run_config *config = &stage->image.config;
	auto_strlist struct strlist shown = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct plan_run *run;
	struct step *step;

	if (check_run(planner, stage, origin, instruction, err) < 0)
		return -1;
	step = plan_add_step(stage, STEP_RUN, origin, instruction);
	run = &step->run;
	if (plan_command(stage, &instruction->run, run, &shown, err) < 0 ||
	    check_nul(&run->argv, "an argument", err) < 0 ||
	    check_nul(&stage->env, "a variable", err) < 0)
		return ast_locate(err, origin->ast, instruction);
	strlist_copy(&run->env, &stage->env);
	run->user = str_dup(config->user ? config->user : "");
	run->cwd = plan_path("/", config->working_dir ? config->working_dir : "/");
	run->network = instruction->run.network;
	set_platform(stage, run);
	run->is_insecure = instruction->run.security == RUN_SECURITY_INSECURE;
	if (plan_mounts(planner, stage, origin, instruction, run, err) < 0)
		return -1;
	history_run(&stage->args, &stage->env, &shown, &text);
	strbuf_puts(&text, HISTORY_LAYER_SUFFIX);
	step->created_by = strbuf_steal(&text);
	return 0;
}
