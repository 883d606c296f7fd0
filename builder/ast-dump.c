/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the syntax tree as text, a line per node: for tests, and for
 * people who want to know how their Buildfile was understood.
 *
 *   escape \
 *   arg 1 VERSION="1.0"
 *   stage 2 base="alpine:$VERSION" name="build"
 *     run 3-5 shell "make" mount="type=tmpfs,target=/t"
 */

#include <string.h>

#include "builder/ast.h"
#include "common/json.h"

/* What would break the line, or steer a terminal, is \n, \t or \xNN. */
static void put_escaped(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n')
			strbuf_puts(out, "\\n");
		else if (c == '\t')
			strbuf_puts(out, "\\t");
		else if (c < 0x20 || c == 0x7f)
			strbuf_printf(out, "\\x%02x", c);
		else if (strncmp(s, JSON_NUL, strlen(JSON_NUL)) == 0)
			s++, strbuf_puts(out, "\\x00");
		else if (c == '"' || c == '\\')
			strbuf_printf(out, "\\%c", c);
		else
			strbuf_putc(out, *s);
	}
}

static void put_quoted(struct strbuf *out, const char *s)
{
	strbuf_putc(out, '"');
	put_escaped(out, s);
	strbuf_putc(out, '"');
}

/* " name="value"", or nothing when there is no value. */
static void put_field(struct strbuf *out, const char *name, const char *value)
{
	if (!value)
		return;
	strbuf_printf(out, " %s=", name);
	put_quoted(out, value);
}

static void put_flag(struct strbuf *out, const char *name, bool is_set)
{
	if (is_set)
		strbuf_printf(out, " %s", name);
}

static void put_tristate(struct strbuf *out, const char *name, enum tristate value)
{
	if (value != TRISTATE_UNSET)
		strbuf_printf(out, " %s=%s", name, value == TRISTATE_TRUE ? "true" : "false");
}

static void put_list(struct strbuf *out, const struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		strbuf_putc(out, ' ');
		put_quoted(out, list->items[i]);
	}
}

static void put_command(struct strbuf *out, const struct command_line *command)
{
	strbuf_puts(out, command->is_exec ? " exec" : " shell");
	put_list(out, &command->args);
}

static void put_heredocs(struct strbuf *out, const struct heredoc *heredocs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct heredoc *heredoc = &heredocs[i];

		strbuf_puts(out, "\n    heredoc ");
		put_quoted(out, heredoc->name);
		put_flag(out, "expand", heredoc->should_expand);
		put_flag(out, "chomp", heredoc->should_chomp);
		if (heredoc->fd)
			strbuf_printf(out, " fd=%u", heredoc->fd);
		put_field(out, "body", heredoc->body);
	}
}

static void put_run(struct strbuf *out, const struct run_instruction *run)
{
	static const char *const networks[] = { "default", "none", "host" };

	put_command(out, &run->command);
	put_flag(out, "script", run->is_script);
	for (size_t i = 0; i < run->mount_count; i++)
		put_field(out, "mount", run->mounts[i].text);
	for (size_t i = 0; i < run->device_count; i++) {
		put_field(out, "device", run->devices[i].name);
		put_flag(out, "required", run->devices[i].is_required);
	}
	put_field(out, "network", run->has_network ? networks[run->network] : NULL);
	put_flag(out, "insecure", run->security == RUN_SECURITY_INSECURE);
	put_heredocs(out, run->heredocs, run->heredoc_count);
}

static void put_copy(struct strbuf *out, const struct copy_instruction *copy)
{
	for (size_t i = 0; i < copy->source_count; i++) {
		const struct copy_source *source = &copy->sources[i];

		strbuf_puts(out, source->path ? " " : " <<");
		put_quoted(out, source->path ? source->path : source->heredoc->name);
	}
	put_field(out, "dest", copy->dest);
	put_field(out, "from", copy->from);
	put_field(out, "chown", copy->chown);
	put_field(out, "chmod", copy->chmod);
	put_flag(out, "link", copy->is_link);
	put_flag(out, "parents", copy->keeps_parents);
	for (size_t i = 0; i < copy->excludes.count; i++)
		put_field(out, "exclude", copy->excludes.items[i]);
	put_field(out, "checksum", copy->checksum);
	put_tristate(out, "keep-git-dir", copy->keep_git_dir);
	put_tristate(out, "unpack", copy->unpack);
	put_heredocs(out, copy->heredocs, copy->heredoc_count);
}

static void put_pairs(struct strbuf *out, const struct keyvalue_instruction *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct keyvalue *pair = &list->pairs[i];

		strbuf_putc(out, ' ');
		put_escaped(out, pair->key);
		if (pair->value) {
			strbuf_putc(out, '=');
			put_quoted(out, pair->value);
		}
		put_flag(out, "legacy", pair->is_legacy);
		put_field(out, "doc", pair->doc);
	}
}

static void put_healthcheck(struct strbuf *out, const struct healthcheck_instruction *health)
{
	const struct {
		const char *name;
		long long value;
	} numbers[] = {
		{ "interval", health->interval_ns },
		{ "timeout", health->timeout_ns },
		{ "start-period", health->start_period_ns },
		{ "start-interval", health->start_interval_ns },
		{ "retries", health->retries },
	};

	if (health->is_none)
		strbuf_puts(out, " none");
	else
		put_command(out, &health->command);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].value)
			strbuf_printf(out, " %s=%lld", numbers[i].name, numbers[i].value);
}

static void put_instruction(struct strbuf *out, const struct instruction *instruction);

static void put_variant(struct strbuf *out, const struct instruction *instruction)
{
	switch (instruction->kind) {
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		put_copy(out, &instruction->copy);
		break;
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		put_pairs(out, &instruction->keyvalue);
		break;
	case INSTRUCTION_CMD:
	case INSTRUCTION_ENTRYPOINT:
	case INSTRUCTION_SHELL:
		put_command(out, &instruction->command);
		break;
	case INSTRUCTION_RUN:
		put_run(out, &instruction->run);
		break;
	case INSTRUCTION_HEALTHCHECK:
		put_healthcheck(out, &instruction->healthcheck);
		break;
	case INSTRUCTION_ONBUILD:
		put_field(out, "text", instruction->onbuild.text);
		strbuf_puts(out, "\n    trigger ");
		put_instruction(out, instruction->onbuild.trigger);
		break;
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_VOLUME:
		put_list(out, &instruction->words);
		break;
	case INSTRUCTION_MAINTAINER:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_USER:
	case INSTRUCTION_WORKDIR:
		strbuf_putc(out, ' ');
		put_quoted(out, instruction->word);
		break;
	case INSTRUCTION_FROM:
		break;
	}
}

static void put_lower(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		strbuf_putc(out, *s >= 'A' && *s <= 'Z' ? (char)(*s | 0x20) : *s);
}

static void put_lines(struct strbuf *out, int first, int last)
{
	strbuf_printf(out, " %d", first);
	if (last > first)
		strbuf_printf(out, "-%d", last);
}

static void put_instruction(struct strbuf *out, const struct instruction *instruction)
{
	put_lower(out, instruction_name(instruction->kind));
	put_lines(out, instruction->line_start, instruction->line_end);
	put_variant(out, instruction);
}

static void put_stage(struct strbuf *out, const struct stage *stage)
{
	strbuf_puts(out, "stage");
	put_lines(out, stage->line_start, stage->line_end);
	put_field(out, "base", stage->base);
	put_field(out, "name", stage->name);
	put_field(out, "platform", stage->platform);
	put_field(out, "doc", stage->doc);
	strbuf_putc(out, '\n');
	for (size_t i = 0; i < stage->instruction_count; i++) {
		strbuf_puts(out, "  ");
		put_instruction(out, stage->instructions[i]);
		strbuf_putc(out, '\n');
	}
}

static void put_directive(struct strbuf *out, const char *name, const char *value)
{
	if (!value)
		return;
	strbuf_printf(out, "%s ", name);
	put_escaped(out, value);
	strbuf_putc(out, '\n');
}

void ast_dump(const struct ast *ast, struct strbuf *out)
{
	put_directive(out, "syntax", ast->directives.syntax);
	put_directive(out, "check", ast->directives.check);
	if (ast->directives.escape != '\\')
		strbuf_printf(out, "escape %c\n", ast->directives.escape);
	for (size_t i = 0; i < ast->global_count; i++) {
		put_instruction(out, ast->globals[i]);
		strbuf_putc(out, '\n');
	}
	for (size_t i = 0; i < ast->stage_count; i++)
		put_stage(out, ast->stages[i]);
	for (size_t i = 0; i < ast->empty_continuation_count; i++)
		strbuf_printf(out, "empty-continuation %d\n", ast->empty_continuations[i]);
}
