/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for FROM: for which platform, and which stage, image or files a stage
 * begins with.
 */
#include <string.h>

#include "builder/expand.h"
#include "builder/plan-internal.h"
#include "common/mem.h"

/* FROM's words know nothing but the global ARGs. */
static int expand_global(struct planner *planner, const char *word, struct position at, char **out,
			 struct err *err)
{
	struct expand_scope scope = { .env = &planner->globals };

	if (expand_word(word, &scope, planner->ast->directives.escape, EXPAND_WORD, out, err) < 0)
		return source_locate(err, &planner->ast->source, at, "FROM");
	return 0;
}

/* What FROM asks for: its --platform, else what is built for. */
static int want_platform(struct planner *planner, struct plan_stage *stage, struct err *err)
{
	const struct stage *from = stage->stage;
	struct position at = { from->line_start, from->column };
	auto_free char *text = NULL;

	if (!from->platform) {
		platform_copy(&stage->platform, planner->target);
		return 0;
	}
	if (expand_global(planner, from->platform, at, &text, err) < 0)
		return -1;
	if (text[0] == '\0')
		err_set(err, ERR_INPUT, "the platform '%s' comes out empty", from->platform);
	else if (platform_parse(text, &stage->platform, err) == 0)
		return 0;
	return source_locate(err, &planner->ast->source, at, "FROM");
}

const struct platform *plan_files_platform(const struct plan_stage *stage)
{
	const struct platform *platform = &stage->image.platform;

	return platform->os && platform->architecture ? platform : &stage->platform;
}

bool plan_is_windows(const struct plan_stage *stage)
{
	return strcmp(plan_files_platform(stage)->os, "windows") == 0;
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
	/* whatever this FROM says: its files are the base's */
	platform_copy(&stage->platform, &base->platform);
	return 0;
}

static void base_on_scratch(struct plan_stage *stage)
{
	stage->base = BASE_SCRATCH;
	platform_copy(&stage->image.platform, &stage->platform);
	stage->image.config.working_dir = str_dup("/");
}

static int base_on_image(struct planner *planner, struct plan_stage *stage, const char *name,
			 struct err *err)
{
	const struct image_config *image;

	if (planner->input->get_image(planner->input->context, name, &stage->platform, &image,
				      &stage->base_index, err) < 0)
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

int plan_base(struct planner *planner, struct plan_stage *stage, struct err *err)
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
	if (want_platform(planner, stage, err) < 0)
		return -1;

	number = ast_find_stage(planner->ast, stage->base_name, stage->number);
	if (strcmp(stage->base_name, "scratch") != 0)
		named = named_find(planner->input->named, stage->base_name);
	if (named && named->kind == NAMED_IMAGE) {
		if (base_on_image(planner, stage, named->image, err) < 0)
			return -1;
	} else if (named) {
		base_on_scratch(stage);
		stage->base_directory = named->name;
	} else if (number >= 0) {
		if (base_on_stage(planner, stage, (size_t)number, err) < 0)
			return -1;
	} else if (strcmp(stage->base_name, "scratch") == 0) {
		base_on_scratch(stage);
	} else if (base_on_image(planner, stage, stage->base_name, err) < 0) {
		return -1;
	}

	if (!strlist_env_get(&image->config.env, "PATH") && !plan_is_windows(stage)) {
		strlist_env_set(&image->config.env, "PATH", PLAN_PATH_DEFAULT);
		strlist_env_set(&stage->env, "PATH", PLAN_PATH_DEFAULT);
	}
	return 0;
}
