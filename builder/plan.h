/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PLAN_H
#define BUILDER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "builder/ast.h"
#include "builder/chmod.h"
#include "builder/ignore.h"
#include "builder/named.h"
#include "builder/plan-changes.h"
#include "builder/platforms.h"
#include "builder/policy.h"
#include "builder/remote.h"
#include "common/digest.h"
#include "builder/runmount.h"
#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/config.h"

/*
 * What a build will do: the stages that the target needs, in an order in which
 * each finds what it needs done, and in each the steps, with all variables
 * expanded. A plan is plain values: made before anything runs, so that all that
 * can be said against a Buildfile is said first; it can be printed and compared.
 *
 * What a step does to the configuration of the image has been done when the
 * plan is there: a step knows the environment, directory and user that it finds.
 */
enum step_kind {
	STEP_CONFIG, /* changes the configuration only: a line of history */
	STEP_RUN,
	STEP_COPY, /* COPY and ADD */
	STEP_WORKDIR,
};

enum copy_from {
	COPY_FROM_CONTEXT, /* index: 0, or from 1 on of a named one */
	COPY_FROM_STAGE,   /* index: in plan.stages */
	COPY_FROM_IMAGE,   /* index: as get_image gave it */
};

/* RUN --mount, with all that it left to its stage filled in. */
struct plan_mount {
	struct run_mount options; /* as given; of a secret, is_required and the like */
	char *target;             /* absolute and clean; NULL: a secret that is a variable only */
	char *id;                 /* of cache, secret and ssh */
	char *env;                /* the variable that a secret becomes; or NULL */
	enum copy_from from;
	size_t from_index;
	bool has_layers;               /* from is a stage or image */
	bool has_seed;                 /* a cache that begins with something */
	const struct mount_flag *flag; /* its place; borrowed from the AST */
};

struct plan_run {
	struct strlist argv; /* shell in front, if it was the shell form */
	struct strlist env;  /* that of the image, and the ARGs in scope */
	char *user;          /* "" for root */
	char *cwd;
	enum run_network network;
	char *platform;   /* whose program it is, "linux/arm64" */
	bool is_32bit;    /* what the kernel is to say it is */
	bool is_insecure; /* all capabilities, devices, no filter */
	struct plan_mount *mounts;
	size_t mount_count;
	char *script;      /* a program that is there as long as the step; or NULL */
	char *script_path; /* where */
};

struct plan_source {
	char *path;            /* as expanded; for a text its name */
	char *text;            /* contents given in the Buildfile; NULL for a path */
	const char *word;      /* as written: to find its place; borrowed from the AST */
	struct remote *remote; /* a URL or git repository: path is how it is shown; else NULL */
};

struct plan_copy {
	bool is_add;
	enum copy_from from;
	size_t from_index;
	struct plan_source *sources;
	size_t source_count;
	bool has_checksum; /* of the one URL: what its content must be */
	struct digest checksum;
	bool unpacks_urls; /* ADD --unpack */
	char *dest;        /* absolute and clean */
	bool dest_is_dir;  /* said to be one, by a slash at the end */
	char *chown;       /* or NULL */
	char *chmod_text;  /* or NULL */
	struct chmod chmod;
	struct ignore exclude;
	const struct strlist *exclude_texts; /* as written; borrowed from the AST */
	bool keeps_parents;
	bool is_link;      /* depends on nothing below it */
	bool never_unpack; /* ADD --unpack=false */
};

struct plan_workdir {
	char *path; /* absolute, clean, not "/" */
	char *user; /* who owns what is made; "" for root */
};

struct step {
	enum step_kind kind;
	const struct ast *ast; /* the Buildfile, or the trigger it came from; borrowed */
	const struct instruction *instruction;
	bool is_trigger;
	char *title;      /* "RUN make", for people */
	char *created_by; /* for the history */
	union {
		struct plan_run run;
		struct plan_copy copy;
		struct plan_workdir workdir;
	};
};

enum base_kind {
	BASE_SCRATCH,
	BASE_STAGE, /* index: in plan.stages */
	BASE_IMAGE, /* index: as get_image gave it */
};

struct plan_stage {
	const struct stage *stage; /* borrowed */
	size_t number;             /* its place in the Buildfile, from 0 */
	/* "build", "stage-1", or "" when there is only one; "linux/arm64 build" with several
	 * platforms */
	char *title;
	struct platform platform; /* that is asked for; what the base is for, its config says */
	enum base_kind base;
	size_t base_index;
	char *base_name;            /* as expanded */
	const char *base_directory; /* named context whose files are the base; or NULL */
	struct step **steps;
	size_t step_count;
	size_t layer_count; /* steps that make a layer */
	bool is_uncached;   /* all steps are done, even those that were done before */
	/* config, platform and author are those of the image that comes out; layers and
	 * history those of the base image, if there is one */
	struct image_config image;
	/* what a stage FROM this one goes on with */
	struct strlist env;  /* ENVs and ARGs with values */
	struct strlist args; /* ARGs in scope, "KEY=value" or "KEY" */
	/* while it is made */
	bool has_own_cmd;
};

struct plan {
	struct plan_stage **stages;
	size_t stage_count;
	size_t *targets; /* the stage that is the image, for each of the platforms */
	size_t target_count;
	struct ast **triggers; /* parsed ONBUILD instructions of bases */
	size_t trigger_count;
	struct strlist proxy_env;   /* for each RUN, known to no cache and no history */
	char *hostname;             /* for each RUN */
	char *cache_ns;             /* cache mounts of other name spaces are others */
	struct strlist unused_args; /* names of build arguments that no instruction asked for */
};

/* What a Buildfile gets only if the command line says so. */
enum plan_allowed {
	PLAN_ALLOWED_INSECURE = 1 << 0,     /* RUN --security=insecure */
	PLAN_ALLOWED_HOST_NETWORK = 1 << 1, /* RUN --network=host */
};

struct plan_input {
	const struct ast *ast;
	const struct strlist *build_args; /* "KEY=value" */
	const char *target;               /* NULL: the last stage */
	const struct strlist *labels;     /* "KEY=value" for the image that comes out; or NULL */
	const struct platforms *platforms;
	const struct named_contexts *named; /* or NULL */
	bool all_stages;                    /* plan also what the target does not need */
	unsigned allowed;                   /* enum plan_allowed */
	struct plan_changes changes;        /* borrowed lists */
	const struct policy *policy;        /* of what ADD fetches; or NULL */
	/*
	 * The configuration of an image by name, borrowed: the one for @platform where there are
	 * several, else the one there is. out_index is kept for the caller.
	 */
	int (*get_image)(void *context, const char *name, const struct platform *platform,
			 const struct image_config **out_config, size_t *out_index,
			 struct err *err);
	/* ERR_INPUT when programs for @platform cannot be run here. NULL: nobody wants to. */
	int (*check_runs)(void *context, const struct platform *platform, struct err *err);
	void *context;
};

/* ERR_INPUT with the place in the Buildfile; NULL then. Borrows input->ast as long as it lives. */
struct plan *plan_make(const struct plan_input *input, struct err *err);
void plan_free(struct plan *plan);
#define auto_plan __attribute__((cleanup(plan_auto_free)))
static inline void plan_auto_free(struct plan **plan)
{
	plan_free(*plan);
}

/* A line per value, the same for the same plan. */
void plan_print(const struct plan *plan, struct strbuf *out);

/*
 * Give an error of @step its place, "Buildfile:7:3: RUN: …". @word: the word of the
 * instruction, as written, that it is about; NULL points at the instruction. Returns -1.
 */
int step_locate(struct err *err, const struct step *step, const char *word);

#define PLAN_PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#endif
