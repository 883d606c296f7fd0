/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a plan as text, for tests and people, and for the place in a
 * Buildfile that an error of a step points to.
 */
#include <string.h>

#include "builder/plan.h"
#include "builder/runmount.h"

static void print_list(const char *name, const struct strlist *list, struct strbuf *out)
{
	for (size_t i = 0; i < list->count; i++)
		strbuf_printf(out, "    %s %s\n", name, list->items[i]);
}

static void print_mount(const struct plan_mount *mount, struct strbuf *out)
{
	strbuf_printf(out, "    mount %s", run_mount_type_names[mount->options.type]);
	if (mount->target)
		strbuf_printf(out, " on %s%s", mount->target,
			      mount->options.is_read_only ? " read-only" : "");
	if (mount->id)
		strbuf_printf(out, " id '%s'", mount->id);
	if (mount->env)
		strbuf_printf(out, " variable %s", mount->env);
	if (mount->has_layers)
		strbuf_printf(out, " from %s %zu",
			      mount->from == COPY_FROM_STAGE ? "stage" : "image",
			      mount->from_index);
	if (mount->options.source)
		strbuf_printf(out, " source '%s'", mount->options.source);
	strbuf_putc(out, '\n');
}

static void print_run(const struct plan_run *run, struct strbuf *out)
{
	static const char *const networks[] = { "default", "none", "host" };

	print_list("arg", &run->argv, out);
	print_list("env", &run->env, out);
	strbuf_printf(out, "    user '%s' cwd %s network %s\n", run->user, run->cwd,
		      networks[run->network]);
	if (run->is_insecure)
		strbuf_puts(out, "    insecure\n");
	if (run->script)
		strbuf_printf(out, "    script %s %zu bytes\n", run->script_path,
			      strlen(run->script));
	for (size_t i = 0; i < run->mount_count; i++)
		print_mount(&run->mounts[i], out);
}

static const char *source_kind(const struct plan_source *source)
{
	if (!source->remote)
		return "source";
	return source->remote->kind == REMOTE_GIT ? "git" : "url";
}

static void print_copy(const struct plan_copy *copy, struct strbuf *out)
{
	if (copy->from == COPY_FROM_CONTEXT && copy->from_index > 0)
		strbuf_printf(out, "    from context %zu\n", copy->from_index);
	else if (copy->from == COPY_FROM_STAGE)
		strbuf_printf(out, "    from stage %zu\n", copy->from_index);
	else if (copy->from == COPY_FROM_IMAGE)
		strbuf_printf(out, "    from image %zu\n", copy->from_index);
	for (size_t i = 0; i < copy->source_count; i++) {
		const struct plan_source *source = &copy->sources[i];

		if (source->text)
			strbuf_printf(out, "    text %s %zu bytes\n", source->path,
				      strlen(source->text));
		else
			strbuf_printf(out, "    %s %s\n", source_kind(source), source->path);
	}
	strbuf_printf(out, "    dest %s%s\n", copy->dest, copy->dest_is_dir ? " directory" : "");
	if (copy->chown)
		strbuf_printf(out, "    chown %s\n", copy->chown);
	if (copy->chmod_text)
		strbuf_printf(out, "    chmod %s\n", copy->chmod_text);
	for (size_t i = 0; i < copy->exclude_texts->count; i++)
		strbuf_printf(out, "    exclude %s\n", copy->exclude_texts->items[i]);
	if (copy->keeps_parents)
		strbuf_puts(out, "    parents\n");
	if (copy->is_link)
		strbuf_puts(out, "    link\n");
	if (copy->never_unpack)
		strbuf_puts(out, "    never unpack\n");
}

static void print_step(const struct step *step, struct strbuf *out)
{
	static const char *const kinds[] = { "config", "run", "copy", "workdir" };

	strbuf_printf(out, "  %s %s\n", kinds[step->kind], step->created_by);
	switch (step->kind) {
	case STEP_CONFIG:
		break;
	case STEP_RUN:
		print_run(&step->run, out);
		break;
	case STEP_COPY:
		print_copy(&step->copy, out);
		break;
	case STEP_WORKDIR:
		strbuf_printf(out, "    path %s user '%s'\n", step->workdir.path,
			      step->workdir.user);
		break;
	}
}

static void print_platform(const struct platform *platform, struct strbuf *out)
{
	strbuf_puts(out, "  platform ");
	platform_format(platform, out);
	strbuf_putc(out, '\n');
}

void plan_print(const struct plan *plan, struct strbuf *out)
{
	static const char *const bases[] = { "scratch", "stage", "image" };

	for (size_t i = 0; i < plan->stage_count; i++) {
		const struct plan_stage *stage = plan->stages[i];

		strbuf_printf(out, "stage %zu '%s' from %s %s\n", stage->number, stage->title,
			      bases[stage->base], stage->base_name);
		if (plan->target_count > 1)
			print_platform(&stage->platform, out);
		for (size_t k = 0; k < stage->step_count; k++)
			print_step(stage->steps[k], out);
	}
	for (size_t i = 0; plan->target_count > 1 && i < plan->target_count; i++)
		strbuf_printf(out, "target %zu\n", plan->targets[i]);
	print_list("proxy", &plan->proxy_env, out);
	print_list("unused", &plan->unused_args, out);
}

/* The first place in @text where @word stands by itself, else the first where it stands. */
static const char *find_in_line(const char *text, size_t len, const char *word)
{
	size_t word_len = strlen(word);
	const char *first = memmem(text, len, word, word_len);

	for (const char *hit = first; hit;
	     hit = memmem(hit + 1, len - (size_t)(hit + 1 - text), word, word_len)) {
		const char *end = hit + word_len;

		if ((hit == text || strchr(" \t\"", hit[-1])) &&
		    (end == text + len || strchr(" \t\"\\", *end)))
			return hit;
	}
	return first;
}

/* Where @word stands in the lines of @instruction; false when it cannot be told. */
static bool find_word(const struct step *step, const char *word, struct position *out)
{
	const struct instruction *instruction = step->instruction;

	for (int line = instruction->line_start; line <= instruction->line_end; line++) {
		size_t len;
		const char *text = source_line(&step->ast->source, line, &len);
		size_t from = line == instruction->line_start ? (size_t)instruction->column - 1 +
									strlen(instruction->keyword)
							      : 0;
		const char *hit;

		if (!text || from >= len)
			continue;
		hit = find_in_line(text + from, len - from, word);
		if (hit) {
			*out = (struct position){ line, (int)(hit - text) + 1 };
			return true;
		}
	}
	return false;
}

int step_locate(struct err *err, const struct step *step, const char *word)
{
	struct position at;

	if (!word || !find_word(step, word, &at))
		return ast_locate(err, step->ast, step->instruction);
	return source_locate(err, &step->ast->source, at,
			     instruction_name(step->instruction->kind));
}
