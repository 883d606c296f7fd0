/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which stages are built and in which order: from the target
 * backwards through FROM and --from, each stage once, before what needs it. What
 * an instruction means is plan-step.c's, plan-run.c's and plan-copy.c's.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "builder/expand.h"
#include "builder/parse.h"
#include "builder/plan-internal.h"
#include "common/mem.h"

static void step_free(struct step *step)
{
	switch (step->kind) {
	case STEP_CONFIG:
		break;
	case STEP_RUN:
		strlist_release(&step->run.argv);
		strlist_release(&step->run.env);
		free(step->run.user);
		free(step->run.cwd);
		free(step->run.platform);
		free(step->run.script);
		free(step->run.script_path);
		plan_mounts_release(&step->run);
		break;
	case STEP_COPY:
		for (size_t i = 0; i < step->copy.source_count; i++) {
			free(step->copy.sources[i].path);
			free(step->copy.sources[i].text);
			remote_free(step->copy.sources[i].remote);
		}
		free(step->copy.sources);
		free(step->copy.dest);
		free(step->copy.chown);
		free(step->copy.chmod_text);
		ignore_release(&step->copy.exclude);
		break;
	case STEP_WORKDIR:
		free(step->workdir.path);
		free(step->workdir.user);
		break;
	}
	free(step->title);
	free(step->created_by);
	free(step);
}

static void stage_release(struct plan_stage *stage)
{
	if (!stage)
		return;
	for (size_t i = 0; i < stage->step_count; i++)
		step_free(stage->steps[i]);
	free(stage->steps);
	free(stage->title);
	free(stage->base_name);
	platform_release(&stage->platform);
	image_config_release(&stage->image);
	strlist_release(&stage->env);
	strlist_release(&stage->args);
	free(stage);
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->stage_count; i++)
		stage_release(plan->stages[i]);
	free(plan->stages);
	free(plan->targets);
	for (size_t i = 0; i < plan->trigger_count; i++)
		ast_free(plan->triggers[i]);
	free(plan->triggers);
	strlist_release(&plan->proxy_env);
	strlist_release(&plan->unused_args);
	free(plan->hostname);
	free(plan->cache_ns);
	free(plan);
}

const char *plan_build_arg(struct planner *planner, const char *name)
{
	if (!strlist_has(&planner->used_args, name))
		strlist_add(&planner->used_args, name);
	return strlist_env_get(planner->input->build_args, name);
}

/* An instruction that is not in the Buildfile. */
static int plan_text(struct planner *planner, struct plan_stage *stage, const char *text,
		     bool is_trigger, struct err *err)
{
	struct origin origin = { .is_trigger = is_trigger, .stage = stage->number };
	struct plan *plan = planner->plan;
	struct ast *ast = parse_trigger(text, err);

	if (!ast)
		return err_prefix(err, "image '%s'", stage->base_name);
	plan->triggers = mem_resize(plan->triggers, plan->trigger_count + 1, sizeof(struct ast *));
	plan->triggers[plan->trigger_count++] = ast;
	origin.ast = ast;
	return plan_instruction(planner, stage, &origin, ast->stages[0]->instructions[0], err);
}

/* What the base left for its children to do, before their own instructions. */
static int run_triggers(struct planner *planner, struct plan_stage *stage, struct err *err)
{
	auto_strlist struct strlist texts = STRLIST_INIT;

	strlist_copy(&texts, &stage->image.config.on_build);
	strlist_release(&stage->image.config.on_build);
	if (stage->base_directory) {
		auto_free char *copy = str_format("COPY --from=%s / /", stage->base_directory);

		return plan_text(planner, stage, copy, false, err);
	}
	for (size_t i = 0; i < texts.count; i++)
		if (plan_text(planner, stage, texts.items[i], true, err) < 0)
			return -1;
	return 0;
}

/* --env */
static int add_given_env(struct planner *planner, struct plan_stage *stage, struct err *err)
{
	auto_free char *text = plan_changes_env_text(&planner->input->changes);

	return text ? plan_text(planner, stage, text, false, err) : 0;
}

/* "->arm/v7": what a stage on another platform is done for. */
static void put_other_target(const struct platform *on, const struct platform *target,
			     struct strbuf *out)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (platform_match(target, on) >= 0)
		return;
	platform_format(target, &text);
	strbuf_printf(out, "->%s",
		      strcmp(on->os, target->os) == 0 ? strchr(text.data, '/') + 1 : text.data);
}

/* With several platforms, also for which. */
static void name_stage(struct planner *planner, struct plan_stage *stage)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (planner->input->platforms->is_index) {
		platform_format(&stage->platform, &text);
		put_other_target(&stage->platform, planner->target, &text);
	}
	if (text.len && (stage->stage->name || planner->ast->stage_count > 1))
		strbuf_putc(&text, ' ');
	if (stage->stage->name)
		strbuf_puts(&text, stage->stage->name);
	else if (planner->ast->stage_count > 1)
		strbuf_printf(&text, "stage-%zu", stage->number);
	stage->title = text.len ? strbuf_steal(&text) : str_dup("");
}

static int fill_stage(struct planner *planner, struct plan_stage *stage, struct err *err)
{
	struct origin origin = { .ast = planner->ast, .stage = stage->number };

	if (plan_base(planner, stage, err) < 0)
		return -1;
	name_stage(planner, stage);
	if (run_triggers(planner, stage, err) < 0 || add_given_env(planner, stage, err) < 0)
		return -1;
	for (size_t i = 0; i < stage->stage->instruction_count; i++)
		if (plan_instruction(planner, stage, &origin, stage->stage->instructions[i], err) <
		    0)
			return -1;
	return 0;
}

static int refuse_depth(const struct planner *planner, size_t number, struct err *err)
{
	const struct stage *stage = planner->ast->stages[number];
	struct position at = { stage->line_start, stage->column };

	err_set(err, ERR_INPUT, "more than %d stages in a row need each the one before",
		PLAN_DEPTH_MAX);
	return source_locate(err, &planner->ast->source, at, "FROM");
}

int plan_stage(struct planner *planner, size_t number, size_t *out_index, struct err *err)
{
	struct plan *plan = planner->plan;
	struct plan_stage *stage;

	if (planner->positions[number] >= 0) {
		*out_index = (size_t)planner->positions[number];
		return 0;
	}
	if (planner->depth == PLAN_DEPTH_MAX)
		return refuse_depth(planner, number, err);
	planner->depth++;
	stage = mem_alloc(sizeof(*stage));
	stage->stage = planner->ast->stages[number];
	stage->number = number;
	stage->is_uncached = planner->uncached[number];
	if (fill_stage(planner, stage, err) < 0) {
		stage_release(stage);
		return -1;
	}

	plan->stages = mem_resize(plan->stages, plan->stage_count + 1, sizeof(*plan->stages));
	plan->stages[plan->stage_count] = stage;
	planner->positions[number] = (int)plan->stage_count;
	planner->depth--;
	*out_index = plan->stage_count++;
	return 0;
}

static void set_global(struct planner *planner, const char *name, const char *value)
{
	const char *given = plan_build_arg(planner, name);

	strlist_env_set(&planner->globals, name, given ? given : value ? value : "");
}

/* BUILDPLATFORM, BUILDOS and so on; @kind is "BUILD" or "TARGET". */
static void set_platform_args(struct planner *planner, const char *kind,
			      const struct platform *platform)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	const struct {
		const char *name;
		const char *value;
	} args[] = {
		{ "PLATFORM", NULL },
		{ "OS", platform->os },
		{ "OSVERSION", platform->os_version },
		{ "ARCH", platform->architecture },
		{ "VARIANT", platform->variant },
	};

	platform_format(platform, &text);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		auto_free char *name = str_format("%s%s", kind, args[i].name);

		set_global(planner, name, i == 0 ? text.data : args[i].value);
	}
}

/* The ARGs before the first FROM; later ones may refer to earlier ones. */
static int set_global_args(struct planner *planner, struct err *err)
{
	const struct ast *ast = planner->ast;

	for (size_t i = 0; i < ast->global_count; i++) {
		const struct keyvalue_instruction *arg = &ast->globals[i]->keyvalue;

		for (size_t k = 0; k < arg->count; k++) {
			struct expand_scope scope = { .env = &planner->globals };
			auto_free char *key = NULL;
			auto_free char *value = NULL;
			const char *given;

			if (expand_pair(arg->pairs[k].key, arg->pairs[k].value, &scope,
					ast->directives.escape, &key, &value, err) < 0)
				return ast_locate(err, ast, ast->globals[i]);
			given = plan_build_arg(planner, key);
			if (given || value)
				strlist_env_set(&planner->globals, key, given ? given : value);
		}
	}
	return 0;
}

int plan_globals(struct planner *planner, size_t number, const struct platform *platform,
		 struct err *err)
{
	const char *name = planner->ast->stages[number]->name;

	planner->target = platform;
	strlist_release(&planner->globals);
	set_platform_args(planner, "BUILD", &planner->input->platforms->native);
	set_platform_args(planner, "TARGET", platform);
	set_global(planner, "TARGETSTAGE", name ? name : "default");
	return set_global_args(planner, err);
}

bool plan_find_stage(const struct ast *ast, const char *text, size_t *out_number)
{
	int number = ast_find_stage(ast, text, ast->stage_count);
	unsigned long index;
	char *end;

	if (number >= 0) {
		*out_number = (size_t)number;
		return true;
	}
	index = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || index >= ast->stage_count)
		return false;
	*out_number = index;
	return true;
}

int plan_target(const struct planner *planner, size_t *out_number, struct err *err)
{
	const struct ast *ast = planner->ast;
	const char *target = planner->input->target;

	*out_number = ast->stage_count - 1;
	if (!target || target[0] == '\0' || plan_find_stage(ast, target, out_number))
		return 0;
	return err_set(err, ERR_INPUT, "target stage '%s' is not in %s", target, ast->source.name);
}

/* Build arguments with a meaning of their own, which need no ARG. */
static const char *const builtin_args[] = {
	"BUILDKIT_BUILD_NAME",       "BUILDKIT_CACHE_MOUNT_NS", "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
	"BUILDKIT_DOCKERFILE_CHECK", "BUILDKIT_MULTI_PLATFORM", "BUILDKIT_SANDBOX_HOSTNAME",
	"BUILDKIT_SYNTAX",           "SOURCE_DATE_EPOCH",       NULL
};

static bool is_builtin_arg(const char *name)
{
	for (size_t i = 0; builtin_args[i]; i++)
		if (strcmp(name, builtin_args[i]) == 0)
			return true;
	return plan_is_proxy(name);
}

static void note_unused_args(struct planner *planner)
{
	const struct strlist *given = planner->input->build_args;

	for (size_t i = 0; i < given->count; i++) {
		auto_free char *name = str_ndup(given->items[i], strcspn(given->items[i], "="));

		if (!is_builtin_arg(name) && !strlist_has(&planner->used_args, name))
			strlist_add(&planner->plan->unused_args, name);
	}
}

/* The user's word counts for more than the base's: it may know nothing better, or be wrong. */
static void set_platform(const struct planner *planner, struct plan_stage *target)
{
	const struct platform *wanted = planner->target;
	struct platform *platform = &target->image.platform;
	bool is_same = platform->os && platform->architecture &&
		       strcmp(platform->os, wanted->os) == 0 &&
		       strcmp(platform->architecture, wanted->architecture) == 0;

	if (planner->input->platforms->is_explicit && (!is_same || wanted->variant))
		platform_copy(platform, wanted);
}

/* All that one of the platforms needs. */
static int make_target(struct planner *planner, size_t number, const struct platform *platform,
		       struct err *err)
{
	struct plan *plan = planner->plan;
	size_t index;
	size_t also;

	for (size_t i = 0; i < planner->ast->stage_count; i++)
		planner->positions[i] = -1;
	if (plan_globals(planner, number, platform, err) < 0)
		return -1;
	also = planner->input->all_stages                    ? planner->ast->stage_count
	       : planner->input->changes.keeps_unused_stages ? number
							     : 0;
	for (size_t i = 0; i < also; i++)
		if (plan_stage(planner, i, &index, err) < 0)
			return -1;
	if (plan_stage(planner, number, &index, err) < 0)
		return -1;
	plan_change_image(planner, plan->stages[index]);
	set_platform(planner, plan->stages[index]);
	plan->targets[plan->target_count++] = index;
	return 0;
}

static int make(struct planner *planner, struct err *err)
{
	const struct platforms *platforms = planner->input->platforms;
	const char *hostname = plan_build_arg(planner, "BUILDKIT_SANDBOX_HOSTNAME");
	const char *cache_ns = plan_build_arg(planner, "BUILDKIT_CACHE_MOUNT_NS");
	size_t number;

	if (plan_target(planner, &number, err) < 0 || plan_set_uncached(planner, err) < 0)
		return -1;
	plan_set_proxies(planner);
	planner->plan->hostname = str_dup(hostname && hostname[0] ? hostname : "buildkitsandbox");
	planner->plan->cache_ns = str_dup(cache_ns ? cache_ns : "");
	planner->plan->targets = mem_array(platforms->count, sizeof(size_t));
	for (size_t i = 0; i < platforms->count; i++)
		if (make_target(planner, number, &platforms->targets[i], err) < 0)
			return -1;
	note_unused_args(planner);
	return 0;
}

struct plan *plan_make(const struct plan_input *input, struct err *err)
{
	struct planner planner = { .input = input, .ast = input->ast };
	int result;

	planner.plan = mem_alloc(sizeof(*planner.plan));
	planner.positions = mem_array(input->ast->stage_count, sizeof(int));
	result = make(&planner, err);
	strlist_release(&planner.globals);
	strlist_release(&planner.used_args);
	free(planner.positions);
	free(planner.uncached);
	if (result < 0) {
		plan_free(planner.plan);
		return NULL;
	}
	return planner.plan;
}
