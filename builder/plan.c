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

/* FROM's words know nothing but the global ARGs. */
static int expand_global(struct planner *planner, const char *word, struct position at, char **out,
			 struct err *err)
{
	struct expand_scope scope = { .env = &planner->globals };

	if (expand_word(word, &scope, planner->ast->directives.escape, EXPAND_WORD, out, err) < 0)
		return source_locate(err, &planner->ast->source, at, "FROM");
	return 0;
}

static int check_platform(struct planner *planner, const struct stage *stage, struct err *err)
{
	struct position at = { stage->line_start, stage->column };
	auto_platform struct platform platform = { 0 };
	auto_free char *text = NULL;

	if (!stage->platform)
		return 0;
	if (expand_global(planner, stage->platform, at, &text, err) < 0)
		return -1;
	if (platform_parse(text, &platform, err) < 0)
		return source_locate(err, &planner->ast->source, at, "FROM");
	if (platform_match(&planner->input->platform, &platform) < 0) {
		err_set(err, ERR_INPUT, "platform '%s' is not supported: only this machine's",
			text);
		return source_locate(err, &planner->ast->source, at, "FROM");
	}
	return 0;
}

static int base_on_stage(struct planner *planner, struct plan_stage *stage, size_t number,
			 struct err *err)
{
	const struct plan_stage *base;

	if (plan_stage(planner, number, &stage->base_index, err) < 0)
		return -1;
	base = planner->plan->stages[stage->base_index];
	stage->base = BASE_STAGE;
	image_config_copy(&stage->image, &base->image);
	strlist_copy(&stage->env, &base->env);
	strlist_copy(&stage->args, &base->args);
	return 0;
}

static void base_on_scratch(struct planner *planner, struct plan_stage *stage)
{
	stage->base = BASE_SCRATCH;
	platform_copy(&stage->image.platform, &planner->input->platform);
	stage->image.config.working_dir = str_dup("/");
}

static int base_on_image(struct planner *planner, struct plan_stage *stage, const char *name,
			 struct err *err)
{
	const struct image_config *image;

	if (planner->input->get_image(planner->input->context, name, &image, &stage->base_index,
				      err) < 0)
		return source_locate(err, &planner->ast->source, stage->stage->base_at, "FROM");
	stage->base = BASE_IMAGE;
	image_config_copy(&stage->image, image);
	free(stage->image.created);
	stage->image.created = NULL;
	strlist_copy(&stage->env, &stage->image.config.env);
	return 0;
}

static int name_base(struct planner *planner, struct plan_stage *stage, struct err *err)
{
	if (planner->input->changes.from && stage->number == 0) {
		stage->base_name = str_dup(planner->input->changes.from);
		return 0;
	}
	return expand_global(planner, stage->stage->base, stage->stage->base_at, &stage->base_name,
			     err);
}

static int find_base(struct planner *planner, struct plan_stage *stage, struct err *err)
{
	struct image_config *image = &stage->image;
	const struct named_context *named = NULL;
	int number;

	if (name_base(planner, stage, err) < 0)
		return -1;
	if (stage->base_name[0] == '\0') {
		err_set(err, ERR_INPUT, "the name '%s' comes out empty", stage->stage->base);
		return source_locate(err, &planner->ast->source, stage->stage->base_at, "FROM");
	}
	if (check_platform(planner, stage->stage, err) < 0)
		return -1;

	number = ast_find_stage(planner->ast, stage->base_name, stage->number);
	if (strcmp(stage->base_name, "scratch") != 0)
		named = named_find(planner->input->named, stage->base_name);
	if (named && named->kind == NAMED_IMAGE) {
		if (base_on_image(planner, stage, named->image, err) < 0)
			return -1;
	} else if (named) {
		base_on_scratch(planner, stage);
		stage->base_directory = named->name;
	} else if (number >= 0) {
		if (base_on_stage(planner, stage, (size_t)number, err) < 0)
			return -1;
	} else if (strcmp(stage->base_name, "scratch") == 0) {
		base_on_scratch(planner, stage);
	} else if (base_on_image(planner, stage, stage->base_name, err) < 0) {
		return -1;
	}

	if (!strlist_env_get(&image->config.env, "PATH")) {
		strlist_env_set(&image->config.env, "PATH", PLAN_PATH_DEFAULT);
		strlist_env_set(&stage->env, "PATH", PLAN_PATH_DEFAULT);
	}
	return 0;
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

static void name_stage(struct planner *planner, struct plan_stage *stage)
{
	if (stage->stage->name)
		stage->title = str_dup(stage->stage->name);
	else if (planner->ast->stage_count > 1)
		stage->title = str_format("stage-%zu", stage->number);
	else
		stage->title = str_dup("");
}

static int fill_stage(struct planner *planner, struct plan_stage *stage, struct err *err)
{
	struct origin origin = { .ast = planner->ast, .stage = stage->number };

	name_stage(planner, stage);
	if (find_base(planner, stage, err) < 0 || run_triggers(planner, stage, err) < 0 ||
	    add_given_env(planner, stage, err) < 0)
		return -1;
	for (size_t i = 0; i < stage->stage->instruction_count; i++)
		if (plan_instruction(planner, stage, &origin, stage->stage->instructions[i], err) <
		    0)
			return -1;
	return 0;
}

int plan_stage(struct planner *planner, size_t number, size_t *out_index, struct err *err)
{
	struct plan *plan = planner->plan;
	struct plan_stage *stage;

	if (planner->positions[number] >= 0) {
		*out_index = (size_t)planner->positions[number];
		return 0;
	}
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
	*out_index = plan->stage_count++;
	return 0;
}

static void set_global(struct planner *planner, const char *name, const char *value)
{
	const char *given = plan_build_arg(planner, name);

	strlist_env_set(&planner->globals, name, given ? given : value ? value : "");
}

static void set_platform_args(struct planner *planner, const char *target_name)
{
	const struct platform *platform = &planner->input->platform;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	platform_format(platform, &text);
	set_global(planner, "BUILDPLATFORM", text.data);
	set_global(planner, "BUILDOS", platform->os);
	set_global(planner, "BUILDOSVERSION", platform->os_version);
	set_global(planner, "BUILDARCH", platform->architecture);
	set_global(planner, "BUILDVARIANT", platform->variant);
	set_global(planner, "TARGETPLATFORM", text.data);
	set_global(planner, "TARGETOS", platform->os);
	set_global(planner, "TARGETOSVERSION", platform->os_version);
	set_global(planner, "TARGETARCH", platform->architecture);
	set_global(planner, "TARGETVARIANT", platform->variant);
	set_global(planner, "TARGETSTAGE", target_name ? target_name : "default");
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

int plan_globals(struct planner *planner, size_t target, struct err *err)
{
	set_platform_args(planner, planner->ast->stages[target]->name);
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

static int make(struct planner *planner, struct err *err)
{
	const char *hostname = plan_build_arg(planner, "BUILDKIT_SANDBOX_HOSTNAME");
	const char *cache_ns = plan_build_arg(planner, "BUILDKIT_CACHE_MOUNT_NS");
	size_t number;
	size_t index;
	size_t also;

	if (plan_target(planner, &number, err) < 0 || plan_globals(planner, number, err) < 0 ||
	    plan_set_uncached(planner, err) < 0)
		return -1;
	plan_set_proxies(planner);
	planner->plan->hostname = str_dup(hostname && hostname[0] ? hostname : "buildkitsandbox");
	planner->plan->cache_ns = str_dup(cache_ns ? cache_ns : "");
	also = planner->input->all_stages                    ? planner->ast->stage_count
	       : planner->input->changes.keeps_unused_stages ? number
							     : 0;
	for (size_t i = 0; i < also; i++)
		if (plan_stage(planner, i, &index, err) < 0)
			return -1;
	if (plan_stage(planner, number, &index, err) < 0)
		return -1;
	plan_change_image(planner, planner->plan->stages[index]);
	note_unused_args(planner);
	return 0;
}

struct plan *plan_make(const struct plan_input *input, struct err *err)
{
	struct planner planner = { .input = input, .ast = input->ast };
	int result;

	planner.plan = mem_alloc(sizeof(*planner.plan));
	planner.positions = mem_array(input->ast->stage_count, sizeof(int));
	for (size_t i = 0; i < input->ast->stage_count; i++)
		planner.positions[i] = -1;
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
