/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what each instruction changes in the image's configuration, and
 * for the history it leaves. RUN and COPY, which do more, are plan-run.c's and
 * plan-copy.c's.
 */
#include <string.h>

#include "builder/expand.h"
#include "builder/history.h"
#include "builder/plan-internal.h"
#include "builder/rune.h"
#include "builder/value.h"
#include "common/mem.h"
#include "common/signals.h"
#include "layers/pairs.h"

int plan_refuse(struct err *err, const struct origin *origin, const struct instruction *instruction,
		const char *what)
{
	err_set(err, ERR_INPUT, "%s is not supported", what);
	return ast_locate(err, origin->ast, instruction);
}

int plan_expand(const struct plan_stage *stage, const struct origin *origin,
		const struct instruction *instruction, const char *word, char **out,
		struct err *err)
{
	struct expand_scope scope = { .env = &stage->env };

	if (expand_word(word, &scope, origin->ast->directives.escape, EXPAND_WORD, out, err) < 0)
		return ast_locate(err, origin->ast, instruction);
	return 0;
}

char *plan_path(const char *base, const char *path)
{
	auto_free char *joined = path[0] == '/' ? str_dup(path) : str_format("%s/%s", base, path);
	struct strbuf out = STRBUF_INIT;

	for (const char *part = joined; *part;) {
		size_t len = strcspn(part, "/");

		if (len == 2 && strncmp(part, "..", 2) == 0) {
			while (out.len > 0 && out.data[out.len - 1] != '/')
				strbuf_truncate(&out, out.len - 1);
			if (out.len > 0)
				strbuf_truncate(&out, out.len - 1);
		} else if (len > 0 && !(len == 1 && part[0] == '.')) {
			strbuf_putc(&out, '/');
			strbuf_add(&out, part, len);
		}
		part += len;
		part += strspn(part, "/");
	}
	if (out.len == 0)
		strbuf_putc(&out, '/');
	return strbuf_steal(&out);
}

void plan_shell(const struct plan_stage *stage, const char *text, struct strlist *out)
{
	static const char *const shell[] = { "/bin/sh", "-c", NULL };
	static const char *const windows_shell[] = { "cmd", "/S", "/C", NULL };
	const struct run_config *config = &stage->image.config;
	const char *const *words = plan_is_windows(stage) ? windows_shell : shell;

	if (config->has_shell && config->shell.count > 0)
		strlist_copy(out, &config->shell);
	else
		for (size_t i = 0; words[i]; i++)
			strlist_add(out, words[i]);
	strlist_add(out, text);
}

/* Of a script in the Buildfile the first line, for people: " (make all...)", or "". */
static char *script_summary(const struct instruction *instruction)
{
	auto_free char *text = NULL;
	const char *from;
	const char *end;
	size_t len;

	if (instruction->kind != INSTRUCTION_RUN || !instruction->run.is_script)
		return str_dup("");
	text = heredoc_text(&instruction->run.heredocs[0]);
	from = rune_skip_space(text);
	end = from + rune_trim_end(from, strlen(from));
	len = strcspn(from, "\r\n");
	return len == 0 ? str_dup("")
			: str_format(" (%.*s%s)", (int)len, from, from + len < end ? "..." : "");
}

/* The instruction as written, its keyword in capitals; with the variables of @stage if it has any.
 */
static char *make_title(const struct plan_stage *stage, const struct origin *origin,
			const struct instruction *instruction)
{
	const char *rest = instruction->original + strlen(instruction->keyword);
	bool is_copy =
		instruction->kind == INSTRUCTION_COPY || instruction->kind == INSTRUCTION_ADD;
	struct expand_scope scope = { .env = &stage->env };
	auto_free char *expanded = NULL;
	auto_free char *summary = script_summary(instruction);
	struct err ignored = ERR_INIT;
	char *title;

	/* only for people: what cannot be expanded here has its error elsewhere */
	if ((is_copy || instruction->kind == INSTRUCTION_WORKDIR) &&
	    expand_word(rest, &scope, origin->ast->directives.escape,
			EXPAND_RAW_QUOTES | EXPAND_RAW_ESCAPES, &expanded, &ignored) == 0)
		rest = expanded;
	title = str_format("%s%s%s%s", origin->is_trigger ? "ONBUILD " : "",
			   instruction_name(instruction->kind), rest, summary);
	source_mask_passwords(title);
	return title;
}

struct step *plan_add_step(struct plan_stage *stage, enum step_kind kind,
			   const struct origin *origin, const struct instruction *instruction)
{
	struct step *step = mem_alloc(sizeof(*step));

	step->kind = kind;
	step->ast = origin->ast;
	step->instruction = instruction;
	step->is_trigger = origin->is_trigger;
	step->title = make_title(stage, origin, instruction);
	stage->steps = mem_resize(stage->steps, stage->step_count + 1, sizeof(struct step *));
	stage->steps[stage->step_count++] = step;
	if (kind != STEP_CONFIG)
		stage->layer_count++;
	return step;
}

/* A line of history and nothing else; @text is taken. */
static int add_config_step(struct plan_stage *stage, const struct origin *origin,
			   const struct instruction *instruction, char *text)
{
	plan_add_step(stage, STEP_CONFIG, origin, instruction)->created_by = text;
	return 0;
}

/* All words see what was there before the instruction. */
static int expand_pairs(const struct plan_stage *stage, const struct origin *origin,
			const struct instruction *instruction, struct strlist *out_keys,
			struct strlist *out_values, struct err *err)
{
	const struct keyvalue_instruction *pairs = &instruction->keyvalue;
	struct expand_scope scope = { .env = &stage->env };

	for (size_t i = 0; i < pairs->count; i++) {
		char *key = NULL;
		char *value = NULL;

		if (expand_pair(pairs->pairs[i].key, pairs->pairs[i].value, &scope,
				origin->ast->directives.escape, &key, &value, err) < 0)
			return ast_locate(err, origin->ast, instruction);
		strlist_take(out_keys, key);
		strlist_take(out_values, value ? value : str_dup(""));
	}
	return 0;
}

static int step_env(struct plan_stage *stage, const struct origin *origin,
		    const struct instruction *instruction, struct err *err)
{
	auto_strlist struct strlist keys = STRLIST_INIT;
	auto_strlist struct strlist values = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (expand_pairs(stage, origin, instruction, &keys, &values, err) < 0)
		return -1;
	strbuf_puts(&text, "ENV");
	for (size_t i = 0; i < keys.count; i++) {
		strbuf_printf(&text, " %s=%s", keys.items[i], values.items[i]);
		strlist_env_set(&stage->env, keys.items[i], values.items[i]);
		strlist_env_set(&stage->image.config.env, keys.items[i], values.items[i]);
	}
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

static int step_label(struct plan_stage *stage, const struct origin *origin,
		      const struct instruction *instruction, struct err *err)
{
	auto_strlist struct strlist keys = STRLIST_INIT;
	auto_strlist struct strlist values = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct strlist *labels = &stage->image.config.labels;

	if (expand_pairs(stage, origin, instruction, &keys, &values, err) < 0)
		return -1;
	strbuf_puts(&text, "LABEL");
	for (size_t i = 0; i < keys.count; i++) {
		if (strchr(keys.items[i], '=')) {
			err_set(err, ERR_INPUT, "label '%s' has '=' in its name", keys.items[i]);
			return ast_locate(err, origin->ast, instruction);
		}
		strbuf_printf(&text, " %s=%s", keys.items[i], values.items[i]);
		strlist_env_set(labels, keys.items[i], values.items[i]);
	}
	pairs_sort(labels);
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

/* One ARG: --build-arg, else its default, else the global ARG of that name. */
static int declare_arg(struct planner *planner, struct plan_stage *stage,
		       const struct origin *origin, const struct instruction *instruction,
		       const struct keyvalue *pair, struct strbuf *text, struct err *err)
{
	struct expand_scope scope = { .env = &stage->env };
	auto_free char *key = NULL;
	auto_free char *expanded = NULL;
	const char *value;

	if (expand_pair(pair->key, NULL, &scope, origin->ast->directives.escape, &key, &expanded,
			err) < 0)
		return ast_locate(err, origin->ast, instruction);
	value = plan_build_arg(planner, key);
	if (!value && pair->value) {
		if (plan_expand(stage, origin, instruction, pair->value, &expanded, err) < 0)
			return -1;
		value = expanded;
	} else if (!value) {
		value = strlist_env_get(&planner->globals, key);
	}

	strbuf_printf(text, " %s", key);
	if (!value) {
		strlist_add(&stage->args, key);
		return 0;
	}
	strbuf_printf(text, "=%s", value);
	strlist_addf(&stage->args, "%s=%s", key, value);
	strlist_env_set(&stage->env, key, value);
	return 0;
}

static int step_arg(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
		    const struct instruction *instruction, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	strbuf_puts(&text, "ARG");
	for (size_t i = 0; i < instruction->keyvalue.count; i++)
		if (declare_arg(planner, stage, origin, instruction,
				&instruction->keyvalue.pairs[i], &text, err) < 0)
			return -1;
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

/* The argument list of CMD and ENTRYPOINT: as given, or the shell with one string. */
static void command_args(const struct plan_stage *stage, const struct command_line *command,
			 struct strlist *out)
{
	strlist_release(out);
	if (command->is_exec)
		strlist_copy(out, &command->args);
	else
		plan_shell(stage, command->args.count > 0 ? command->args.items[0] : "", out);
}

static int step_cmd(struct plan_stage *stage, const struct origin *origin,
		    const struct instruction *instruction)
{
	struct run_config *config = &stage->image.config;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	command_args(stage, &instruction->command, &config->cmd);
	config->has_cmd = true;
	config->args_escaped = true;
	stage->has_own_cmd = true;
	strbuf_puts(&text, "CMD ");
	history_quoted_list(&config->cmd, &text);
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

/* A CMD that came with the base was meant for the base's entry point. */
static int step_entrypoint(struct plan_stage *stage, const struct origin *origin,
			   const struct instruction *instruction)
{
	struct run_config *config = &stage->image.config;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	command_args(stage, &instruction->command, &config->entrypoint);
	config->has_entrypoint = config->entrypoint.count > 0;
	if (!stage->has_own_cmd) {
		strlist_release(&config->cmd);
		config->has_cmd = false;
	}
	strbuf_puts(&text, "ENTRYPOINT ");
	history_quoted_list(&config->entrypoint, &text);
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

static int step_shell(struct plan_stage *stage, const struct origin *origin,
		      const struct instruction *instruction)
{
	struct run_config *config = &stage->image.config;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	strlist_copy(&config->shell, &instruction->command.args);
	config->has_shell = true;
	strbuf_puts(&text, "SHELL ");
	history_plain_list(&config->shell, &text);
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

static int step_healthcheck(struct plan_stage *stage, const struct origin *origin,
			    const struct instruction *instruction)
{
	const struct healthcheck_instruction *from = &instruction->healthcheck;
	struct run_config *config = &stage->image.config;
	struct healthcheck *to = &config->healthcheck;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	strlist_release(&to->test);
	*to = (struct healthcheck){ .test = STRLIST_INIT };
	strlist_add(&to->test, from->is_none           ? "NONE"
			       : from->command.is_exec ? "CMD"
						       : "CMD-SHELL");
	if (!from->is_none) {
		for (size_t i = 0; i < from->command.args.count; i++)
			strlist_add(&to->test, from->command.args.items[i]);
		to->interval_ns = from->interval_ns;
		to->timeout_ns = from->timeout_ns;
		to->start_period_ns = from->start_period_ns;
		to->start_interval_ns = from->start_interval_ns;
		to->retries = from->retries;
	}
	config->has_healthcheck = true;
	strbuf_puts(&text, "HEALTHCHECK ");
	history_healthcheck(to, &text);
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

static void add_sorted(struct strlist *list, const struct strlist *more)
{
	for (size_t i = 0; i < more->count; i++)
		if (!strlist_has(list, more->items[i]))
			strlist_add(list, more->items[i]);
	strlist_sort(list);
}

static int step_expose(struct plan_stage *stage, const struct origin *origin,
		       const struct instruction *instruction, struct err *err)
{
	struct expand_scope scope = { .env = &stage->env };
	auto_strlist struct strlist words = STRLIST_INIT;
	auto_strlist struct strlist ports = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < instruction->words.count; i++)
		if (expand_words(instruction->words.items[i], &scope,
				 origin->ast->directives.escape, EXPAND_WORD, &words, err) < 0)
			return ast_locate(err, origin->ast, instruction);
	for (size_t i = 0; i < words.count; i++)
		if (value_ports(words.items[i], &ports, NULL, err) < 0)
			return ast_locate(err, origin->ast, instruction);
	add_sorted(&stage->image.config.exposed_ports, &ports);
	strbuf_puts(&text, "EXPOSE ");
	history_plain_list(&ports, &text);
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

static int step_volume(struct plan_stage *stage, const struct origin *origin,
		       const struct instruction *instruction, struct err *err)
{
	auto_strlist struct strlist paths = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < instruction->words.count; i++) {
		char *path;

		if (plan_expand(stage, origin, instruction, instruction->words.items[i], &path,
				err) < 0)
			return -1;
		strlist_take(&paths, path);
		if (path[0] == '\0') {
			err_set(err, ERR_INPUT, "the path '%s' comes out empty",
				instruction->words.items[i]);
			return ast_locate(err, origin->ast, instruction);
		}
	}
	add_sorted(&stage->image.config.volumes, &paths);
	strbuf_puts(&text, "VOLUME ");
	history_plain_list(&paths, &text);
	return add_config_step(stage, origin, instruction, strbuf_steal(&text));
}

static int step_user(struct plan_stage *stage, const struct origin *origin,
		     const struct instruction *instruction, struct err *err)
{
	char *user;

	if (plan_expand(stage, origin, instruction, instruction->word, &user, err) < 0)
		return -1;
	free(stage->image.config.user);
	stage->image.config.user = user;
	return add_config_step(stage, origin, instruction, str_format("USER %s", user));
}

static int step_stopsignal(struct plan_stage *stage, const struct origin *origin,
			   const struct instruction *instruction, struct err *err)
{
	auto_free char *signal = NULL;
	int number;

	if (plan_expand(stage, origin, instruction, instruction->word, &signal, err) < 0)
		return -1;
	if (signal_parse(signal, &number, err) < 0)
		return ast_locate(err, origin->ast, instruction);
	free(stage->image.config.stop_signal);
	stage->image.config.stop_signal = str_dup(signal);
	return add_config_step(stage, origin, instruction, str_format("STOPSIGNAL %s", signal));
}

static int step_maintainer(struct plan_stage *stage, const struct origin *origin,
			   const struct instruction *instruction)
{
	free(stage->image.author);
	stage->image.author = str_dup(instruction->word);
	return add_config_step(stage, origin, instruction,
			       str_format("MAINTAINER %s", instruction->word));
}

static int step_workdir(struct plan_stage *stage, const struct origin *origin,
			const struct instruction *instruction, struct err *err)
{
	struct run_config *config = &stage->image.config;
	auto_free char *word = NULL;
	struct step *step;
	bool is_root;
	char *path;

	if (plan_expand(stage, origin, instruction, instruction->word, &word, err) < 0)
		return -1;
	path = plan_path(config->working_dir ? config->working_dir : "/", word);
	is_root = strcmp(path, "/") == 0;
	step = plan_add_step(stage, is_root ? STEP_CONFIG : STEP_WORKDIR, origin, instruction);
	step->created_by = str_format("WORKDIR %s", path);
	if (!is_root) {
		step->workdir.path = str_dup(path);
		step->workdir.user = str_dup(config->user ? config->user : "");
	}
	free(config->working_dir);
	config->working_dir = path;
	return 0;
}

/* Kept for images made FROM this one; leaves no history. */
static int step_onbuild(struct plan_stage *stage, const struct instruction *instruction)
{
	strlist_add(&stage->image.config.on_build, instruction->onbuild.text);
	return 0;
}

int plan_instruction(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
		     const struct instruction *instruction, struct err *err)
{
	switch (instruction->kind) {
	case INSTRUCTION_ADD:
	case INSTRUCTION_COPY:
		return plan_copy(planner, stage, origin, instruction, err);
	case INSTRUCTION_ARG:
		return step_arg(planner, stage, origin, instruction, err);
	case INSTRUCTION_CMD:
		return step_cmd(stage, origin, instruction);
	case INSTRUCTION_ENTRYPOINT:
		return step_entrypoint(stage, origin, instruction);
	case INSTRUCTION_ENV:
		return step_env(stage, origin, instruction, err);
	case INSTRUCTION_EXPOSE:
		return step_expose(stage, origin, instruction, err);
	case INSTRUCTION_FROM:
		return err_set(err, ERR_BUG, "FROM inside of a stage");
	case INSTRUCTION_HEALTHCHECK:
		return step_healthcheck(stage, origin, instruction);
	case INSTRUCTION_LABEL:
		return step_label(stage, origin, instruction, err);
	case INSTRUCTION_MAINTAINER:
		return step_maintainer(stage, origin, instruction);
	case INSTRUCTION_ONBUILD:
		return step_onbuild(stage, instruction);
	case INSTRUCTION_RUN:
		return plan_run(planner, stage, origin, instruction, err);
	case INSTRUCTION_SHELL:
		return step_shell(stage, origin, instruction);
	case INSTRUCTION_STOPSIGNAL:
		return step_stopsignal(stage, origin, instruction, err);
	case INSTRUCTION_USER:
		return step_user(stage, origin, instruction, err);
	case INSTRUCTION_VOLUME:
		return step_volume(stage, origin, instruction, err);
	case INSTRUCTION_WORKDIR:
		return step_workdir(stage, origin, instruction, err);
	}
	return err_set(err, ERR_BUG, "an instruction of no known kind");
}
