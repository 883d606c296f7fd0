/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the rules that depend on the values of variables and on what a stage has
 * from its base. It walks the stages in the order of the file, as the plan does, and keeps
 * only what the rules ask for; FROM is looked at in check-from.c. What a base image brings
 * along is unknown when the image is not in the store: a variable is then reported only
 * when its name is nearly that of one which is known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/check-values-internal.h"
#include "builder/expand.h"
#include "builder/plan-internal.h"
#include "builder/value.h"
#include "common/cmdline.h"
#include "common/mem.h"
#include "layers/ref.h"

#define SUGGESTIONS_MAX 200 /* so many variables are compared with known ones, */
#define NAMES_MAX       500 /* with so many of them */

/* ---- variables ---- */

const char *check_values_suggest(struct walk *walk, const char *name, const struct strlist *env)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	const char *near;

	if (env->count == 0 || ++walk->suggestion_count > SUGGESTIONS_MAX)
		return NULL;
	for (size_t i = 0; i < env->count && i < NAMES_MAX; i++)
		strlist_take(&names, str_ndup(env->items[i], strcspn(env->items[i], "=")));
	near = cmdline_nearest(name, (const char *const *)names.items);
	for (size_t i = 0; near && i < names.count; i++)
		if (strcmp(names.items[i], near) == 0)
			return env->items[i]; /* "KEY=value": it outlives the names */
	return NULL;
}

static void report_unset(struct walk *walk, const struct surroundings *around,
			 const struct instruction *instruction, const struct strlist *unset)
{
	for (size_t i = 0; i < unset->count; i++) {
		const char *name = unset->items[i];
		const char *near;

		if (strlist_has(&around->args, name))
			continue;
		near = check_values_suggest(walk, name, &around->env);
		if (near)
			check_warn(walk->report, CHECK_UNDEFINED_VAR, check_at(instruction),
				   "variable '$%s' is not defined (did you mean $%.*s?)", name,
				   (int)strcspn(near, "="), near);
		else if (!around->is_base_unknown)
			check_warn(walk->report, CHECK_UNDEFINED_VAR, check_at(instruction),
				   "variable '$%s' is not defined", name);
	}
}

/*
 * @word expanded, with a report of what is not defined; the caller's to free. As written when
 * it cannot be expanded: that is an error which is said elsewhere.
 */
static char *expand(struct walk *walk, const struct surroundings *around,
		    const struct instruction *instruction, const char *word, enum expand_mode mode)
{
	auto_strlist struct strlist unset = STRLIST_INIT;
	struct expand_scope scope = { .env = &around->env, .unset = &unset };
	char escape = mode == EXPAND_HEREDOC ? '\\' : walk->ast->directives.escape;
	struct err ignored = ERR_INIT;
	char *out = NULL;

	if (expand_word(word, &scope, escape, mode, &out, &ignored) < 0)
		out = str_dup(word);
	report_unset(walk, around, instruction, &unset);
	return out;
}

static void look_at_word(struct walk *walk, const struct surroundings *around,
			 const struct instruction *instruction, const char *word)
{
	if (word)
		free(expand(walk, around, instruction, word, EXPAND_WORD));
}

/* ---- instructions ---- */

/* One of @words stands in @name, between "_" and the ends. */
static bool has_word(const char *name, const char *const *words)
{
	for (const char *p = name; *p;) {
		size_t len = strcspn(p, "_");

		for (size_t i = 0; words[i]; i++)
			if (strlen(words[i]) == len && strncasecmp(p, words[i], len) == 0)
				return true;
		p += len;
		p += *p == '_';
	}
	return false;
}

static void look_for_secret(struct walk *walk, const struct instruction *instruction,
			    const char *name)
{
	static const char *const secret[] = { "apikey", "auth",   "credential", "credentials",
					      "key",    "passwd", "password",   "pword",
					      "secret", "token",  NULL };
	static const char *const harmless[] = { "public", "file", "version", NULL };

	if (has_word(name, secret) && !has_word(name, harmless))
		check_warn(walk->report, CHECK_SECRETS_USED_IN_ARG_OR_ENV, check_at(instruction),
			   "%s '%s' looks like a secret and stays in the image: "
			   "RUN --mount=type=secret leaves nothing",
			   instruction_name(instruction->kind), name);
}

/* All words see what was there before the instruction. */
static void look_at_env(struct walk *walk, struct surroundings *around,
			const struct instruction *instruction)
{
	const struct keyvalue_instruction *list = &instruction->keyvalue;
	char **keys = mem_array(list->count, sizeof(char *));
	char **values = mem_array(list->count, sizeof(char *));

	for (size_t i = 0; i < list->count; i++) {
		keys[i] = expand(walk, around, instruction, list->pairs[i].key, EXPAND_WORD);
		values[i] = expand(walk, around, instruction, list->pairs[i].value, EXPAND_WORD);
	}
	for (size_t i = 0; i < list->count; i++) {
		if (instruction->kind == INSTRUCTION_ENV) {
			look_for_secret(walk, instruction, keys[i]);
			strlist_env_set(&around->env, keys[i], values[i]);
		}
		free(keys[i]);
		free(values[i]);
	}
	free(keys);
	free(values);
}

static void look_at_arg(struct walk *walk, struct surroundings *around,
			const struct instruction *instruction)
{
	for (size_t i = 0; i < instruction->keyvalue.count; i++) {
		const struct keyvalue *pair = &instruction->keyvalue.pairs[i];
		const char *value = strlist_env_get(walk->input->build_args, pair->key);
		auto_free char *expanded = NULL;

		look_for_secret(walk, instruction, pair->key);
		if (!value && pair->value) {
			expanded = expand(walk, around, instruction, pair->value, EXPAND_WORD);
			value = expanded;
		} else if (!value) {
			value = strlist_env_get(&walk->globals, pair->key);
		}
		if (value)
			strlist_env_set(&around->env, pair->key, value);
		else if (!strlist_has(&around->args, pair->key))
			strlist_add(&around->args, pair->key);
	}
}

static void look_at_expose(struct walk *walk, struct surroundings *around,
			   const struct instruction *instruction)
{
	for (size_t i = 0; i < instruction->words.count; i++) {
		const char *word = instruction->words.items[i];
		auto_free char *text = expand(walk, around, instruction, word, EXPAND_WORD);
		char *rest = NULL;

		for (char *port = strtok_r(text, " \t", &rest); port;
		     port = strtok_r(NULL, " \t", &rest)) {
			struct err ignored = ERR_INIT;
			unsigned notes = 0;

			if (value_ports(port, NULL, &notes, &ignored) < 0)
				continue;
			if (notes & VALUE_PORT_CASE)
				check_warn(walk->report, CHECK_EXPOSE_PROTO_CASING,
					   check_at(instruction),
					   "the protocol in '%s' is not lower case", port);
			if (notes & VALUE_PORT_MAPPING)
				check_warn(walk->report, CHECK_EXPOSE_INVALID_FORMAT,
					   check_at(instruction),
					   "'%s' has an address or a host's port, which EXPOSE "
					   "does not use",
					   port);
		}
	}
}

static void look_at_workdir(struct walk *walk, struct surroundings *around,
			    const struct instruction *instruction)
{
	auto_free char *path = expand(walk, around, instruction, instruction->word, EXPAND_WORD);

	if (!around->has_workdir && path[0] != '/')
		check_warn(walk->report, CHECK_WORKDIR_RELATIVE_PATH, check_at(instruction),
			   "'%s' is relative to a directory that the base image decides", path);
	around->has_workdir = true;
}

static void look_at_command(struct walk *walk, const struct surroundings *around,
			    const struct instruction *instruction)
{
	if (instruction->command.is_exec || around->has_shell)
		return;
	check_warn(walk->report, CHECK_JSON_ARGS_RECOMMENDED, check_at(instruction),
		   "%s in JSON form gets signals itself; here a shell stands between",
		   instruction_name(instruction->kind));
}

static bool is_remote(const char *path)
{
	return strstr(path, "://") || strncmp(path, "git@", 4) == 0;
}

/* With exceptions in the ignore file nothing certain can be said. */
static void look_for_ignored(struct walk *walk, const struct instruction *instruction,
			     const char *path)
{
	const struct ignore *ignore = walk->input->ignore;
	auto_free char *clean = NULL;
	bool is_root;

	if (!ignore || ignore->has_exceptions || instruction->copy.from || is_remote(path))
		return;
	clean = plan_path("/", path);
	is_root = strcmp(clean, "/") == 0;
	/* of the whole context: is a name left out that no pattern spells? */
	if (ignore_match(ignore, is_root ? "\x01" : clean + 1))
		check_warn(walk->report, CHECK_COPY_IGNORED_FILE, check_at(instruction),
			   "%s of '%s', which the ignore file leaves out",
			   instruction_name(instruction->kind), path);
}

static void look_at_copy(struct walk *walk, const struct surroundings *around,
			 const struct instruction *instruction)
{
	const struct copy_instruction *copy = &instruction->copy;

	for (size_t i = 0; i < copy->source_count; i++) {
		const struct copy_source *source = &copy->sources[i];
		auto_free char *path = NULL;

		if (!source->path)
			continue;
		path = expand(walk, around, instruction, source->path, EXPAND_WORD);
		look_for_ignored(walk, instruction, path);
	}
	for (size_t i = 0; i < copy->heredoc_count; i++)
		if (copy->heredocs[i].should_expand)
			free(expand(walk, around, instruction, copy->heredocs[i].body,
				    EXPAND_HEREDOC));
	look_at_word(walk, around, instruction, copy->dest);
	look_at_word(walk, around, instruction, copy->chown);
	look_at_word(walk, around, instruction, copy->chmod);
	look_at_word(walk, around, instruction, copy->checksum);
}

static void look_at(struct walk *walk, struct surroundings *around,
		    const struct instruction *instruction)
{
	switch (instruction->kind) {
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		look_at_copy(walk, around, instruction);
		break;
	case INSTRUCTION_ARG:
		look_at_arg(walk, around, instruction);
		break;
	case INSTRUCTION_CMD:
	case INSTRUCTION_ENTRYPOINT:
		look_at_command(walk, around, instruction);
		break;
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		look_at_env(walk, around, instruction);
		break;
	case INSTRUCTION_EXPOSE:
		look_at_expose(walk, around, instruction);
		break;
	case INSTRUCTION_RUN:
		for (size_t i = 0; i < instruction->run.mount_count; i++)
			free(expand(walk, around, instruction, instruction->run.mounts[i].text,
				    EXPAND_KEEP_QUOTES));
		break;
	case INSTRUCTION_SHELL:
		around->has_shell = true;
		break;
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_USER:
		look_at_word(walk, around, instruction, instruction->word);
		break;
	case INSTRUCTION_VOLUME:
		for (size_t i = 0; i < instruction->words.count; i++)
			look_at_word(walk, around, instruction, instruction->words.items[i]);
		break;
	case INSTRUCTION_WORKDIR:
		look_at_workdir(walk, around, instruction);
		break;
	case INSTRUCTION_FROM:
	case INSTRUCTION_HEALTHCHECK:
	case INSTRUCTION_MAINTAINER:
	case INSTRUCTION_ONBUILD:
		break;
	}
}

/* ---- the whole ---- */

/* With no build arguments, is each base a name? */
static void look_at_defaults(struct walk *walk, size_t target)
{
	static const struct strlist nothing = STRLIST_INIT;
	struct plan_input input = { .build_args = &nothing, .platforms = walk->input->platforms };
	struct planner planner = { .input = &input, .ast = walk->ast };
	struct err ignored = ERR_INIT;
	bool is_usable = plan_globals(&planner, target, walk->platform, &ignored) == 0;

	for (size_t i = 0; is_usable && i < walk->ast->stage_count; i++) {
		const struct stage *stage = walk->ast->stages[i];
		auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
		struct expand_scope scope = { .env = &planner.globals };
		auto_free char *name = NULL;

		if (!strchr(stage->base, '$') ||
		    expand_word(stage->base, &scope, walk->ast->directives.escape, EXPAND_WORD,
				&name, &ignored) < 0 ||
		    ast_find_stage(walk->ast, name, i) >= 0)
			continue;
		if (image_ref_parse(name, &ref, &ignored) < 0)
			check_warn(walk->report, CHECK_INVALID_DEFAULT_ARG_IN_FROM,
				   check_at_stage(stage),
				   "with the defaults of its ARGs '%s' is no name of an image",
				   stage->base);
	}
	strlist_release(&planner.globals);
	strlist_release(&planner.used_args);
}

static int find_globals(struct walk *walk, size_t *out_target, struct err *err)
{
	struct plan_input input = { .build_args = walk->input->build_args,
				    .target = walk->input->target,
				    .platforms = walk->input->platforms };
	struct planner planner = { .input = &input, .ast = walk->ast };
	int result = plan_target(&planner, out_target, err);

	if (result == 0)
		result = plan_globals(&planner, *out_target, walk->platform, err);
	walk->globals = planner.globals;
	strlist_release(&planner.used_args);
	for (size_t i = 0; i < walk->ast->global_count; i++)
		for (size_t k = 0; k < walk->ast->globals[i]->keyvalue.count; k++)
			strlist_add(&walk->declared, walk->ast->globals[i]->keyvalue.pairs[k].key);
	return result;
}

static void look_at_stages(struct walk *walk)
{
	for (size_t i = 0; i < walk->ast->stage_count; i++) {
		const struct stage *stage = walk->ast->stages[i];

		check_values_from(walk, i);
		if (walk->input->needed && !walk->input->needed[i])
			continue;
		for (size_t k = 0; k < stage->instruction_count; k++)
			look_at(walk, &walk->stages[i], stage->instructions[k]);
	}
}

int check_values(const struct check_input *input, const struct platform *platform,
		 struct check_report *report, struct err *err)
{
	struct walk walk = {
		.input = input, .ast = input->ast, .platform = platform, .report = report
	};
	size_t target = 0;
	int result;

	walk.stages = mem_array(input->ast->stage_count, sizeof(*walk.stages));
	result = find_globals(&walk, &target, err);
	if (result == 0) {
		look_at_defaults(&walk, target);
		look_at_stages(&walk);
	}
	for (size_t i = 0; i < input->ast->stage_count; i++) {
		strlist_release(&walk.stages[i].env);
		strlist_release(&walk.stages[i].args);
	}
	free(walk.stages);
	strlist_release(&walk.globals);
	strlist_release(&walk.declared);
	return result;
}
