/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_CMDLINE_H
#define COMMON_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * One table of options gives parsing, --help, and completion.
 *
 * Long options take "--name value" and "--name=value"; an unambiguous prefix
 * is NOT accepted; "--name=false" is allowed for flags. Short flags may be
 * joined ("-it"), a short option's value may be attached ("-fBuildfile",
 * "-f=Buildfile"). "--" ends the options. Options and positional arguments may be mixed, unless
 * stop_at_positional. Every table has --help/-h and --version without being
 * told, and the hidden --completion=bash; a row of the same name or letter goes
 * before them (-h for a host name).
 */
enum option_type {
	OPTION_FLAG,    /* bool *: set true; --name=false sets false */
	OPTION_SWITCH,  /* const char **: the same, "true" or "false"; NULL when not given. With
			 * choices, --name=CHOICE sets that */
	OPTION_STRING,  /* const char **: the value (points into argv); the last one wins */
	OPTION_LIST,    /* struct strlist *: appended */
	OPTION_CHOICE,  /* const char **: one of choices, else ERR_USAGE that lists them */
	OPTION_PATHS,   /* no target: the value, a path, is appended behind a colon to the
			 * environment variable that choices names */
	OPTION_IGNORED, /* accepted and does nothing, as the help says; takes a value if it
			 * has a value_name; no target */
};

struct cmdline_option {
	char letter;      /* 0: none */
	const char *name; /* without "--" */
	enum option_type type;
	void *target;
	const char *value_name; /* for the help: "NAME[:TAG]"; NULL for flags */
	const char *help;       /* one line */
	const char *choices;    /* OPTION_CHOICE: "plain|quiet"; OPTION_PATHS: "VARIABLE" */
};

struct cmdline {
	const char *program;                  /* "imgbuild", "imgstore ls" */
	const char *synopsis;                 /* "[OPTIONS] CONTEXT" */
	const char *summary;                  /* what it does, one or two lines */
	const struct cmdline_option *options; /* ended by a row with name NULL */
	size_t min_args;
	size_t max_args;         /* SIZE_MAX: any number */
	bool stop_at_positional; /* all from the first positional on is positional */
};

/* A table that is made of several, one after the other. */
struct cmdline_table {
	struct cmdline_option *rows; /* ended by a row with name NULL */
	size_t count;                /* without that */
};
#define auto_cmdline_table __attribute__((cleanup(cmdline_table_release)))
void cmdline_table_release(struct cmdline_table *table);
/* @rows: ended by a row with name NULL. They are copied, what they lead to is borrowed. */
void cmdline_table_add(struct cmdline_table *table, const struct cmdline_option *rows);

/*
 * Parse argv[1…]. *out_done: --help, --version or --completion was asked and
 * answered on stdout; the command returns 0. ERR_USAGE names the option, with
 * a suggestion when a known one is near.
 */
int cmdline_parse(const struct cmdline *cmdline, int argc, char **argv, struct strlist *out_args,
		  bool *out_done, struct err *err);

/*
 * Programs with subcommands ("imgstore ls"): picks the row named by the first
 * positional argument, without options before it other than --help/--version/--root/--add-store.
 * "--root DIR" and "--add-store DIR" are handed on as the first options of the subcommand. The
 * table ends with a row without a name.
 */
struct subcommand {
	const char *name;
	const char *help;
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand; returns the exit status */
};

/* Runs the one chosen and returns its exit status; prints usage errors itself (status 2). */
int cmdline_dispatch(const char *program, const char *summary, const struct subcommand *table,
		     int argc, char **argv);

/* The nearest of @names (ended by NULL) to @word, or NULL when none is near: for hints. */
const char *cmdline_nearest(const char *word, const char *const *names);

#endif
