/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the rules that need nothing but what is written: names, cases of letters,
 * forms that are out of use. They look at all stages, needed or not, where the rule
 * is about the file, and else at those that are needed.
 */
#include <string.h>
#include <strings.h>

#include "builder/check-internal.h"

/* Beyond these, what is looked up among all that is before is not asked any more. */
#define CONTINUATIONS_MAX 100

static bool is_lower(const char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			return false;
	return true;
}

static bool is_upper(const char *s)
{
	for (; *s; s++)
		if (*s >= 'a' && *s <= 'z')
			return false;
	return true;
}

/* ---- cases ---- */

static void count_case(const char *keyword, size_t *lower, size_t *upper)
{
	if (is_lower(keyword))
		++*lower;
	else if (is_upper(keyword))
		++*upper;
}

static void check_case(const char *keyword, bool wants_lower, struct check_place at,
		       struct check_report *report)
{
	if (wants_lower ? is_lower(keyword) : is_upper(keyword))
		return;
	check_warn(report, CHECK_CONSISTENT_INSTRUCTION_CASING, at,
		   "instruction '%s' is not %s case as most are", keyword,
		   wants_lower ? "lower" : "upper");
}

static void check_cases(const struct ast *ast, struct check_report *report)
{
	size_t lower = 0;
	size_t upper = 0;

	for (size_t i = 0; i < ast->stage_count; i++) {
		const struct stage *stage = ast->stages[i];

		count_case(stage->keyword, &lower, &upper);
		for (size_t k = 0; k < stage->instruction_count; k++)
			count_case(stage->instructions[k]->keyword, &lower, &upper);
	}
	for (size_t i = 0; i < ast->stage_count; i++) {
		const struct stage *stage = ast->stages[i];

		check_case(stage->keyword, lower > upper, check_at_stage(stage), report);
		for (size_t k = 0; k < stage->instruction_count; k++)
			check_case(stage->instructions[k]->keyword, lower > upper,
				   check_at(stage->instructions[k]), report);
	}
}

/* ---- stages ---- */

/* A FROM in mixed case is ConsistentInstructionCasing's to say. */
static bool as_fits_from(const struct stage *stage)
{
	if (is_lower(stage->keyword))
		return is_lower(stage->as_keyword);
	return !is_upper(stage->keyword) || is_upper(stage->as_keyword);
}

/* A comment right above describes what it stands above, or stands in the wrong place. */
static void check_description(const struct strlist *comments, const char *keyword,
			      const struct keyvalue *pairs, size_t count, const char *name,
			      struct check_place at, struct check_report *report)
{
	const char *last = comments->count ? comments->items[comments->count - 1] : NULL;
	size_t len = last ? strcspn(last, " ") : 0;

	if (!last || (name && strlen(name) == len && strncmp(last, name, len) == 0))
		return;
	for (size_t i = 0; i < count; i++)
		if (strlen(pairs[i].key) == len && strncmp(last, pairs[i].key, len) == 0)
			return;
	check_warn(report, CHECK_INVALID_DEFINITION_DESCRIPTION, at,
		   "the comment above %s is not '# %s TEXT', and not set apart by an empty comment",
		   keyword,
		   name         ? name
		   : count == 1 ? pairs[0].key
				: "NAME");
}

static void check_stage_name(const struct ast *ast, size_t number, struct check_report *report)
{
	const struct stage *stage = ast->stages[number];
	struct check_place at = check_at_stage(stage);

	if (!stage->name)
		return;
	if (!is_lower(stage->name_as_written))
		check_warn(report, CHECK_STAGE_NAME_CASING, at,
			   "the name of stage '%s' is not lower case", stage->name_as_written);
	if (!as_fits_from(stage))
		check_warn(report, CHECK_FROM_AS_CASING, at,
			   "'%s' and '%s' are not written in the same case", stage->as_keyword,
			   stage->keyword);
	if (strcmp(stage->name, "scratch") == 0 || strcmp(stage->name, "context") == 0)
		check_warn(report, CHECK_RESERVED_STAGE_NAME, at,
			   "'%s' has a meaning of its own and is no name for a stage", stage->name);
	if (ast_find_stage(ast, stage->name, number) >= 0)
		check_warn(report, CHECK_DUPLICATE_STAGE_NAME, at,
			   "a stage before has the name '%s' too", stage->name);
	check_description(&stage->comments, "FROM", NULL, 0, stage->name, at, report);
}

/* ---- instructions ---- */

static void check_arg(const struct instruction *arg, struct check_report *report)
{
	check_description(&arg->comments, "ARG", arg->keyvalue.pairs, arg->keyvalue.count, NULL,
			  check_at(arg), report);
}

static void check_legacy(const struct instruction *instruction, struct check_report *report)
{
	if (instruction->keyvalue.count > 0 && instruction->keyvalue.pairs[0].is_legacy)
		check_warn(report, CHECK_LEGACY_KEY_VALUE_FORMAT, check_at(instruction),
			   "'%s NAME=VALUE' is the form to use, not '%s NAME VALUE'",
			   instruction_name(instruction->kind),
			   instruction_name(instruction->kind));
}

/* Of CMD, ENTRYPOINT and HEALTHCHECK only the last one counts: the one before it is told of. */
static void check_once(const struct instruction *instruction, const struct instruction **last,
		       struct check_report *report)
{
	if (*last)
		check_warn(report, CHECK_MULTIPLE_INSTRUCTIONS_DISALLOWED, check_at(*last),
			   "several %s in a stage: only the last one counts",
			   instruction_name(instruction->kind));
	*last = instruction;
}

static void check_instructions(const struct stage *stage, struct check_report *report)
{
	const struct instruction *cmd = NULL;
	const struct instruction *entrypoint = NULL;
	const struct instruction *healthcheck = NULL;

	for (size_t i = 0; i < stage->instruction_count; i++) {
		const struct instruction *instruction = stage->instructions[i];

		if (instruction->kind == INSTRUCTION_CMD)
			check_once(instruction, &cmd, report);
		else if (instruction->kind == INSTRUCTION_ENTRYPOINT)
			check_once(instruction, &entrypoint, report);
		else if (instruction->kind == INSTRUCTION_HEALTHCHECK)
			check_once(instruction, &healthcheck, report);
		else if (instruction->kind == INSTRUCTION_ENV ||
			 instruction->kind == INSTRUCTION_LABEL)
			check_legacy(instruction, report);
	}
}

/* What is asked of each stage, needed or not. */
static void check_everywhere(const struct stage *stage, struct check_report *report)
{
	for (size_t i = 0; i < stage->instruction_count; i++) {
		const struct instruction *instruction = stage->instructions[i];

		if (instruction->kind == INSTRUCTION_MAINTAINER)
			check_warn(report, CHECK_MAINTAINER_DEPRECATED, check_at(instruction),
				   "MAINTAINER is out of use: "
				   "LABEL org.opencontainers.image.authors=… has taken its place");
		else if (instruction->kind == INSTRUCTION_ARG)
			check_arg(instruction, report);
	}
}

/* The comments of the instruction that the empty line is in. */
static const struct strlist *comments_at(const struct ast *ast, int line)
{
	for (size_t i = ast->stage_count; i-- > 0;) {
		const struct stage *stage = ast->stages[i];

		if (stage->line_start > line)
			continue;
		for (size_t k = stage->instruction_count; k-- > 0;)
			if (stage->instructions[k]->line_start <= line)
				return &stage->instructions[k]->comments;
		return &stage->comments;
	}
	return NULL;
}

void check_texts(const struct check_input *input, struct check_report *report)
{
	const struct ast *ast = input->ast;

	for (size_t i = 0; i < ast->empty_continuation_count && i < CONTINUATIONS_MAX; i++) {
		int line = ast->empty_continuations[i];
		struct check_place at = { comments_at(ast, line), line, line };

		check_warn(report, CHECK_NO_EMPTY_CONTINUATION, at,
			   "an empty line inside of an instruction");
	}
	for (size_t i = 0; i < ast->global_count; i++)
		check_arg(ast->globals[i], report);
	for (size_t i = 0; i < ast->stage_count; i++) {
		check_stage_name(ast, i, report);
		check_everywhere(ast->stages[i], report);
		if (!input->needed || input->needed[i])
			check_instructions(ast->stages[i], report);
	}
	check_cases(ast, report);
}
