/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what can be said to a build before it runs: ARGs, secrets, agents and caches of
 * the stages that a target needs, and the list of targets. Which stages those are, and
 * what values the ARGs have, is the plan's answer.
 */
#include "builder/outline.h"

#include <stdlib.h>
#include <string.h>

#include "builder/check.h"
#include "builder/expand.h"
#include "builder/plan-internal.h"
#include "builder/runmount.h"
#include "common/mem.h"

void outline_release(struct outline *outline)
{
	for (size_t i = 0; i < outline->count; i++) {
		free(outline->items[i].name);
		free(outline->items[i].value);
	}
	free(outline->items);
	*outline = (struct outline)OUTLINE_INIT;
}

/* ---- making ---- */

struct maker {
	const struct plan_input *input;
	const struct ast *ast;
	struct outline *outline;
	struct strlist globals; /* what FROM can use */
};

static struct outline_item *find_item(const struct outline *outline, enum outline_kind kind,
				      const char *name)
{
	for (size_t i = 0; i < outline->count; i++)
		if (outline->items[i].kind == kind && strcmp(outline->items[i].name, name) == 0)
			return &outline->items[i];
	return NULL;
}

/* The first one of a name stays: the target's own comes before those of the stages below. */
static struct outline_item *add_item(struct maker *maker, enum outline_kind kind, const char *name,
				     const struct instruction *instruction)
{
	struct outline *outline = maker->outline;
	struct outline_item *item = find_item(outline, kind, name);

	if (item)
		return item;
	outline->items = mem_resize(outline->items, outline->count + 1, sizeof(*outline->items));
	item = &outline->items[outline->count++];
	*item = (struct outline_item){ .kind = kind,
				       .name = str_dup(name),
				       .line_start = instruction->line_start,
				       .line_end = instruction->line_end };
	return item;
}

static const struct keyvalue *find_global(const struct ast *ast, const char *name,
					  const struct instruction **out_arg)
{
	for (size_t i = ast->global_count; i-- > 0;) {
		const struct keyvalue_instruction *list = &ast->globals[i]->keyvalue;

		for (size_t k = list->count; k-- > 0;) {
			if (strcmp(list->pairs[k].key, name) != 0)
				continue;
			*out_arg = ast->globals[i];
			return &list->pairs[k];
		}
	}
	return NULL;
}

static void add_used(struct maker *maker, const char *word);

/* An ARG before the first FROM, and those that its default is made of. */
static void add_global(struct maker *maker, const char *name)
{
	const struct instruction *arg;
	const struct keyvalue *pair = find_global(maker->ast, name, &arg);
	struct outline_item *item;

	if (!pair || find_item(maker->outline, OUTLINE_ARG, name))
		return;
	item = add_item(maker, OUTLINE_ARG, name, arg);
	item->doc = pair->doc;
	item->value = str_dup(strlist_env_get(&maker->globals, name));
	if (pair->value)
		add_used(maker, pair->value);
}

/* The global ARGs that @word names. */
static void add_used(struct maker *maker, const char *word)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	struct expand_scope scope = { .env = &maker->globals, .used = &names, .unset = &names };
	auto_free char *ignored_text = NULL;
	struct err ignored = ERR_INIT;

	if (expand_word(word, &scope, maker->ast->directives.escape, EXPAND_WORD, &ignored_text,
			&ignored) < 0)
		return;
	for (size_t i = 0; i < names.count; i++)
		add_global(maker, names.items[i]);
}

static void add_args(struct maker *maker, const struct plan_stage *stage,
		     const struct instruction *arg)
{
	for (size_t i = 0; i < arg->keyvalue.count; i++) {
		const struct keyvalue *pair = &arg->keyvalue.pairs[i];
		struct outline_item *item;

		if (!pair->value && strlist_env_get(&maker->globals, pair->key) &&
		    !strlist_env_get(maker->input->build_args, pair->key)) {
			add_global(maker, pair->key);
			continue;
		}
		if (find_item(maker->outline, OUTLINE_ARG, pair->key))
			continue;
		item = add_item(maker, OUTLINE_ARG, pair->key, arg);
		item->doc = pair->doc;
		item->value = str_dup(strlist_env_get(&stage->args, pair->key));
	}
}

static int add_mounts(struct maker *maker, const struct plan_stage *stage,
		      const struct instruction *run, struct err *err)
{
	struct expand_scope scope = { .env = &stage->env };

	for (size_t i = 0; i < run->run.mount_count; i++) {
		const struct mount_flag *flag = &run->run.mounts[i];
		auto_run_mount struct run_mount mount = RUN_MOUNT_INIT;
		const char *base;

		if (run_mount_resolve(flag, &scope, maker->ast->directives.escape, &mount, err) < 0)
			return source_locate(err, &maker->ast->source, flag->at, "RUN");
		base = mount.target ? strrchr(mount.target, '/') : NULL;
		base = base ? base + 1 : mount.target;
		if (mount.type == RUN_MOUNT_SECRET)
			add_item(maker, OUTLINE_SECRET,
				 mount.id       ? mount.id
				 : mount.source ? mount.source
				 : base         ? base
						: "",
				 run)
				->is_required |= mount.is_required;
		else if (mount.type == RUN_MOUNT_SSH)
			add_item(maker, OUTLINE_SSH, mount.id ? mount.id : "default", run)
				->is_required |= mount.is_required;
		else if (mount.type == RUN_MOUNT_CACHE)
			add_item(maker, OUTLINE_CACHE,
				 mount.id       ? mount.id
				 : mount.target ? mount.target
						: "",
				 run);
	}
	return 0;
}

static int add_stage(struct maker *maker, const struct plan_stage *stage, struct err *err)
{
	const struct stage *from = stage->stage;

	for (size_t i = 0; i < from->instruction_count; i++) {
		const struct instruction *instruction = from->instructions[i];

		if (instruction->kind == INSTRUCTION_ARG)
			add_args(maker, stage, instruction);
		else if (instruction->kind == INSTRUCTION_RUN &&
			 add_mounts(maker, stage, instruction, err) < 0)
			return -1;
	}
	add_used(maker, from->base);
	if (from->platform)
		add_used(maker, from->platform);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct outline_item *left = a;
	const struct outline_item *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	if (left->line_start != right->line_start)
		return left->line_start < right->line_start ? -1 : 1;
	return strcmp(left->name, right->name);
}

static int make(struct maker *maker, const struct plan *plan, struct err *err)
{
	struct planner planner = { .input = maker->input, .ast = maker->ast };
	size_t target;
	int result = plan_target(&planner, &target, err);

	if (result == 0)
		result = plan_globals(&planner, target, &maker->input->platforms->targets[0], err);
	maker->globals = planner.globals;
	strlist_release(&planner.used_args);
	if (result < 0)
		return -1;
	maker->outline->target = maker->ast->stages[target];
	for (size_t i = plan->stage_count; i-- > 0;)
		if (add_stage(maker, plan->stages[i], err) < 0)
			return -1;
	return 0;
}

int outline_make(const struct plan_input *input, struct outline *out, struct err *err)
{
	auto_plan struct plan *plan = plan_make(input, err);
	auto_outline struct outline made = OUTLINE_INIT;
	struct maker maker = { .input = input, .ast = input->ast, .outline = &made };
	int result;

	if (!plan)
		return -1;
	result = make(&maker, plan, err);
	strlist_release(&maker.globals);
	if (result < 0)
		return -1;
	if (made.count > 0)
		qsort(made.items, made.count, sizeof(*made.items), compare);
	*out = made;
	made = (struct outline)OUTLINE_INIT;
	return 0;
}

/* ---- tables ---- */

#define COLUMNS_MAX 3

/* @cells: @count rows of @columns texts, the first row being the head; columns are three apart. */
static void print_table(const char *const *cells, size_t count, size_t columns, struct strbuf *out)
{
	size_t widths[COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < count * columns; i++)
		if (strlen(cells[i]) > widths[i % columns])
			widths[i % columns] = strlen(cells[i]);
	for (size_t row = 0; row < count; row++) {
		for (size_t c = 0; c < columns; c++) {
			size_t start = out->len;
			const char *cell = cells[row * columns + c];

			source_put_plain(out, cell, strlen(cell));
			while (c + 1 < columns && out->len < start + widths[c] + 3)
				strbuf_putc(out, ' ');
		}
		while (out->len > 0 && out->data[out->len - 1] == ' ')
			strbuf_truncate(out, out->len - 1);
		strbuf_putc(out, '\n');
	}
}

static void print_kind(const struct outline *outline, enum outline_kind kind, struct strbuf *out)
{
	static const char *const heads[] = { "BUILD ARG", "SECRET", "SSH", "CACHE" };
	const char **cells = mem_array((outline->count + 1) * 3, sizeof(char *));
	size_t rows = 1;

	cells[0] = heads[kind];
	cells[1] = kind == OUTLINE_ARG ? "VALUE" : kind == OUTLINE_CACHE ? "" : "REQUIRED";
	cells[2] = kind == OUTLINE_ARG ? "DESCRIPTION" : "";
	for (size_t i = 0; i < outline->count; i++) {
		const struct outline_item *item = &outline->items[i];

		if (item->kind != kind)
			continue;
		cells[3 * rows] = item->name;
		cells[3 * rows + 1] = item->value ? item->value : item->is_required ? "true" : "";
		cells[3 * rows + 2] = item->doc ? item->doc : "";
		rows++;
	}
	if (rows > 1) {
		print_table(cells, rows, 3, out);
		strbuf_putc(out, '\n');
	}
	free(cells);
}

void outline_print(const struct outline *outline, struct strbuf *out)
{
	const struct stage *target = outline->target;

	if (target->name || target->doc)
		strbuf_printf(out, "TARGET:      %s\n", target->name ? target->name : "(default)");
	if (target->doc) {
		strbuf_puts(out, "DESCRIPTION: ");
		source_put_plain(out, target->doc, strlen(target->doc));
		strbuf_putc(out, '\n');
	}
	if (out->len > 0)
		strbuf_putc(out, '\n');
	for (unsigned kind = OUTLINE_ARG; kind <= OUTLINE_CACHE; kind++)
		print_kind(outline, (enum outline_kind)kind, out);
}

void targets_print(const struct ast *ast, struct strbuf *out)
{
	const char **cells = mem_array((ast->stage_count + 1) * 2, sizeof(char *));
	auto_strlist struct strlist names = STRLIST_INIT;

	cells[0] = "TARGET";
	cells[1] = "DESCRIPTION";
	for (size_t i = 0; i < ast->stage_count; i++) {
		const struct stage *stage = ast->stages[i];
		bool is_default = i + 1 == ast->stage_count;

		if (stage->name)
			strlist_addf(&names, "%s%s", stage->name, is_default ? " (default)" : "");
		else if (is_default)
			strlist_add(&names, "(default)");
		else
			strlist_addf(&names, "%zu", i);
		cells[2 * i + 2] = names.items[i];
		cells[2 * i + 3] = stage->doc ? stage->doc : "";
	}
	print_table(cells, ast->stage_count + 1, 2, out);
	free(cells);
}

/* ---- JSON ---- */

static struct json *item_to_json(const struct outline_item *item)
{
	struct json *object = json_object();

	json_set_string(object, item->kind == OUTLINE_CACHE ? "ID" : "name", item->name);
	json_set_string(object, "description", item->doc);
	json_set_string(object, "value", item->value);
	if (item->is_required)
		json_set_bool(object, "required", true);
	json_set(object, "location", check_location_to_json(item->line_start, item->line_end));
	return object;
}

struct json *outline_to_json(const struct outline *outline)
{
	static const char *const names[] = { "args", "secrets", "ssh", "cache" };
	struct json *object = json_object();

	json_set_string(object, "name", outline->target->name);
	json_set_string(object, "description", outline->target->doc);
	for (unsigned kind = OUTLINE_ARG; kind <= OUTLINE_CACHE; kind++) {
		struct json *list = json_array();

		for (size_t i = 0; i < outline->count; i++)
			if (outline->items[i].kind == kind)
				json_append(list, item_to_json(&outline->items[i]));
		if (json_count(list) > 0)
			json_set(object, names[kind], list);
		else
			json_unref(list);
	}
	return object;
}

struct json *targets_to_json(const struct ast *ast)
{
	struct json *object = json_object();
	struct json *targets = json_array();

	for (size_t i = 0; i < ast->stage_count; i++) {
		const struct stage *stage = ast->stages[i];
		struct json *target = json_object();

		json_set_string(target, "name", stage->name);
		if (i + 1 == ast->stage_count)
			json_set_bool(target, "default", true);
		json_set_string(target, "description", stage->doc);
		json_set_string(target, "base", stage->base);
		json_set_string(target, "platform", stage->platform);
		json_set(target, "location",
			 check_location_to_json(stage->line_start, stage->line_end));
		json_append(targets, target);
	}
	json_set(object, "targets", targets);
	return object;
}
