/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CHECK_H
#define BUILDER_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/ast.h"
#include "builder/ignore.h"
#include "builder/named.h"
#include "builder/plan.h"
#include "common/err.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "common/strlist.h"

/*
 * What is allowed in a Buildfile and still unwise. The rules are those of BuildKit, by its
 * names. A finding is a warning: it fails a build only when the Buildfile asks for that.
 *
 * Which rules are asked is said by the directive "# check=OPTIONS" (or the build argument
 * BUILDKIT_DOCKERFILE_CHECK, which takes its place), and for one instruction more narrowly
 * by a comment of the same form right above it:
 *
 *   options = option { ";" option }
 *   option  = "skip=" names | "experimental=" names | "error=" boolean
 *   names   = "all" | name { "," name }
 */
enum check_rule {
	CHECK_STAGE_NAME_CASING,
	CHECK_FROM_AS_CASING,
	CHECK_NO_EMPTY_CONTINUATION,
	CHECK_CONSISTENT_INSTRUCTION_CASING,
	CHECK_DUPLICATE_STAGE_NAME,
	CHECK_RESERVED_STAGE_NAME,
	CHECK_JSON_ARGS_RECOMMENDED,
	CHECK_MAINTAINER_DEPRECATED,
	CHECK_UNDEFINED_ARG_IN_FROM,
	CHECK_WORKDIR_RELATIVE_PATH,
	CHECK_UNDEFINED_VAR,
	CHECK_MULTIPLE_INSTRUCTIONS_DISALLOWED,
	CHECK_LEGACY_KEY_VALUE_FORMAT,
	CHECK_INVALID_BASE_IMAGE_PLATFORM,
	CHECK_REDUNDANT_TARGET_PLATFORM,
	CHECK_SECRETS_USED_IN_ARG_OR_ENV,
	CHECK_INVALID_DEFAULT_ARG_IN_FROM,
	CHECK_FROM_PLATFORM_FLAG_CONST_DISALLOWED,
	CHECK_COPY_IGNORED_FILE,
	CHECK_EXPOSE_PROTO_CASING,
	CHECK_EXPOSE_INVALID_FORMAT,
	CHECK_INVALID_DEFINITION_DESCRIPTION, /* experimental */
};

struct check_rule_text {
	const char *name;
	const char *summary;
	const char *page;     /* below https://docs.docker.com/go/dockerfile/rule/; or NULL */
	bool is_experimental; /* only asked when the options name it */
};

/* By enum check_rule; ended by a row without a name. */
extern const struct check_rule_text check_rules[];

struct check_options {
	bool skips_all;
	unsigned skips; /* a bit for each rule */
	bool has_all_experimental;
	unsigned experimental;
	bool is_error;
};

/* NULL and "" mean nothing in particular. ERR_INPUT without a place. Unknown names are allowed. */
int check_options_parse(const char *text, struct check_options *out, struct err *err);

struct check_warning {
	enum check_rule rule;
	char *detail; /* one line about this place */
	int line_start;
	int line_end;
};

struct check_report {
	struct check_options options;
	struct check_warning *items; /* by line */
	size_t count;
};

#define CHECK_REPORT_INIT      \
	{                      \
		.items = NULL, \
	}
#define auto_check_report __attribute__((cleanup(check_report_release)))
void check_report_release(struct check_report *report);

struct check_input {
	const struct ast *ast;
	const struct strlist *build_args; /* "KEY=value" */
	const char *target;               /* NULL: the last stage */
	const struct platforms *platforms;
	const struct named_contexts *named; /* or NULL */
	const struct ignore *ignore;        /* of the context; may be NULL */
	const bool *needed;                 /* for each stage: look into it. NULL: into all */
	/* The configuration of a base image, borrowed; NULL when it is not known here. */
	const struct image_config *(*find_image)(void *context, const char *name,
						 const struct platform *platform);
	void *context;
};

/*
 * Ask all rules, for each platform; what holds for several is said once. ERR_INPUT for options that
 * are none. What is wrong in the Buildfile is passed over here: it is plan_make's to say.
 */
int check_run(const struct check_input *input, struct check_report *out, struct err *err);

/* ERR_INPUT naming the rules, when there are warnings and the options make them errors. */
int check_verdict(const struct check_report *report, struct err *err);

/* ---- for people and programs ---- */
/* " 2 warnings found…" and a line for each; nothing when there is none. */
void check_print_short(const struct check_report *report, struct strbuf *out);
/* Each with its rule, its page and its line. */
void check_print_long(const struct check_report *report, const struct ast *ast, struct strbuf *out);
/*
 * As docker's tools write it: {"warnings":[…],"sources":[…],"buildError":{…}}. @ast is NULL when
 * the Buildfile could not be read; @failure may be NULL.
 */
struct json *check_to_json(const struct check_report *report, const struct ast *ast,
			   const struct err *failure);
/* {"ranges":[…]}: a range for each line. */
struct json *check_location_to_json(int line_start, int line_end);

#endif
