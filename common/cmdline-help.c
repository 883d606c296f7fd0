/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what a command says about itself: help, version, completion. */
#include "common/cmdline-internal.h"

#include <config.h>
#include <ctype.h>
#include <string.h>

#define HELP_COLUMN_MAX ((size_t)34) /* a longer option has its help on the next line */

static void add_option_names(const struct cmdline_option *option, struct strbuf *out)
{
	if (option->letter)
		strbuf_printf(out, "  -%c, --%s", option->letter, option->name);
	else
		strbuf_printf(out, "      --%s", option->name);
	if (!option_takes_value(option))
		return;
	strbuf_putc(out, ' ');
	if (option->value_name)
		strbuf_puts(out, option->value_name);
	else
		strbuf_puts(out, option->choices ? option->choices : "VALUE");
}

static void add_line(const char *left, size_t column, const char *right, struct strbuf *out)
{
	size_t len = strlen(left);

	strbuf_puts(out, left);
	if (len + 2 > column) {
		strbuf_putc(out, '\n');
		len = 0;
	}
	strbuf_printf(out, "%*s%s\n", (int)(column - len), "", right);
}

static bool has_name(const struct cmdline *cmdline, const char *name)
{
	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++)
		if (strcmp(o->name, name) == 0)
			return true;
	return false;
}

static bool has_letter(const struct cmdline *cmdline, char letter)
{
	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++)
		if (o->letter == letter)
			return true;
	return false;
}

/* Where the right half begins: past the longest left half, within reason. */
static size_t help_column(const struct cmdline *cmdline)
{
	size_t column = strlen("      --version") + 2;

	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++) {
		auto_strbuf struct strbuf left = STRBUF_INIT;

		add_option_names(o, &left);
		if (left.len + 2 > column && left.len + 2 <= HELP_COLUMN_MAX)
			column = left.len + 2;
	}
	return column;
}

static void add_option(const struct cmdline_option *option, size_t column, struct strbuf *out)
{
	auto_strbuf struct strbuf left = STRBUF_INIT;
	auto_strbuf struct strbuf right = STRBUF_INIT;

	add_option_names(option, &left);
	strbuf_puts(&right, option->help ? option->help : "");
	if (option->type == OPTION_CHOICE && option->value_name && option->choices)
		strbuf_printf(&right, " (%s)", option->choices);
	if (option->type == OPTION_IGNORED)
		strbuf_printf(&right, "%s(accepted, does nothing)", right.len ? " " : "");
	add_line(left.data, column, right.data, out);
}

void cmdline_format_help(const struct cmdline *cmdline, struct strbuf *out)
{
	size_t column = help_column(cmdline);

	strbuf_printf(out, "Usage: %s %s\n\n%s\n\nOptions:\n", cmdline->program, cmdline->synopsis,
		      cmdline->summary);
	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++)
		add_option(o, column, out);
	if (!has_name(cmdline, "help"))
		add_line(has_letter(cmdline, 'h') ? "      --help" : "  -h, --help", column,
			 "Print this help and exit", out);
	if (!has_name(cmdline, "version"))
		add_line("      --version", column, "Print the version and exit", out);
}

void cmdline_format_version(const char *program, struct strbuf *out)
{
	/* of "imgstore ls" the program is the first word */
	strbuf_printf(out, "%.*s %s\n", (int)strcspn(program, " "), program, PACKAGE_VERSION);
}

void dispatch_format_help(const char *program, const char *summary, const struct subcommand *table,
			  struct strbuf *out)
{
	size_t column = 0;

	for (const struct subcommand *s = table; s->name; s++)
		if (strlen(s->name) + 4 > column)
			column = strlen(s->name) + 4;
	strbuf_printf(out, "Usage: %s [--root DIR] COMMAND [OPTIONS] ...\n\n%s\n\nCommands:\n",
		      program, summary);
	for (const struct subcommand *s = table; s->name; s++) {
		auto_strbuf struct strbuf left = STRBUF_INIT;

		strbuf_printf(&left, "  %s", s->name);
		add_line(left.data, column, s->help, out);
	}
	strbuf_printf(out, "\n'%s COMMAND --help' describes a command.\n", program);
}

/* ---- completion ----------------------------------------------------------- */

/* "imgstore ls" -> "_imgstore_ls" */
static void add_function_name(const char *program, struct strbuf *out)
{
	strbuf_putc(out, '_');
	for (; *program; program++)
		strbuf_putc(out, isalnum((unsigned char)*program) ? *program : '_');
}

static void add_registration(const char *program, struct strbuf *out)
{
	strbuf_puts(out, "complete -o filenames -o bashdefault -F ");
	add_function_name(program, out);
	strbuf_printf(out, " %s\n", program);
}

/* Bash takes "--name=va" apart at '=': put cur and prev right again. */
static void add_head(const char *program, struct strbuf *out)
{
	add_function_name(program, out);
	strbuf_puts(out, "()\n{\n"
			 "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
			 "\tif [[ $cur == = ]]; then\n"
			 "\t\tcur=\n"
			 "\telif [[ $prev == = ]]; then\n"
			 "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n"
			 "\tfi\n");
}

static void add_case(const struct cmdline_option *option, struct strbuf *out)
{
	strbuf_puts(out, "\t");
	if (option->letter)
		strbuf_printf(out, "-%c|", option->letter);
	strbuf_printf(out, "--%s)\n", option->name);
	if (option->type == OPTION_CHOICE && option->choices) {
		strbuf_puts(out, "\t\tCOMPREPLY=($(compgen -W '");
		for (const char *p = option->choices; *p; p++)
			strbuf_putc(out, *p == '|' ? ' ' : *p);
		strbuf_puts(out, "' -- \"$cur\"))\n");
	} else {
		strbuf_puts(out, "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n");
	}
	strbuf_puts(out, "\t\treturn\n\t\t;;\n");
}

void cmdline_format_completion(const struct cmdline *cmdline, struct strbuf *out)
{
	add_head(cmdline->program, out);
	strbuf_puts(out, "\tcase $prev in\n");
	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++)
		if (option_takes_value(o))
			add_case(o, out);
	strbuf_puts(out, "\tesac\n\tif [[ $cur == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W '");
	for (const struct cmdline_option *o = cmdline->options; o && o->name; o++)
		strbuf_printf(out, "--%s ", o->name);
	strbuf_puts(out, "--help --version' -- \"$cur\"))\n\telse\n"
			 "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\tfi\n}\n");
	/* that of a subcommand is called by the one of its program */
	if (!strchr(cmdline->program, ' '))
		add_registration(cmdline->program, out);
}

/* The names at first; then the function of the subcommand, which it prints itself. */
void dispatch_format_completion(const char *program, const struct subcommand *table,
				struct strbuf *out)
{
	auto_strbuf struct strbuf name = STRBUF_INIT;

	add_function_name(program, &name);
	strbuf_printf(out,
		      "%s()\n{\n"
		      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} sub=${COMP_WORDS[1]}\n"
		      "\tif ((COMP_CWORD == 1)); then\n"
		      "\t\tCOMPREPLY=($(compgen -W '",
		      name.data);
	for (const struct subcommand *s = table; s->name; s++)
		strbuf_printf(out, "%s ", s->name);
	strbuf_puts(out,
		    "--help --version --root' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $sub in\n\t");
	for (const struct subcommand *s = table; s->name; s++)
		strbuf_printf(out, "%s%s", s == table ? "" : "|", s->name);
	strbuf_printf(out,
		      ")\n\t\tif ! declare -F \"%1$s_${sub//[^a-zA-Z0-9]/_}\" >/dev/null; then\n"
		      "\t\t\teval \"$(%2$s \"$sub\" --completion=bash 2>/dev/null)\"\n"
		      "\t\tfi\n"
		      "\t\t\"%1$s_${sub//[^a-zA-Z0-9]/_}\"\n"
		      "\t\t;;\n"
		      "\tesac\n}\n",
		      name.data, program);
	add_registration(program, out);
}
