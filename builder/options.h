/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OPTIONS_H
#define BUILDER_OPTIONS_H

#include <stdbool.h>

#include "builder/build.h"
#include "builder/output.h"
#include "common/err.h"
#include "common/strlist.h"
#include "registry/flags.h"
#include "sandbox/run-settings.h"
#include "sandbox/security.h"

/* The options of imgbuild as they were given: texts, not yet looked at. */
struct options {
	struct strlist tags;
	struct strlist build_args;
	struct strlist build_arg_files;
	struct strlist labels;
	struct strlist annotations;
	struct strlist contexts;
	const char *file;
	const char *ignorefile;
	const char *target;
	const char *network;
	const char *iidfile;
	const char *metadata_file;
	const char *policy_file;
	const char *progress;
	const char *root;
	const char *storage_driver;
	struct strlist platforms;
	const char *pull;
	const char *call;
	bool check;
	const char *jobs;
	struct strlist secrets;
	struct strlist agents;
	struct strlist allowed;
	struct strlist unpack_limits;
	struct strlist uncached;
	struct strlist env;
	struct strlist unset_env;
	struct strlist unset_labels;
	const char *from;
	bool no_cache;
	struct run_setting_texts run;
	struct security_texts security;
	bool skip_unused;
	bool http_proxy;
	bool layers;
	const char *timestamp;
	const char *source_date_epoch;
	bool rewrite_timestamp;
	bool verify;
	const char *isolation;
	const char *runtime;
	bool report;
	const char *report_file;
	struct strlist output; /* texts; parsed into outputs */
	struct outputs outputs;
	bool push;
	struct registry_flags registry;
	struct strlist pull_arguments; /* the same, for imgpull */
	bool squash;
	bool squash_all;
	bool quiet;
};

#define OPTIONS_INIT                                                     \
	{                                                                \
		.skip_unused = true, .http_proxy = true, .layers = true, \
		.rewrite_timestamp = true,                               \
	}
void options_release(struct options *options);

/* ---- options-table.c ---- */

/* What argv says, as it is. As cmdline_parse. */
int options_table_parse(int argc, char **argv, struct options *out, struct strlist *out_args,
			bool *out_done, struct err *err);

/* ---- options.c ---- */

/* The same, and what follows from it alone. */
int options_parse(int argc, char **argv, struct options *out, struct strlist *out_args,
		  bool *out_done, struct err *err);

/* What needs neither store nor context. @build_args is filled and borrowed, as are @options. */
int options_prepare(const struct options *options, struct strlist *build_args,
		    struct build_request *request, struct err *err);

/* Secrets and agents: read as the user in whose namespace the build is done. */
int options_grants(const struct options *options, struct grants *out, struct err *err);

#endif
