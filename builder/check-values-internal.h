/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CHECK_VALUES_INTERNAL_H
#define BUILDER_CHECK_VALUES_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/check-internal.h"
#include "common/strlist.h"
#include "layers/descriptor.h"

/* What a stage has when its instructions so far are done. */
struct surroundings {
	struct strlist env;
	struct strlist args;  /* names of the ARGs that were declared */
	bool is_base_unknown; /* it may have any variable */
	bool has_shell;
	bool has_workdir; /* set in this file */
};

struct walk {
	const struct check_input *input;
	const struct ast *ast;
	const struct platform *platform; /* that is built for */
	struct check_report *report;
	struct strlist globals;  /* what FROM can use: "KEY=value" */
	struct strlist declared; /* names of the ARGs before the first FROM */
	struct surroundings *stages;
	unsigned suggestion_count;
};

/* The "KEY=value" of @env whose name @name was probably meant to be; NULL: none. */
const char *check_values_suggest(struct walk *walk, const char *name, const struct strlist *env);

/* A word of FROM; *out_used and *out_unset get the names in it. NULL when it cannot be expanded. */
char *check_values_expand_from(struct walk *walk, const char *word, struct strlist *out_used,
			       struct strlist *out_unset);

/* FROM of stage @number: what is wrong with it, and what the stage has from its base. */
void check_values_from(struct walk *walk, size_t number);

#endif
