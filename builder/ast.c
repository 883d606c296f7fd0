/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the memory of the syntax tree and the few questions that it
 * can answer about itself. It is filled by builder/parse.
 */
#include "builder/ast.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

const char *const instruction_names[] = {
	[INSTRUCTION_ADD] = "ADD",
	[INSTRUCTION_ARG] = "ARG",
	[INSTRUCTION_CMD] = "CMD",
	[INSTRUCTION_COPY] = "COPY",
	[INSTRUCTION_ENTRYPOINT] = "ENTRYPOINT",
	[INSTRUCTION_ENV] = "ENV",
	[INSTRUCTION_EXPOSE] = "EXPOSE",
	[INSTRUCTION_FROM] = "FROM",
	[INSTRUCTION_HEALTHCHECK] = "HEALTHCHECK",
	[INSTRUCTION_LABEL] = "LABEL",
	[INSTRUCTION_MAINTAINER] = "MAINTAINER",
	[INSTRUCTION_ONBUILD] = "ONBUILD",
	[INSTRUCTION_RUN] = "RUN",
	[INSTRUCTION_SHELL] = "SHELL",
	[INSTRUCTION_STOPSIGNAL] = "STOPSIGNAL",
	[INSTRUCTION_USER] = "USER",
	[INSTRUCTION_VOLUME] = "VOLUME",
	[INSTRUCTION_WORKDIR] = "WORKDIR",
	NULL,
};

const char *instruction_name(enum instruction_kind kind)
{
	return instruction_names[kind];
}

/* ---- release ---- */

void heredoc_release(struct heredoc *heredoc)
{
	free(heredoc->name);
	free(heredoc->body);
}

static void free_heredocs(struct heredoc *heredocs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		heredoc_release(&heredocs[i]);
	free(heredocs);
}

static void release_command(struct command_line *command)
{
	strlist_release(&command->args);
	free(command->json_fault);
}

static void release_run(struct run_instruction *run)
{
	release_command(&run->command);
	free_heredocs(run->heredocs, run->heredoc_count);
	for (size_t i = 0; i < run->mount_count; i++) {
		free(run->mounts[i].text);
		free(run->mounts[i].from);
	}
	free(run->mounts);
	for (size_t i = 0; i < run->device_count; i++)
		free(run->devices[i].name);
	free(run->devices);
}

static void release_copy(struct copy_instruction *copy)
{
	for (size_t i = 0; i < copy->source_count; i++)
		free(copy->sources[i].path);
	free(copy->sources);
	free(copy->dest);
	free_heredocs(copy->heredocs, copy->heredoc_count);
	free(copy->chown);
	free(copy->chmod);
	strlist_release(&copy->excludes);
	free(copy->from);
	free(copy->checksum);
}

static void release_pairs(struct keyvalue_instruction *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->pairs[i].key);
		free(list->pairs[i].value);
		free(list->pairs[i].doc);
	}
	free(list->pairs);
}

static void release_variant(struct instruction *instruction)
{
	switch (instruction->kind) {
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		release_copy(&instruction->copy);
		break;
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		release_pairs(&instruction->keyvalue);
		break;
	case INSTRUCTION_CMD:
	case INSTRUCTION_ENTRYPOINT:
	case INSTRUCTION_SHELL:
		release_command(&instruction->command);
		break;
	case INSTRUCTION_RUN:
		release_run(&instruction->run);
		break;
	case INSTRUCTION_HEALTHCHECK:
		release_command(&instruction->healthcheck.command);
		break;
	case INSTRUCTION_ONBUILD:
		free(instruction->onbuild.text);
		instruction_free(instruction->onbuild.trigger);
		break;
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_VOLUME:
		strlist_release(&instruction->words);
		break;
	case INSTRUCTION_MAINTAINER:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_USER:
	case INSTRUCTION_WORKDIR:
		free(instruction->word);
		break;
	case INSTRUCTION_FROM:
		break;
	}
}

struct instruction *instruction_new(enum instruction_kind kind)
{
	struct instruction *instruction = mem_alloc(sizeof(*instruction));

	instruction->kind = kind;
	return instruction;
}

void instruction_free(struct instruction *instruction)
{
	if (!instruction)
		return;
	release_variant(instruction);
	free(instruction->keyword);
	free(instruction->original);
	strlist_release(&instruction->comments);
	free(instruction);
}

void stage_free(struct stage *stage)
{
	if (!stage)
		return;
	for (size_t i = 0; i < stage->instruction_count; i++)
		instruction_free(stage->instructions[i]);
	free(stage->instructions);
	free(stage->base);
	free(stage->platform);
	free(stage->name);
	free(stage->name_as_written);
	free(stage->as_keyword);
	free(stage->keyword);
	free(stage->original);
	free(stage->doc);
	strlist_release(&stage->comments);
	free(stage);
}

void directives_release(struct directives *directives)
{
	free(directives->syntax);
	free(directives->check);
	directives->syntax = NULL;
	directives->check = NULL;
}

void ast_free(struct ast *ast)
{
	if (!ast)
		return;
	for (size_t i = 0; i < ast->global_count; i++)
		instruction_free(ast->globals[i]);
	free(ast->globals);
	for (size_t i = 0; i < ast->stage_count; i++)
		stage_free(ast->stages[i]);
	free(ast->stages);
	free(ast->named_stages);
	free(ast->empty_continuations);
	directives_release(&ast->directives);
	source_release(&ast->source);
	free(ast);
}

/* ---- questions ---- */

char *heredoc_text(const struct heredoc *heredoc)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (const char *line = heredoc->body; *line;) {
		size_t len = strcspn(line, "\n");

		len += line[len] == '\n';
		if (heredoc->should_chomp) {
			size_t tabs = strspn(line, "\t");

			line += tabs;
			len -= tabs;
		}
		strbuf_add(&text, line, len);
		line += len;
	}
	return strbuf_steal(&text);
}

void heredoc_append(struct strbuf *out, const struct heredoc *heredocs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		strbuf_putc(out, '\n');
		strbuf_puts(out, heredocs[i].body);
		strbuf_puts(out, heredocs[i].name);
	}
}

char *run_shell_text(const struct run_instruction *run)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (run->is_script)
		return heredoc_text(&run->heredocs[0]);
	strbuf_puts(&text, run->command.args.count ? run->command.args.items[0] : "");
	heredoc_append(&text, run->heredocs, run->heredoc_count);
	return strbuf_steal(&text);
}

/* As the named stages are ordered: negative, 0 or positive. */
static int compare_stage(const struct ast *ast, size_t number, const char *name, size_t other)
{
	int r = strcasecmp(ast->stages[number]->name, name);

	if (r != 0 || number == other)
		return r;
	return number < other ? -1 : 1;
}

static int by_name(const void *a, const void *b, void *context)
{
	const struct ast *ast = context;
	const size_t *left = a;
	const size_t *right = b;

	return compare_stage(ast, *left, ast->stages[*right]->name, *right);
}

void ast_index_stages(struct ast *ast)
{
	ast->named_stages = mem_array(ast->stage_count + 1, sizeof(size_t));
	for (size_t i = 0; i < ast->stage_count; i++)
		if (ast->stages[i]->name)
			ast->named_stages[ast->named_count++] = i;
	qsort_r(ast->named_stages, ast->named_count, sizeof(size_t), by_name, ast);
}

int ast_find_stage(const struct ast *ast, const char *name, size_t before)
{
	size_t low = 0, high = ast->named_count;

	/* where one that is called so and stands at @before would be */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_stage(ast, ast->named_stages[middle], name, before) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || strcasecmp(ast->stages[ast->named_stages[low - 1]]->name, name) != 0)
		return -1;
	return (int)ast->named_stages[low - 1];
}

int ast_locate(struct err *err, const struct ast *ast, const struct instruction *instruction)
{
	return source_locate(err, &ast->source,
			     (struct position){ instruction->line_start, instruction->column },
			     instruction_name(instruction->kind));
}
