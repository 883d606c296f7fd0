/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_INPUT_H
#define BUILDER_INPUT_H

#include <stdbool.h>

#include "builder/ast.h"
#include "builder/context.h"
#include "builder/download.h"
#include "common/err.h"

/*
 * What a build is given: a Buildfile and the context beside it, from a
 * directory, or both from standard input or from the network.
 */
struct input_options {
	const char *context;    /* a directory; "-": stdin is a tar, compressed or not, or a
				   Buildfile; a URL of one of these, or a git repository */
	const char *file;       /* the Buildfile; "-" is stdin; NULL: by its usual names */
	const char *ignorefile; /* or NULL */
	bool keeps_git_dir;     /* of a git repository, unless its URL says */
};

struct input {
	struct ast *ast;
	struct context context;
};

#define INPUT_INIT                      \
	{                               \
		.context = CONTEXT_INIT \
	}
#define auto_input __attribute__((cleanup(input_release)))
void input_release(struct input *input);

/*
 * With a context from the network the Buildfile is in it, or comes from stdin.
 * ERR_USAGE when both are to come from stdin, or a Buildfile comes from there and another is named;
 * ERR_INPUT when there is no Buildfile, or something is wrong with what there is.
 */
int input_load(const struct input_options *options, const struct download_place *place,
	       struct input *out, struct err *err);

#endif
