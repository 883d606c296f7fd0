/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the rules about FROM, and for what a stage has from its base. */
#include <string.h>

#include "builder/check-values-internal.h"
#include "builder/expand.h"
#include "builder/plan-internal.h"
#include "common/mem.h"

char *check_values_expand_from(struct walk *walk, const char *word, struct strlist *out_used,
			       struct strlist *out_unset)
{
	struct expand_scope scope = { .env = &walk->globals, .used = out_used, .unset = out_unset };
	struct err ignored = ERR_INIT;
	char *out = NULL;

	if (expand_word(word, &scope, walk->ast->directives.escape, EXPAND_WORD, &out, &ignored) <
	    0)
		return NULL;
	return out;
}

static void report_unset_from(struct walk *walk, const struct stage *stage,
			      const struct strlist *unset)
{
	for (size_t i = 0; i < unset->count; i++) {
		const char *near;

		if (strlist_has(&walk->declared, unset->items[i]))
			continue;
		near = check_values_suggest(walk, unset->items[i], &walk->globals);
		if (near)
			check_warn(walk->report, CHECK_UNDEFINED_ARG_IN_FROM, check_at_stage(stage),
				   "no ARG '%s' before the first FROM (did you mean %.*s?)",
				   unset->items[i], (int)strcspn(near, "="), near);
		else
			check_warn(walk->report, CHECK_UNDEFINED_ARG_IN_FROM, check_at_stage(stage),
				   "no ARG '%s' before the first FROM", unset->items[i]);
	}
}

static void look_at_platform(struct walk *walk, const struct stage *stage,
			     struct platform *out_platform)
{
	auto_strlist struct strlist used = STRLIST_INIT;
	auto_strlist struct strlist unset = STRLIST_INIT;
	auto_free char *text = check_values_expand_from(walk, stage->platform, &used, &unset);
	const char *target = strlist_env_get(&walk->globals, "TARGETPLATFORM");
	struct err ignored = ERR_INIT;

	report_unset_from(walk, stage, &unset);
	if (!text || platform_parse(text, out_platform, &ignored) < 0)
		return;
	if (used.count == 1 && unset.count == 0 && strcmp(used.items[0], "TARGETPLATFORM") == 0 &&
	    target && strcmp(text, target) == 0)
		check_warn(walk->report, CHECK_REDUNDANT_TARGET_PLATFORM, check_at_stage(stage),
			   "--platform=%s says what is so without it", stage->platform);
	if (used.count > 0 || unset.count > 0)
		return;
	if (stage->name && (strstr(stage->name, out_platform->os) ||
			    strstr(stage->name, out_platform->architecture)))
		return;
	check_warn(walk->report, CHECK_FROM_PLATFORM_FLAG_CONST_DISALLOWED, check_at_stage(stage),
		   "--platform=%s is the same whatever is built for", text);
}

static void inherit_image(struct walk *walk, struct surroundings *around, const struct stage *stage,
			  const char *name, const struct platform *wanted)
{
	const struct image_config *image = NULL;
	auto_strbuf struct strbuf want = STRBUF_INIT;
	auto_strbuf struct strbuf have = STRBUF_INIT;

	if (walk->input->find_image)
		image = walk->input->find_image(walk->input->context, name, wanted);
	around->is_base_unknown = !image;
	if (!image)
		return;
	strlist_copy(&around->env, &image->config.env);
	around->has_shell = image->config.has_shell && image->config.shell.count > 0;
	if (!image->platform.os || !image->platform.architecture ||
	    (strcmp(image->platform.os, wanted->os) == 0 &&
	     strcmp(image->platform.architecture, wanted->architecture) == 0))
		return;
	platform_format(wanted, &want);
	platform_format(&image->platform, &have);
	check_warn(walk->report, CHECK_INVALID_BASE_IMAGE_PLATFORM, check_at_stage(stage),
		   "'%s' is for platform %s, and %s is built", name, have.data, want.data);
}

static void inherit_stage(struct surroundings *around, const struct surroundings *base)
{
	strlist_copy(&around->env, &base->env);
	strlist_copy(&around->args, &base->args);
	around->is_base_unknown = base->is_base_unknown;
	around->has_shell = base->has_shell;
	around->has_workdir = base->has_workdir;
}

void check_values_from(struct walk *walk, size_t number)
{
	const struct stage *stage = walk->ast->stages[number];
	struct surroundings *around = &walk->stages[number];
	auto_strlist struct strlist unset = STRLIST_INIT;
	auto_platform struct platform platform = { 0 };
	auto_free char *base = check_values_expand_from(walk, stage->base, NULL, &unset);
	const struct named_context *named;
	int found;

	report_unset_from(walk, stage, &unset);
	if (stage->platform)
		look_at_platform(walk, stage, &platform);
	if (walk->input->needed && !walk->input->needed[number])
		return;
	found = base ? ast_find_stage(walk->ast, base, number) : -1;
	named = base && strcmp(base, "scratch") != 0 ? named_find(walk->input->named, base) : NULL;
	if (named && named->kind == NAMED_IMAGE)
		inherit_image(walk, around, stage, named->image,
			      platform.os ? &platform : walk->platform);
	else if (!named && found >= 0)
		inherit_stage(around, &walk->stages[found]);
	else if (!base)
		around->is_base_unknown = true;
	else if (!named && strcmp(base, "scratch") != 0)
		inherit_image(walk, around, stage, base, platform.os ? &platform : walk->platform);
	if (!strlist_env_get(&around->env, "PATH"))
		strlist_env_set(&around->env, "PATH", PLAN_PATH_DEFAULT);
}
