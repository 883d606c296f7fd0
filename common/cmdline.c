/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for command lines: options by a table, subcommands, and hints for
 * what was misspelt. What the values mean is the command's business.
 */
#include "common/cmdline.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cmdline-internal.h"
#include "common/fd.h"
#include "common/mem.h"

#define WORD_MAX ((size_t)63) /* longer ones are not compared */

/* ---- hints ---------------------------------------------------------------- */

/* Edits (insert, delete, replace, swap of neighbours) from @a to @b; both at most WORD_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
	unsigned char rows[3][WORD_MAX + 1];
	unsigned char *before = rows[0];
	unsigned char *last = rows[1];
	unsigned char *row = rows[2];
	size_t b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		last[j] = (unsigned char)j;
	memcpy(before, last, sizeof(rows[0]));
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned char *spare = before;

		row[0] = (unsigned char)i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1u < best)
				best = last[j] + 1u;
			if (row[j - 1] + 1u < best)
				best = row[j - 1] + 1u;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1u < best)
				best = before[j - 2] + 1u;
			row[j] = (unsigned char)best;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

const char *cmdline_nearest(const char *word, const char *const *names)
{
	size_t len = strlen(word);
	/* one slip in a short word, up to three in a long one */
	size_t limit = len <= 3 ? 1 : len <= 8 ? 2 : 3;
	const char *nearest = NULL;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; names[i]; i++) {
		size_t distance;

		if (strlen(names[i]) > WORD_MAX)
			continue;
		distance = edit_distance(word, names[i]);
		/* all letters changed is not near, however short */
		if (distance > limit || distance >= len)
			continue;
		nearest = names[i];
		if (distance == 0)
			break;
		limit = distance - 1;
	}
	for (size_t i = 0; !nearest && len > 1 && names[i]; i++)
		if (strncmp(names[i], word, len) == 0)
			nearest = names[i];
	return nearest;
}

/* ---- options -------------------------------------------------------------- */

struct parser {
	const struct cmdline *cmdline;
	int argc;
	char **argv;
	int next;         /* the argument to be looked at */
	bool is_answered; /* --help and the like were asked */
	struct strlist args;
};

bool option_takes_value(const struct cmdline_option *option)
{
	switch (option->type) {
	case OPTION_FLAG:
	case OPTION_SWITCH:
		return false;
	case OPTION_STRING:
	case OPTION_LIST:
	case OPTION_CHOICE:
	case OPTION_PATHS:
		return true;
	case OPTION_IGNORED:
		return option->value_name != NULL;
	}
	assert(!"an option type that is none");
	return false;
}

static const struct cmdline_option *find_long(const struct cmdline *cmdline, const char *name,
					      size_t len)
{
	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++)
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static const struct cmdline_option *find_letter(const struct cmdline *cmdline, char letter)
{
	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static int set_flag(bool *target, const char *option, const char *value, struct err *err)
{
	bool is_true = !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

	if (!is_true && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		return err_set(err, ERR_USAGE, "option '%s' is true or false, not '%s'", option,
			       value);
	*target = is_true;
	return 0;
}

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	while (*choices) {
		size_t choice_len = strcspn(choices, "|");

		if (choice_len == len && strncmp(choices, value, len) == 0)
			return true;
		choices += choice_len;
		choices += *choices == '|';
	}
	return false;
}

/* "a|b|c" -> "a, b or c" */
static void add_choices(const char *choices, struct strbuf *out)
{
	for (const char *p = choices; *p; p++) {
		if (*p != '|')
			strbuf_putc(out, *p);
		else
			strbuf_puts(out, strchr(p + 1, '|') ? ", " : " or ");
	}
}

static int set_choice(const struct cmdline_option *row, const char *option, const char *value,
		      struct err *err)
{
	auto_strbuf struct strbuf list = STRBUF_INIT;

	if (is_choice(row->choices, value)) {
		*(const char **)row->target = value;
		return 0;
	}
	add_choices(row->choices, &list);
	return err_set(err, ERR_USAGE, "option '%s' is %s, not '%s'", option, list.data, value);
}

/* As a flag, or with one of the values that it may have besides. */
static int set_switch(const struct cmdline_option *row, const char *option, const char *value,
		      struct err *err)
{
	const char **target = row->target;
	bool is_on = false;

	if (value && row->choices && is_choice(row->choices, value)) {
		*target = value;
		return 0;
	}
	if (set_flag(&is_on, option, value, err) < 0)
		return row->choices ? set_choice(row, option, value, err) : -1;
	*target = is_on ? "true" : "false";
	return 0;
}

/* An absolute path, for a child process may stand elsewhere; one that leads nowhere stays. */
static int add_path(const char *variable, const char *option, const char *value, struct err *err)
{
	auto_free char *path = realpath(value, NULL);
	const char *before = getenv(variable);
	auto_free char *all = NULL;

	if (!value[0] || strchr(path ? path : value, ':'))
		return err_set(err, ERR_USAGE, "option '%s': a path that %s cannot be used", option,
			       value[0] ? "has a colon" : "is empty");
	all = str_format("%s%s%s", before ? before : "", before && before[0] ? ":" : "",
			 path ? path : value);
	if (setenv(variable, all, 1) < 0)
		return err_sys(err, "set %s", variable);
	return 0;
}

/* @option is as the user wrote it, without the value; NULL @value: none was given. */
static int set_option(const struct cmdline_option *row, const char *option, const char *value,
		      struct err *err)
{
	switch (row->type) {
	case OPTION_FLAG:
		return set_flag(row->target, option, value, err);
	case OPTION_SWITCH:
		return set_switch(row, option, value, err);
	case OPTION_STRING:
		*(const char **)row->target = value;
		return 0;
	case OPTION_LIST:
		strlist_add(row->target, value);
		return 0;
	case OPTION_CHOICE:
		return set_choice(row, option, value, err);
	case OPTION_PATHS:
		return add_path(row->choices, option, value, err);
	case OPTION_IGNORED:
		return 0;
	}
	assert(!"an option type that is none");
	return -1;
}

/* The value that follows as an argument of its own, or NULL. */
static const char *next_value(struct parser *parser, const struct cmdline_option *row,
			      const char *option, struct err *err)
{
	if (parser->next < parser->argc)
		return parser->argv[parser->next++];
	err_set(err, ERR_USAGE, "option '%s' needs a value (%s)", option,
		row->value_name ? row->value_name
		: row->choices  ? row->choices
				: "VALUE");
	return NULL;
}

static int print(const struct strbuf *text, struct err *err)
{
	return fd_write_all(STDOUT_FILENO, text->data, text->len, "standard output", err);
}

static bool is_word(const char *name, size_t len, const char *word)
{
	return strlen(word) == len && strncmp(name, word, len) == 0;
}

/* --help, --version, --completion=bash. 1: it was one of them, 0: not, -1: error. */
static int answer(struct parser *parser, const char *name, size_t len, const char *value,
		  struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	bool is_completion = is_word(name, len, "completion");

	if (is_word(name, len, "help"))
		cmdline_format_help(parser->cmdline, &text);
	else if (is_word(name, len, "version"))
		cmdline_format_version(parser->cmdline->program, &text);
	else if (is_completion)
		cmdline_format_completion(parser->cmdline, &text);
	else
		return 0;
	if (is_completion && (!value || strcmp(value, "bash") != 0))
		return err_set(err, ERR_USAGE, "option '--completion' is bash, not '%s'",
			       value ? value : "");
	if (!is_completion && value)
		return err_set(err, ERR_USAGE, "option '--%.*s' takes no value", (int)len, name);
	parser->is_answered = true;
	return print(&text, err) < 0 ? -1 : 1;
}

static int unknown_option(const struct cmdline *cmdline, const char *name, size_t len,
			  struct err *err)
{
	auto_free char *word = str_ndup(name, len);
	const char **names = NULL;
	const char *nearest;
	size_t count = 0;

	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++)
		count++;
	names = mem_array(count + 3, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = cmdline->options[i].name;
	names[count] = "help";
	names[count + 1] = "version";
	nearest = cmdline_nearest(word, names);
	free(names);
	if (nearest)
		return err_set(err, ERR_USAGE, "unknown option '--%s' (did you mean '--%s'?)", word,
			       nearest);
	return err_set(err, ERR_USAGE, "unknown option '--%s'; see '%s --help'", word,
		       cmdline->program);
}

/* @arg begins with "--" and is longer than that. */
static int parse_long(struct parser *parser, const char *arg, struct err *err)
{
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct cmdline_option *row = find_long(parser->cmdline, name, len);
	auto_free char *option = str_ndup(arg, len + 2);
	int answered;

	if (!row) {
		answered = answer(parser, name, len, value, err);
		if (answered)
			return answered < 0 ? -1 : 0;
		return unknown_option(parser->cmdline, name, len, err);
	}
	if (!value && option_takes_value(row)) {
		value = next_value(parser, row, option, err);
		if (!value)
			return -1;
	}
	return set_option(row, option, value, err);
}

/* @arg is "-" and letters: flags, and at the end perhaps one with a value. */
static int parse_letters(struct parser *parser, const char *arg, struct err *err)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct cmdline_option *row = find_letter(parser->cmdline, *p);
		const char option[] = { '-', *p, '\0' };
		const char *value = NULL;

		if (!row && *p == 'h')
			return answer(parser, "help", 4, NULL, err) < 0 ? -1 : 0;
		if (!row)
			return err_set(err, ERR_USAGE, "unknown option '-%c'; see '%s --help'", *p,
				       parser->cmdline->program);
		if (p[1] == '=')
			value = p + 2;
		else if (option_takes_value(row))
			value = p[1] ? p + 1 : next_value(parser, row, option, err);
		if (!value && option_takes_value(row))
			return -1;
		if (set_option(row, option, value, err) < 0)
			return -1;
		if (value)
			return 0;
	}
	return 0;
}

static int check_count(const struct cmdline *cmdline, size_t count, const char *extra,
		       struct err *err)
{
	if (count < cmdline->min_args)
		return err_set(err, ERR_USAGE, "%s argument%s missing; usage: %s %s",
			       cmdline->min_args - count == 1 ? "an" : "some",
			       cmdline->min_args - count == 1 ? " is" : "s are", cmdline->program,
			       cmdline->synopsis);
	if (count > cmdline->max_args)
		return err_set(err, ERR_USAGE, "unexpected argument '%s'; usage: %s %s", extra,
			       cmdline->program, cmdline->synopsis);
	return 0;
}

static int parse_all(struct parser *parser, struct err *err)
{
	bool only_args = false;

	while (parser->next < parser->argc && !parser->is_answered) {
		const char *arg = parser->argv[parser->next++];
		int result = 0;

		if (only_args || arg[0] != '-' || !arg[1]) {
			strlist_add(&parser->args, arg);
			only_args |= parser->cmdline->stop_at_positional;
		} else if (arg[1] != '-') {
			result = parse_letters(parser, arg, err);
		} else if (arg[2]) {
			result = parse_long(parser, arg, err);
		} else {
			only_args = true;
		}
		if (result < 0)
			return -1;
	}
	return 0;
}

int cmdline_parse(const struct cmdline *cmdline, int argc, char **argv, struct strlist *out_args,
		  bool *out_done, struct err *err)
{
	struct parser parser = { .cmdline = cmdline, .argc = argc, .argv = argv, .next = 1 };
	auto_strlist struct strlist args = STRLIST_INIT;
	int result = parse_all(&parser, err);

	args = parser.args;
	if (result < 0)
		return -1;
	if (!parser.is_answered &&
	    check_count(cmdline, args.count,
			args.count > cmdline->max_args ? args.items[cmdline->max_args] : NULL,
			err) < 0)
		return -1;
	strlist_release(out_args);
	*out_args = args;
	args = (struct strlist)STRLIST_INIT;
	*out_done = parser.is_answered;
	return 0;
}

/* ---- subcommands ---------------------------------------------------------- */

/* @word is none of @table's: an error with a hint. */
static int unknown_command(const char *program, const struct subcommand *table, const char *word,
			   struct err *err)
{
	const char **names = NULL;
	const char *nearest;
	size_t count = 0;

	while (table[count].name)
		count++;
	names = mem_array(count + 1, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = table[i].name;
	nearest = cmdline_nearest(word, names);
	free(names);
	if (nearest)
		return err_set(err, ERR_USAGE, "unknown command '%s' (did you mean '%s'?)", word,
			       nearest);
	return err_set(err, ERR_USAGE, "unknown command '%s'; see '%s --help'", word, program);
}

struct dispatch {
	struct strlist before; /* "--root=DIR" and the like, to be handed on */
	int first;             /* index of the subcommand in argv; argc: none */
	const char *asked;     /* an option that is answered here */
};

/* --root or --add-store: 1, with its value in the list; 0: it is neither. As one word: the value
 * may begin with a dash. */
static int take_handed_on(struct dispatch *dispatch, int argc, char **argv, int *at,
			  struct err *err)
{
	static const char *const names[] = { "--root", "--add-store" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);
		auto_free char *word = NULL;

		if (strncmp(argv[*at], names[i], len) != 0)
			continue;
		if (argv[*at][len] == '=') {
			strlist_add(&dispatch->before, argv[*at]);
			return 1;
		}
		if (argv[*at][len])
			continue;
		if (++*at == argc)
			return err_set(err, ERR_USAGE, "option '%s' needs a value (DIR)", names[i]);
		word = str_format("%s=%s", names[i], argv[*at]);
		strlist_add(&dispatch->before, word);
		return 1;
	}
	return 0;
}

/* The options before the subcommand. */
static int parse_before(const char *program, int argc, char **argv, struct dispatch *out,
			struct err *err)
{
	for (int i = 1; i < argc; i++) {
		int taken;

		if (argv[i][0] != '-') {
			out->first = i;
			return 0;
		}
		taken = take_handed_on(out, argc, argv, &i, err);
		if (taken < 0)
			return -1;
		if (taken)
			continue;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
		    strcmp(argv[i], "--version") == 0 ||
		    strcmp(argv[i], "--completion=bash") == 0) {
			out->asked = argv[i];
			return 0;
		} else {
			return err_set(err, ERR_USAGE,
				       "option '%s' is not known before the command; see "
				       "'%s --help'",
				       argv[i], program);
		}
	}
	return err_set(err, ERR_USAGE, "a command is missing; see '%s --help'", program);
}

static int answer_dispatch(const char *program, const char *summary, const struct subcommand *table,
			   const char *asked, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (strcmp(asked, "--version") == 0)
		cmdline_format_version(program, &text);
	else if (strcmp(asked, "--completion=bash") == 0)
		dispatch_format_completion(program, table, &text);
	else
		dispatch_format_help(program, summary, table, &text);
	return print(&text, err);
}

/* Call @run with what follows the subcommand, what stood before it in front. */
static int run_subcommand(const struct subcommand *row, const struct dispatch *dispatch, int argc,
			  char **argv)
{
	auto_free char **args = NULL;
	int count = 0;

	args = mem_array((size_t)argc + 1, sizeof(*args));
	args[count++] = argv[dispatch->first];
	for (size_t i = 0; i < dispatch->before.count; i++)
		args[count++] = dispatch->before.items[i];
	for (int i = dispatch->first + 1; i < argc; i++)
		args[count++] = argv[i];
	return row->run(count, args);
}

int cmdline_dispatch(const char *program, const char *summary, const struct subcommand *table,
		     int argc, char **argv)
{
	struct dispatch dispatch = { .before = STRLIST_INIT, .first = argc };
	const struct subcommand *row = table;
	struct err err = ERR_INIT;
	int status = -1;

	if (parse_before(program, argc, argv, &dispatch, &err) == 0) {
		while (!dispatch.asked && row->name && strcmp(row->name, argv[dispatch.first]) != 0)
			row++;
		if (dispatch.asked)
			(void)answer_dispatch(program, summary, table, dispatch.asked, &err);
		else if (row->name)
			status = run_subcommand(row, &dispatch, argc, argv);
		else
			(void)unknown_command(program, table, argv[dispatch.first], &err);
	}
	strlist_release(&dispatch.before);
	if (err.kind != ERR_NONE)
		err_print(&err, program);
	return status >= 0 ? status : err_exit_status(&err);
}

/* ---- tables of tables ---- */

void cmdline_table_release(struct cmdline_table *table)
{
	free(table->rows);
	*table = (struct cmdline_table){ .rows = NULL };
}

void cmdline_table_add(struct cmdline_table *table, const struct cmdline_option *rows)
{
	size_t count = 0;

	while (rows[count].name)
		count++;
	table->rows = mem_resize(table->rows, table->count + count + 1, sizeof(table->rows[0]));
	memcpy(table->rows + table->count, rows, (count + 1) * sizeof(rows[0]));
	table->count += count;
}
