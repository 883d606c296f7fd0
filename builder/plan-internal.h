/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PLAN_INTERNAL_H
#define BUILDER_PLAN_INTERNAL_H

#include "builder/plan.h"

/* So many stages may need one another in a row: planning goes down them on the stack. */
#define PLAN_DEPTH_MAX 1000

/* A plan in the making. */
struct planner {
	struct plan *plan;
	const struct plan_input *input;
	const struct ast *ast;
	struct strlist globals;        /* the platform's ARGs and those before the first FROM */
	struct strlist used_args;      /* names of --build-args that something asked for */
	const struct platform *target; /* one after the other */
	int *positions;                /* for it, of each stage of the AST in the plan, or -1 */
	bool *uncached;                /* of each stage of the AST */
	size_t depth;                  /* stages being planned, each for the one before */
};

/* What an instruction is taken from. */
struct origin {
	const struct ast *ast;
	bool is_trigger;
	size_t stage; /* in the AST of the Buildfile: names of stages before it can be used */
};

/* What the stage begins with: plans the stage that it is FROM, or finds the image. */
int plan_base(struct planner *planner, struct plan_stage *stage, struct err *err);

/* What the files of @stage are for, as far as it is known. */
const struct platform *plan_files_platform(const struct plan_stage *stage);
/* There programs are found in other ways, and there is another shell. */
bool plan_is_windows(const struct plan_stage *stage);

/* Plan one stage and all that it needs; *out_index is its place in the plan. */
int plan_stage(struct planner *planner, size_t number, size_t *out_index, struct err *err);

/* By name, else by number. */
bool plan_find_stage(const struct ast *ast, const char *text, size_t *out_number);

/* ---- plan-changes.c: what input->changes and input->labels ask for ---- */
bool plan_is_proxy(const char *name);
void plan_set_proxies(struct planner *planner);
/* ERR_INPUT when one of the names is no stage. */
int plan_set_uncached(struct planner *planner, struct err *err);
/* The configuration of the image that comes out. */
void plan_change_image(const struct planner *planner, struct plan_stage *target);
/* An ENV instruction, or NULL when there is nothing to set. */
char *plan_changes_env_text(const struct plan_changes *changes);

/* The number of the stage that input->target means. */
int plan_target(const struct planner *planner, size_t *out_number, struct err *err);

/* planner->globals: what FROM may use when @number is built for @platform, which stays borrowed. */
int plan_globals(struct planner *planner, size_t number, const struct platform *platform,
		 struct err *err);

/* One instruction of @stage: its step, and what it changes. */
int plan_instruction(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
		     const struct instruction *instruction, struct err *err);

/* A new step of @stage, borrowed; its title is set. */
struct step *plan_add_step(struct plan_stage *stage, enum step_kind kind,
			   const struct origin *origin, const struct instruction *instruction);

/* RUN, COPY and ADD. */
int plan_run(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
	     const struct instruction *instruction, struct err *err);
int plan_copy(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
	      const struct instruction *instruction, struct err *err);

/* The options --mount of a RUN. */
int plan_mounts(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
		const struct instruction *instruction, struct plan_run *run, struct err *err);
void plan_mounts_release(struct plan_run *run);

/*
 * What from= names: the number or name of a stage before, else an image. Plans the stage.
 * @what is how the option is called in messages ("--from"); the place is the caller's to add.
 */
int plan_from(struct planner *planner, const struct origin *origin, const char *from,
	      const char *what, enum copy_from *out_kind, size_t *out_index, struct err *err);

/* The value of --build-arg @name, or NULL; notes that it was asked for. */
const char *plan_build_arg(struct planner *planner, const char *name);

/* Expand a word of @instruction with what is known in @stage; with its place on failure. */
int plan_expand(const struct plan_stage *stage, const struct origin *origin,
		const struct instruction *instruction, const char *word, char **out,
		struct err *err);

/* "… is not supported", with the place. Returns -1. */
int plan_refuse(struct err *err, const struct origin *origin, const struct instruction *instruction,
		const char *what);

/* The shell of @stage and @text: the caller adds it to an empty list. */
void plan_shell(const struct plan_stage *stage, const char *text, struct strlist *out);

/* @path relative to @base, cleaned: absolute, without ".", "..", "//" and a slash at the end. */
char *plan_path(const char *base, const char *path);

#endif
