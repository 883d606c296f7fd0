/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CONTEXT_H
#define BUILDER_CONTEXT_H

#include "builder/ignore.h"
#include "common/err.h"

/*
 * The directory that COPY and ADD take files from, less what its ignore file
 * leaves out: "NAME.dockerignore" beside the Buildfile NAME, else ".dockerignore"
 * in the directory.
 */
struct context {
	int fd;
	struct ignore ignore;
	char *ignore_name; /* as messages call it; NULL when there is none */
};

#define CONTEXT_INIT     \
	{                \
		.fd = -1 \
	}
#define auto_context __attribute__((cleanup(context_release)))
/* @buildfile: its path, or NULL when it has none (stdin). */
int context_open(const char *path, const char *buildfile, struct context *out, struct err *err);
void context_release(struct context *context);

#endif
