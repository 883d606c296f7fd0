/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_AST_H
#define BUILDER_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/source.h"
#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"

/*
 * What a Buildfile says, typed. Made by builder/parse.h, never changed later.
 *
 * A value marked (x) is subject to variable expansion: it is stored as written,
 * with its quotes, and goes through expand_word (builder/expand.h) with the
 * ast's escape character when its turn comes. All other values are final.
 * Strings that may be absent are NULL then.
 */
enum instruction_kind {
	INSTRUCTION_ADD,
	INSTRUCTION_ARG,
	INSTRUCTION_CMD,
	INSTRUCTION_COPY,
	INSTRUCTION_ENTRYPOINT,
	INSTRUCTION_ENV,
	INSTRUCTION_EXPOSE,
	INSTRUCTION_FROM, /* begins a stage; never in a stage's list of instructions */
	INSTRUCTION_HEALTHCHECK,
	INSTRUCTION_LABEL,
	INSTRUCTION_MAINTAINER,
	INSTRUCTION_ONBUILD,
	INSTRUCTION_RUN,
	INSTRUCTION_SHELL,
	INSTRUCTION_STOPSIGNAL,
	INSTRUCTION_USER,
	INSTRUCTION_VOLUME,
	INSTRUCTION_WORKDIR,
};

/* "ADD"; and all names, ended by NULL, in the order of the enum. */
const char *instruction_name(enum instruction_kind kind);
extern const char *const instruction_names[];

/* <<NAME, with the lines up to NAME. */
struct heredoc {
	char *name;         /* the delimiter without quotes */
	char *body;         /* as written, each line with its end; leading tabs kept */
	bool should_expand; /* no part of the delimiter was quoted */
	bool should_chomp;  /* <<- */
	unsigned fd;        /* the digits before <<, or 0 */
	struct position at; /* of the first line of the body */
};

/* The body without leading tabs if it was <<-. The caller's to free. */
char *heredoc_text(const struct heredoc *heredoc);

/* KEY=value of ENV, LABEL and ARG. */
struct keyvalue {
	char *key;      /* (x) */
	char *value;    /* (x); NULL for an ARG without default */
	char *doc;      /* ARG: the comment "# KEY text" right above: text; else NULL */
	bool is_legacy; /* written "ENV key value" */
	struct position at;
};

/* The command of RUN, CMD, ENTRYPOINT and HEALTHCHECK CMD. */
struct command_line {
	bool is_exec;        /* JSON form: args is the argument list, maybe empty */
	struct strlist args; /* shell form: one string, or none when nothing was written */
	/* shell form that began with '[' but is no JSON: why (for a check); else NULL */
	char *json_fault;
};

/* RUN --mount=…; its fields are read by run_mount_resolve (builder/runmount.h) */
struct mount_flag {
	char *text; /* (x) all of it, the values one by one */
	char *from; /* what from= says, never expanded; NULL if there is none */
	struct position at;
};

/* RUN --device=… */
struct device_flag {
	char *name;
	bool is_required;
};

enum run_network { RUN_NETWORK_DEFAULT, RUN_NETWORK_NONE, RUN_NETWORK_HOST };
enum run_security { RUN_SECURITY_SANDBOX, RUN_SECURITY_INSECURE };

struct run_instruction {
	struct command_line command;
	struct heredoc *heredocs;
	size_t heredoc_count;
	bool is_script; /* the shell form is one heredoc and nothing else */
	struct mount_flag *mounts;
	size_t mount_count;
	struct device_flag *devices;
	size_t device_count;
	enum run_network network;
	bool has_network; /* --network was given */
	enum run_security security;
};

/*
 * What a RUN in shell form hands to the shell: the body of a script, or the
 * line with all heredocs behind it, or just the line. The caller's to free.
 * A script whose text begins with "#!" is to be executed as a file instead.
 */
char *run_shell_text(const struct run_instruction *run);

enum tristate { TRISTATE_UNSET, TRISTATE_FALSE, TRISTATE_TRUE };

struct copy_source {
	char *path;                    /* (x); NULL for a heredoc */
	const struct heredoc *heredoc; /* one of the instruction's own; NULL for a path */
};

/* COPY and ADD */
struct copy_instruction {
	struct copy_source *sources; /* at least one, as written in order */
	size_t source_count;
	char *dest; /* (x) */
	struct heredoc *heredocs;
	size_t heredoc_count;
	char *chown; /* (x) or NULL */
	char *chmod; /* (x) or NULL */
	bool is_link;
	struct strlist excludes;    /* not expanded */
	char *from;                 /* COPY: not expanded, or NULL */
	bool keeps_parents;         /* COPY --parents */
	char *checksum;             /* ADD: (x) or NULL */
	enum tristate keep_git_dir; /* ADD */
	enum tristate unpack;       /* ADD */
};

struct keyvalue_instruction {
	struct keyvalue *pairs; /* at least one */
	size_t count;
};

struct healthcheck_instruction {
	bool is_none; /* HEALTHCHECK NONE */
	struct command_line command;
	int64_t interval_ns; /* 0: not given */
	int64_t timeout_ns;
	int64_t start_period_ns;
	int64_t start_interval_ns;
	int32_t retries;
};

struct instruction;

struct onbuild_instruction {
	char *text;                  /* for config.OnBuild: heredocs and their ends included */
	struct instruction *trigger; /* the same, parsed; not ONBUILD, FROM, MAINTAINER */
};

struct instruction {
	enum instruction_kind kind;
	char *keyword;           /* as written: "Run" */
	char *original;          /* the whole logical line: continuations joined, no heredocs */
	int line_start;          /* of the keyword's line */
	int line_end;            /* with heredocs and their ends */
	int column;              /* of the keyword */
	struct strlist comments; /* right above, without '#' and blanks; for doc and check= */
	union {
		struct run_instruction run;
		struct copy_instruction copy;         /* COPY, ADD */
		struct keyvalue_instruction keyvalue; /* ARG, ENV, LABEL */
		struct command_line command;          /* CMD, ENTRYPOINT, SHELL (always exec) */
		struct healthcheck_instruction healthcheck;
		struct onbuild_instruction onbuild;
		struct strlist
			words; /* EXPOSE (x, then split again; sorted by bytes); VOLUME (x) */
		char *word;    /* MAINTAINER; USER (x), WORKDIR (x), STOPSIGNAL (x) */
	};
};

/* FROM and what follows it. */
struct stage {
	char *base;     /* (x) with global ARGs only */
	char *platform; /* (x) with global ARGs only, or NULL */
	char *name;     /* lower case, or NULL */
	char *name_as_written;
	char *as_keyword; /* "AS" as written, or NULL */
	char *keyword;    /* "FROM" as written */
	char *original;
	char *doc; /* the comment "# NAME text" right above: text; or NULL */
	struct strlist comments;
	int line_start;
	int line_end; /* of the FROM itself */
	int column;
	struct position base_at; /* of the base's name */
	struct instruction **instructions;
	size_t instruction_count;
};

/* The directives at the top. */
struct directives {
	char *syntax; /* the whole value, or NULL */
	char *check;  /* the value, or NULL */
	char escape;  /* '\\' or '`' */
	struct position syntax_at;
	struct position check_at;
};

struct ast {
	struct source_file source; /* for errors that are found later */
	struct directives directives;
	struct instruction **globals; /* the ARGs before the first FROM */
	size_t global_count;
	struct stage **stages;
	size_t stage_count;
	size_t *named_stages; /* numbers of those with a name, by name, then by number */
	size_t named_count;
	int *empty_continuations; /* lines of instructions that hold an empty line (a check) */
	size_t empty_continuation_count;
};

/* Releases all of it; NULL is allowed. */
void ast_free(struct ast *ast);
#define auto_ast __attribute__((cleanup(ast_auto_free)))
static inline void ast_auto_free(struct ast **ast)
{
	ast_free(*ast);
}

/* When all stages are there: make them known to ast_find_stage. */
void ast_index_stages(struct ast *ast);

/* The stage of that name, case aside, the last one that stands before stage @before; or -1. */
int ast_find_stage(const struct ast *ast, const char *name, size_t before);

/* source_locate for an error in @instruction. Returns -1. */
int ast_locate(struct err *err, const struct ast *ast, const struct instruction *instruction);

/* All of it as text, a line per node, the same for the same meaning; for tests and people. */
void ast_dump(const struct ast *ast, struct strbuf *out);

/* ---- for the parser and its tests ---- */
void directives_release(struct directives *directives);
struct instruction *instruction_new(enum instruction_kind kind);
void instruction_free(struct instruction *instruction);
void stage_free(struct stage *stage);
void heredoc_release(struct heredoc *heredoc);
/* Behind the line that opens them: "\n", the body and the name of each. */
void heredoc_append(struct strbuf *out, const struct heredoc *heredocs, size_t count);

#endif
