/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the list of rules, for which of them are asked, and for the report that
 * they fill. The rules themselves are check-text's and check-values'.
 */
#include "builder/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/check-internal.h"
#include "builder/rune.h"
#include "builder/value.h"
#include "common/mem.h"

#define WARNINGS_MAX 10000 /* more are of no use to anybody */

const struct check_rule_text check_rules[] = {
	[CHECK_STAGE_NAME_CASING] = { "StageNameCasing", "names of stages are lower case",
				      "stage-name-casing", false },
	[CHECK_FROM_AS_CASING] = { "FromAsCasing", "FROM and its AS are written in the same case",
				   "from-as-casing", false },
	[CHECK_NO_EMPTY_CONTINUATION] = { "NoEmptyContinuation",
					  "an empty line inside of an instruction may become an "
					  "error",
					  "no-empty-continuation", false },
	[CHECK_CONSISTENT_INSTRUCTION_CASING] = { "ConsistentInstructionCasing",
						  "all instructions are written in the same case",
						  "consistent-instruction-casing", false },
	[CHECK_DUPLICATE_STAGE_NAME] = { "DuplicateStageName", "each stage has a name of its own",
					 "duplicate-stage-name", false },
	[CHECK_RESERVED_STAGE_NAME] = { "ReservedStageName",
					"'scratch' and 'context' are no names for stages",
					"reserved-stage-name", false },
	[CHECK_JSON_ARGS_RECOMMENDED] = { "JSONArgsRecommended",
					  "CMD and ENTRYPOINT in JSON form get signals without a "
					  "shell between",
					  "json-args-recommended", false },
	[CHECK_MAINTAINER_DEPRECATED] = { "MaintainerDeprecated",
					  "MAINTAINER has given way to a label",
					  "maintainer-deprecated", false },
	[CHECK_UNDEFINED_ARG_IN_FROM] = { "UndefinedArgInFrom",
					  "FROM uses ARGs that are declared before it",
					  "undefined-arg-in-from", false },
	[CHECK_WORKDIR_RELATIVE_PATH] = { "WorkdirRelativePath",
					  "a relative WORKDIR depends on what the base image has",
					  "workdir-relative-path", false },
	[CHECK_UNDEFINED_VAR] = { "UndefinedVar", "variables are declared before they are used",
				  "undefined-var", false },
	[CHECK_MULTIPLE_INSTRUCTIONS_DISALLOWED] = { "MultipleInstructionsDisallowed",
						     "of several CMD, ENTRYPOINT or HEALTHCHECK "
						     "in a stage only the last one counts",
						     "multiple-instructions-disallowed", false },
	[CHECK_LEGACY_KEY_VALUE_FORMAT] = { "LegacyKeyValueFormat",
					    "ENV and LABEL are written NAME=VALUE",
					    "legacy-key-value-format", false },
	[CHECK_INVALID_BASE_IMAGE_PLATFORM] = { "InvalidBaseImagePlatform",
						"a base image is for the platform that is built",
						NULL, false },
	[CHECK_REDUNDANT_TARGET_PLATFORM] = { "RedundantTargetPlatform",
					      "FROM takes $TARGETPLATFORM without being told",
					      "redundant-target-platform", false },
	[CHECK_SECRETS_USED_IN_ARG_OR_ENV] = { "SecretsUsedInArgOrEnv",
					       "ARG and ENV stay in the image: they are no place "
					       "for secrets",
					       "secrets-used-in-arg-or-env", false },
	[CHECK_INVALID_DEFAULT_ARG_IN_FROM] = { "InvalidDefaultArgInFrom",
						"the defaults of ARGs give a valid base image",
						"invalid-default-arg-in-from", false },
	[CHECK_FROM_PLATFORM_FLAG_CONST_DISALLOWED] = { "FromPlatformFlagConstDisallowed",
							"FROM --platform is no constant",
							"from-platform-flag-const-disallowed",
							false },
	[CHECK_COPY_IGNORED_FILE] = { "CopyIgnoredFile",
				      "COPY and ADD name files that the ignore file leaves in",
				      "copy-ignored-file", false },
	[CHECK_EXPOSE_PROTO_CASING] = { "ExposeProtoCasing", "the protocol in EXPOSE is lower case",
					"expose-proto-casing", false },
	[CHECK_EXPOSE_INVALID_FORMAT] = { "ExposeInvalidFormat",
					  "EXPOSE names the container's port only",
					  "expose-invalid-format", false },
	[CHECK_INVALID_DEFINITION_DESCRIPTION] = { "InvalidDefinitionDescription",
						   "a comment right above a stage or ARG describes "
						   "it: \"# NAME text\"",
						   "invalid-definition-description", true },
	{ NULL, NULL, NULL, false },
};

/* ---- options ---- */

static unsigned rule_bit(const char *name, size_t len)
{
	for (unsigned i = 0; check_rules[i].name; i++)
		if (strlen(check_rules[i].name) == len &&
		    strncmp(check_rules[i].name, name, len) == 0)
			return 1u << i;
	return 0;
}

/* "all", or names between commas. */
static void parse_names(const char *text, size_t len, bool *out_all, unsigned *out_rules)
{
	if (len == 3 && strncmp(text, "all", 3) == 0) {
		*out_all = true;
		return;
	}
	for (size_t from = 0, to; from < len; from = to + 1) {
		size_t end;

		for (to = from; to < len && text[to] != ',';)
			to++;
		while (from < to && text[from] == ' ')
			from++;
		for (end = to; end > from && text[end - 1] == ' ';)
			end--;
		*out_rules |= rule_bit(text + from, end - from);
	}
}

/* One KEY=VALUE of @len bytes. */
static int parse_option(const char *text, size_t len, struct check_options *out, struct err *err)
{
	auto_free char *option = str_ndup(text, len);
	char *value = strchr(option, '=');
	const char *key = rune_skip_space(option);

	if (!value)
		return err_set(err, ERR_INPUT, "check option '%s' is not NAME=VALUE", option);
	*value++ = '\0';
	option[rune_trim_end(option, strlen(option))] = '\0';
	value += rune_skip_space(value) - value;
	value[rune_trim_end(value, strlen(value))] = '\0';
	if (strcmp(key, "skip") == 0)
		parse_names(value, strlen(value), &out->skips_all, &out->skips);
	else if (strcmp(key, "experimental") == 0)
		parse_names(value, strlen(value), &out->has_all_experimental, &out->experimental);
	else if (strcmp(key, "error") != 0)
		return err_set(err, ERR_INPUT,
			       "check option '%s' is none of skip, error, "
			       "experimental",
			       key);
	else if (value_bool(value, &out->is_error, err) < 0)
		return err_prefix(err, "check option 'error'");
	return 0;
}

int check_options_parse(const char *text, struct check_options *out, struct err *err)
{
	struct check_options made = { .skips_all = false };
	const char *p = rune_skip_space(text ? text : "");

	while (*p) {
		size_t len = strcspn(p, ";");

		if (parse_option(p, len, &made, err) < 0)
			return -1;
		p += len;
		p += *p == ';';
	}
	*out = made;
	return 0;
}

/* What the first "check=…" of @comments adds. What is no option there is passed over. */
static void narrow(struct check_options *options, const struct strlist *comments)
{
	for (size_t i = 0; comments && i < comments->count; i++) {
		const char *text = comments->items[i];
		struct check_options more = { .skips_all = false };
		struct err ignored = ERR_INIT;
		auto_free char *value = NULL;

		if (strncasecmp(text, "check", 5) != 0)
			continue;
		text = rune_skip_space(text + 5);
		if (*text != '=')
			continue;
		text = rune_skip_space(text + 1);
		value = str_ndup(text, strcspn(text, " "));
		if (check_options_parse(value, &more, &ignored) == 0) {
			options->skips_all |= more.skips_all;
			options->skips |= more.skips;
			options->has_all_experimental |= more.has_all_experimental;
			options->experimental |= more.experimental;
		}
		return;
	}
}

static bool is_asked(const struct check_options *options, enum check_rule rule)
{
	if (check_rules[rule].is_experimental)
		return options->has_all_experimental || (options->experimental & (1u << rule));
	return !options->skips_all && !(options->skips & (1u << rule));
}

/* ---- report ---- */

void check_report_release(struct check_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->items[i].detail);
	free(report->items);
	*report = (struct check_report)CHECK_REPORT_INIT;
}

void check_warn(struct check_report *report, enum check_rule rule, struct check_place at,
		const char *fmt, ...)
{
	struct check_options options = report->options;
	char *detail = NULL;
	va_list ap;
	int n;

	narrow(&options, at.comments);
	if (!is_asked(&options, rule) || report->count >= WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	n = vasprintf(&detail, fmt, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	if ((report->count & (report->count - 1)) == 0)
		report->items = mem_resize(report->items, report->count ? 2 * report->count : 1,
					   sizeof(*report->items));
	report->items[report->count++] =
		(struct check_warning){ rule, detail, at.line_start, at.line_end };
}

struct check_place check_at_stage(const struct stage *stage)
{
	return (struct check_place){ &stage->comments, stage->line_start, stage->line_end };
}

struct check_place check_at(const struct instruction *instruction)
{
	return (struct check_place){ &instruction->comments, instruction->line_start,
				     instruction->line_end };
}

/* By line, then by rule, then by what is said: the same report for the same file. */
static int compare(const void *a, const void *b)
{
	const struct check_warning *left = a;
	const struct check_warning *right = b;

	if (left->line_start != right->line_start)
		return left->line_start < right->line_start ? -1 : 1;
	if (left->rule != right->rule)
		return left->rule < right->rule ? -1 : 1;
	return strcmp(left->detail, right->detail);
}

static bool is_known(const struct check_report *report, size_t count,
		     const struct check_warning *warning)
{
	for (size_t i = 0; i < count; i++)
		if (compare(&report->items[i], warning) == 0)
			return true;
	return false;
}

/* What the other platforms have already said too is said once. */
static int ask_platform(const struct check_input *input, const struct platform *platform,
			struct check_report *report, struct err *err)
{
	size_t known = report->count;
	size_t kept = known;

	if (check_values(input, platform, report, err) < 0)
		return -1;
	for (size_t i = known; i < report->count; i++) {
		if (is_known(report, known, &report->items[i]))
			free(report->items[i].detail);
		else
			report->items[kept++] = report->items[i];
	}
	report->count = kept;
	return 0;
}

int check_run(const struct check_input *input, struct check_report *out, struct err *err)
{
	const struct directives *directives = &input->ast->directives;
	const char *given = strlist_env_get(input->build_args, "BUILDKIT_DOCKERFILE_CHECK");
	auto_check_report struct check_report made = CHECK_REPORT_INIT;

	if (check_options_parse(given ? given : directives->check, &made.options, err) < 0)
		return given ? err_prefix(err, "build argument 'BUILDKIT_DOCKERFILE_CHECK'")
			     : source_locate(err, &input->ast->source, directives->check_at, NULL);
	check_texts(input, &made);
	for (size_t i = 0; i < input->platforms->count; i++)
		if (ask_platform(input, &input->platforms->targets[i], &made, err) < 0)
			return -1;
	if (made.count > 0)
		qsort(made.items, made.count, sizeof(*made.items), compare);
	*out = made;
	made = (struct check_report)CHECK_REPORT_INIT;
	return 0;
}

int check_verdict(const struct check_report *report, struct err *err)
{
	auto_strbuf struct strbuf names = STRBUF_INIT;
	unsigned found = 0;

	if (!report->options.is_error || report->count == 0)
		return 0;
	for (size_t i = 0; i < report->count; i++)
		found |= 1u << report->items[i].rule;
	for (unsigned i = 0; check_rules[i].name; i++)
		if (found & (1u << i))
			strbuf_printf(&names, "%s%s", names.len ? ", " : "", check_rules[i].name);
	return err_set(err, ERR_INPUT, "checks that the Buildfile makes errors: %s", names.data);
}
