/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RUN_PLAN_H
#define SANDBOX_RUN_PLAN_H

#include "common/err.h"
#include "common/strlist.h"
#include "layers/config.h"
#include "sandbox/run-options.h"

/*
 * What a container of an image runs, from the image's config and the options,
 * as docker puts them together. Nothing here touches the store or the host.
 */

/*
 * The arguments: entrypoint, then command. Options take the place of the image's;
 * --entrypoint drops the image's command too. ERR_INPUT when nothing is left.
 */
int run_plan_argv(const struct run_config *config, const struct run_options *options,
		  struct strlist *out, struct err *err);

/* PATH, HOSTNAME and TERM, then the image's, then the options'; HOME if nobody set it. */
void run_plan_env(const struct run_config *config, const struct run_options *options,
		  const char *hostname, const char *home, struct strlist *out);

/*
 * A file of --env-file: "K=V", "K" (from our own environment), blank lines and
 * lines that begin with "#"; appended to @out. And one -e of the same two forms.
 */
int run_env_file(const char *path, struct strlist *out, struct err *err);
int run_env_add(const char *text, struct strlist *out, struct err *err);

#endif
