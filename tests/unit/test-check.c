/* SPDX-License-Identifier: Apache-2.0 */
/* Checks: what each rule finds and what it leaves alone, and who is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "builder/check.h"
#include "builder/parse.h"
#include "common/mem.h"

struct setting {
	const char *ignore;    /* text of the ignore file; NULL: there is none */
	const char *build_arg; /* or NULL */
	bool only_last;        /* only the last stage is needed */
	bool two_platforms;    /* linux/arm64, too */
};

/* Images "base" (FROMBASE is set, for this platform), "shell" (has a SHELL) and "arm". */
struct images {
	struct image_config base;
	struct image_config shell;
	struct image_config arm;
};

static const struct image_config *find_image(void *context, const char *name,
					     const struct platform *platform)
{
	struct images *images = context;

	(void)platform;

	if (strcmp(name, "base") == 0)
		return &images->base;
	if (strcmp(name, "shell") == 0)
		return &images->shell;
	return strcmp(name, "arm") == 0 ? &images->arm : NULL;
}

static void images_init(struct images *images)
{
	struct platform arm = { .os = (char *)"linux", .architecture = (char *)"arm64" };

	*images = (struct images){ .base = { .author = NULL } };
	strlist_add(&images->base.config.env, "FROMBASE=b");
	strlist_add(&images->shell.config.shell, "/bin/bash");
	images->shell.config.has_shell = true;
	platform_copy(&images->arm.platform, &arm);
}

static void images_release(struct images *images)
{
	image_config_release(&images->base);
	image_config_release(&images->shell);
	image_config_release(&images->arm);
}

/* The caller releases the report and the AST. */
static int check_text(const char *text, const struct setting *setting, struct ast **out_ast,
		      struct check_report *report, struct err *err)
{
	auto_strlist struct strlist build_args = STRLIST_INIT;
	auto_ignore struct ignore ignore = IGNORE_INIT;
	bool needed[8] = { false };
	struct images images;
	struct platform targets[] = {
		{ .os = (char *)"linux", .architecture = (char *)"amd64" },
		{ .os = (char *)"linux", .architecture = (char *)"arm64" },
	};
	struct platforms platforms = { .native = targets[0],
				       .targets = targets,
				       .count = setting->two_platforms ? 2 : 1 };
	struct check_input input = {
		.build_args = &build_args,
		.platforms = &platforms,
		.find_image = find_image,
		.context = &images,
	};
	int result;

	images_init(&images);
	*out_ast = parse_buildfile("Buildfile", text, strlen(text), err);
	if (!*out_ast)
		fail_msg("%s", err->text);
	input.ast = *out_ast;
	if (setting->build_arg)
		strlist_add(&build_args, setting->build_arg);
	if (setting->ignore) {
		assert_int_equal(ignore_parse(&ignore, "ignore", setting->ignore,
					      strlen(setting->ignore), err),
				 0);
		input.ignore = &ignore;
	}
	needed[(*out_ast)->stage_count - 1] = true;
	if (setting->only_last)
		input.needed = needed;
	result = check_run(&input, report, err);
	images_release(&images);
	return result;
}

/* @want: "Rule:line Rule:line", in the order of the report. */
static void expect_setting(const char *text, const struct setting *setting, const char *want)
{
	auto_ast struct ast *ast = NULL;
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (check_text(text, setting, &ast, &report, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < report.count; i++)
		strbuf_printf(&got, "%s%s:%d", i ? " " : "", check_rules[report.items[i].rule].name,
			      report.items[i].line_start);
	if (strcmp(got.data, want) != 0)
		fail_msg("of:\n%sgot:  %s\nwant: %s", text, got.data, want);
}

static void expect(const char *text, const char *want)
{
	expect_setting(text, &(struct setting){ .ignore = NULL }, want);
}

#define S "FROM scratch\n"

/* Each rule: what it finds, and what is nearly the same and fine. */
static void test_rules(void **state)
{
	static const char *const rows[][2] = {
		{ "FROM scratch AS build\n", "" },
		{ "FROM scratch AS Build\n", "StageNameCasing:1" },
		{ "FROM scratch as b\n", "FromAsCasing:1" },
		{ "from scratch as b\n", "" },
		{ "from scratch AS b\n", "FromAsCasing:1" },
		{ "From scratch aS b\n", "ConsistentInstructionCasing:1" },
		{ S "RUN a \\\n\n  b\n", "NoEmptyContinuation:3" },
		{ S "RUN a \\\n# c\n  b\n", "" },
		{ S "RUN a\nrun b\n", "ConsistentInstructionCasing:3" },
		{ S "RUN a\nRun b\n", "ConsistentInstructionCasing:3" },
		{ "from scratch\nrun a\nRUN b\n", "ConsistentInstructionCasing:3" },
		{ "FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS A\n",
		  "StageNameCasing:3 DuplicateStageName:3" },
		{ "FROM base AS scratch\n", "ReservedStageName:1" },
		{ "FROM base AS context\n", "ReservedStageName:1" },
		{ S "CMD a b\n", "JSONArgsRecommended:2" },
		{ S "ENTRYPOINT a b\n", "JSONArgsRecommended:2" },
		{ S "CMD [\"a\"]\n", "" },
		{ S "SHELL [\"/bin/bash\"]\nCMD a b\n", "" },
		{ "FROM shell\nCMD a b\n", "" },
		{ "FROM shell AS a\nFROM a\nCMD a b\n", "" },
		{ S "RUN a b\n", "" },
		{ S "MAINTAINER me\n", "MaintainerDeprecated:2" },
		{ "FROM base:$TAG\n", "UndefinedArgInFrom:1 InvalidDefaultArgInFrom:1" },
		{ "ARG TAG=1\nFROM base:$TAG\n", "" },
		{ "ARG TAG\nFROM base:$TAG\n", "InvalidDefaultArgInFrom:2" },
		{ "ARG TAG\nFROM base:${TAG:-1}\n", "" },
		{ "ARG TAG\nFROM base${TAG:+:$TAG}\n", "" },
		{ "FROM --platform=$NONE base\n", "UndefinedArgInFrom:1" },
		{ S "WORKDIR a\nWORKDIR b\n", "WorkdirRelativePath:2" },
		{ S "WORKDIR /a\nWORKDIR b\n", "" },
		{ "FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n", "" },
		{ S "ENV A=/x\nWORKDIR $A\n", "" },
		{ S "COPY $no /\n", "UndefinedVar:2" },
		{ S "COPY a $no\n", "UndefinedVar:2" },
		{ S "COPY --chown=$no a /\n", "UndefinedVar:2" },
		{ S "ENV a=$a\n", "UndefinedVar:2" },
		{ S "ENV a=1 b=$a\n", "UndefinedVar:2" },
		{ S "ENV a=1\nENV b=$a\n", "" },
		{ S "LABEL a=$no\n", "UndefinedVar:2" },
		{ S "ARG a=$no\n", "UndefinedVar:2" },
		{ S "ARG a\nENV b=$a\n", "" },
		{ S "ENV b=$TARGETARCH\n", "UndefinedVar:2" },
		{ S "ARG TARGETARCH\nENV b=$TARGETARCH\n", "" },
		{ "ARG a=1\n" S "ENV b=$a\n", "UndefinedVar:3" },
		{ "ARG a=1\n" S "ARG a\nENV b=$a\n", "" },
		{ S "ENV PATH=/x:$PATH\n", "" },
		{ S "EXPOSE $no\n", "UndefinedVar:2" },
		{ S "USER $no\n", "UndefinedVar:2" },
		{ S "VOLUME $no\n", "UndefinedVar:2" },
		{ S "STOPSIGNAL $no\n", "UndefinedVar:2" },
		{ S "WORKDIR /$no\n", "UndefinedVar:2" },
		{ S "RUN --mount=type=cache,target=$no true\n", "UndefinedVar:2" },
		{ S "RUN echo $no\n", "" },
		{ S "CMD [\"$no\"]\n", "" },
		{ S "COPY '$no' /\n", "" },
		{ S "COPY <<A <<'B' /\n$no\nA\n$nono\nB\n", "UndefinedVar:2" },
		{ "FROM base\nENV a=$FROMBASE\n", "" },
		{ "FROM base AS a\nENV x=1\nFROM a\nENV y=$x$FROMBASE\n", "" },
		{ "FROM elsewhere\nENV a=$UNKNOWN\n", "" },
		{ "FROM elsewhere\nENV b=$PATHH\n", "UndefinedVar:2" },
		{ S "CMD [\"a\"]\nCMD [\"b\"]\n", "MultipleInstructionsDisallowed:2" },
		{ S "CMD [\"a\"]\nCMD [\"b\"]\nCMD [\"c\"]\n",
		  "MultipleInstructionsDisallowed:2 MultipleInstructionsDisallowed:3" },
		{ S "ENTRYPOINT [\"a\"]\nENTRYPOINT [\"b\"]\n",
		  "MultipleInstructionsDisallowed:2" },
		{ S "HEALTHCHECK NONE\nHEALTHCHECK CMD x\n", "MultipleInstructionsDisallowed:2" },
		{ "FROM scratch AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]\n", "" },
		{ S "ENV a b\n", "LegacyKeyValueFormat:2" },
		{ S "LABEL a b\n", "LegacyKeyValueFormat:2" },
		{ S "ENV a=b\n", "" },
		{ "FROM arm\n", "InvalidBaseImagePlatform:1" },
		{ "ARG P=linux/arm64\nFROM --platform=$P arm\n", "" },
		{ "FROM --platform=$TARGETPLATFORM base\n", "RedundantTargetPlatform:1" },
		{ "FROM --platform=$BUILDPLATFORM base\n", "" },
		{ S "ENV MY_PASSWORD=x\n", "SecretsUsedInArgOrEnv:2" },
		{ S "ARG github_token\n", "SecretsUsedInArgOrEnv:2" },
		{ S "ARG AUTH\n", "SecretsUsedInArgOrEnv:2" },
		{ S "ENV PUBLIC_KEY=x KEY_FILE=y TOKEN_VERSION=1 MONKEY=2 KEYS=3\n", "" },
		{ "ARG TOKEN=1\n" S, "" },
		{ "FROM --platform=linux/amd64 base\n", "FromPlatformFlagConstDisallowed:1" },
		{ "FROM --platform=linux/amd64 base AS on-amd64\n", "" },
		{ "FROM --platform=linux/amd64 base AS linux-one\n", "" },
		{ S "EXPOSE 80/TCP\n", "ExposeProtoCasing:2" },
		{ S "EXPOSE 80/tcp 81 82-83/udp\n", "" },
		{ S "EXPOSE 8080:80\n", "ExposeInvalidFormat:2" },
		{ S "EXPOSE 127.0.0.1:80:80\n", "ExposeInvalidFormat:2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(rows[i][0], rows[i][1]);
}

static void test_ignored_files(void **state)
{
	static const struct {
		const char *ignore;
		const char *text;
		const char *want;
	} rows[] = {
		{ "a\n", S "COPY a /\n", "CopyIgnoredFile:2" },
		{ "a\n", S "ADD a /\n", "CopyIgnoredFile:2" },
		{ "a\n", S "COPY ./a/ /\n", "CopyIgnoredFile:2" },
		{ "a\n", S "COPY /a/b /\n", "CopyIgnoredFile:2" },
		{ "a\n", S "COPY b a c/\n", "CopyIgnoredFile:2" },
		{ "a\n", S "COPY . /\n", "" },
		{ "*\n", S "COPY . /\n", "CopyIgnoredFile:2" },
		{ "**\n", S "COPY / /\n", "CopyIgnoredFile:2" },
		{ "*\n!a\n", S "COPY a b /\n", "" },
		{ "a\n", "FROM base AS x\nFROM x\nCOPY --from=x a /\n", "" },
		{ "a\n", S "ADD https://localhost/a /\n", "" },
		{ "*.log\n", S "ENV n=x.log\nCOPY $n /\n", "CopyIgnoredFile:3" },
		{ "", S "COPY a /\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_setting(rows[i].text, &(struct setting){ .ignore = rows[i].ignore },
			       rows[i].want);
}

/* Who is asked: the directive, the build argument in its place, and comments at one place. */
static void test_options(void **state)
{
	static const struct {
		const char *build_arg;
		const char *text;
		const char *want;
	} rows[] = {
		{ NULL, "# check=skip=MaintainerDeprecated\n" S "MAINTAINER a\nENV a b\n",
		  "LegacyKeyValueFormat:4" },
		{ NULL,
		  "# check=skip=MaintainerDeprecated, LegacyKeyValueFormat\n" S
		  "MAINTAINER a\nENV a b\n",
		  "" },
		{ NULL, "# check = skip = all ; error = false\n" S "MAINTAINER a\n", "" },
		{ NULL, "# check=skip=NoSuchRule\n" S "MAINTAINER a\n", "MaintainerDeprecated:3" },
		{ "BUILDKIT_DOCKERFILE_CHECK=skip=all", S "MAINTAINER a\n", "" },
		{ "BUILDKIT_DOCKERFILE_CHECK=error=false", "# check=skip=all\n" S "MAINTAINER a\n",
		  "MaintainerDeprecated:3" },
		{ NULL, S "# check=skip=MaintainerDeprecated\nMAINTAINER a\nMAINTAINER b\n",
		  "MaintainerDeprecated:4" },
		{ NULL, S "# check=skip=all because it is so\nMAINTAINER a\n", "" },
		{ NULL, S "# check=skip=LegacyKeyValueFormat\nMAINTAINER a\n",
		  "MaintainerDeprecated:3" },
		{ NULL, "ARG a\n# check=skip=StageNameCasing\nFROM scratch AS B\n", "" },
		{ NULL, S "# other\nARG a\n", "" },
		{ NULL, "# check=experimental=all\n" S "# other\nARG a\n",
		  "InvalidDefinitionDescription:4" },
		{ NULL,
		  "# check=experimental=InvalidDefinitionDescription\n"
		  "# other\nFROM scratch AS a\n",
		  "InvalidDefinitionDescription:3" },
		{ NULL, "# check=experimental=all\n" S "# a is it\nARG a\n# o\n#\nARG b\n", "" },
		{ NULL, "# check=experimental=all\n" S "# b is it\nARG a b\n", "" },
		{ NULL, "# check=skip=all;experimental=all\n" S "# other\nARG a\n",
		  "InvalidDefinitionDescription:4" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_setting(rows[i].text, &(struct setting){ .build_arg = rows[i].build_arg },
			       rows[i].want);
}

static void test_bad_options(void **state)
{
	struct setting setting = { .ignore = NULL };
	struct err err = ERR_INIT;
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	struct ast *ast;

	(void)state;
	assert_int_equal(check_text("# check=ski=all\n" S, &setting, &ast, &report, &err), -1);
	assert_string_equal(err.text, "Buildfile:1:1: check option 'ski' is none of skip, error, "
				      "experimental");
	assert_int_equal(err.kind, ERR_INPUT);
	ast_free(ast);
	assert_int_equal(check_text("# check=skip\n" S, &setting, &ast, &report, &err), -1);
	assert_string_equal(err.text, "Buildfile:1:1: check option 'skip' is not NAME=VALUE");
	ast_free(ast);
	setting.build_arg = "BUILDKIT_DOCKERFILE_CHECK=error=maybe";
	assert_int_equal(check_text(S, &setting, &ast, &report, &err), -1);
	assert_non_null(strstr(err.text, "build argument 'BUILDKIT_DOCKERFILE_CHECK': check option "
					 "'error'"));
	ast_free(ast);
	assert_int_equal(report.count, 0);
}

/* In a stage that nobody needs only the file's own rules count. */
static void test_needed(void **state)
{
	struct setting setting = { .only_last = true };

	(void)state;
	expect_setting("FROM scratch AS A\nENV a b\nENV c=$no\nMAINTAINER x\n" S "ENV d=$no\n",
		       &setting, "StageNameCasing:1 MaintainerDeprecated:4 UndefinedVar:6");
}

/* What holds for both platforms is said once, what holds for one too. */
static void test_platforms(void **state)
{
	const struct setting both = { .two_platforms = true };

	(void)state;
	expect_setting("FROM arm\nENV a b\n", &both,
		       "InvalidBaseImagePlatform:1 LegacyKeyValueFormat:2");
	expect_setting("FROM --platform=$BUILDPLATFORM arm\n", &both, "InvalidBaseImagePlatform:1");
	expect_setting("FROM --platform=$TARGETPLATFORM base\n", &both,
		       "RedundantTargetPlatform:1");
	expect_setting("FROM --platform=linux/amd64 base\n", &both,
		       "FromPlatformFlagConstDisallowed:1");
	expect_setting("ARG TARGETARCH\nFROM base-$TARGETARCH\n", &both, "");
}

static void test_verdict(void **state)
{
	auto_ast struct ast *ast = NULL;
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct setting setting = { .ignore = NULL };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(check_text("# check=error=true\n" S "ENV a b\nMAINTAINER x\nENV a\\\n b\n",
				    &setting, &ast, &report, &err),
			 0);
	assert_int_equal(check_verdict(&report, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, "checks that the Buildfile makes errors: "
				      "MaintainerDeprecated, LegacyKeyValueFormat");
	check_print_short(&report, &text);
	assert_non_null(strstr(text.data, "3 warnings found"));
	assert_non_null(strstr(text.data, " - LegacyKeyValueFormat: 'ENV NAME=VALUE' is"));
	assert_non_null(strstr(text.data, " (line 5)\n"));
	report.options.is_error = false;
	assert_int_equal(check_verdict(&report, &err), 0);
}

/* What is quoted from a Buildfile must not reach a terminal's controls. */
static void test_print_plain(void **state)
{
	auto_ast struct ast *ast = NULL;
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct setting setting = { .ignore = NULL };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(check_text(S "WORKDIR \033[31m\n", &setting, &ast, &report, &err), 0);
	assert_int_equal(report.count, 1);
	check_print_short(&report, &text);
	check_print_long(&report, ast, &text);
	assert_null(strchr(text.data, '\033'));
	assert_non_null(strstr(text.data, "Buildfile:2\n    2 | WORKDIR ?[31m\n"));
}

static void test_json(void **state)
{
	auto_ast struct ast *ast = NULL;
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_json struct json *json = NULL;
	struct setting setting = { .ignore = NULL };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(check_text(S "MAINTAINER \\\n x\n", &setting, &ast, &report, &err), 0);
	err_set(&err, ERR_INPUT, "Buildfile:7:1: no");
	json = check_to_json(&report, ast, &err);
	json_format(json, &text);
	assert_string_equal(
		text.data,
		"{\"warnings\":[{\"ruleName\":\"MaintainerDeprecated\",\"description\":"
		"\"MAINTAINER "
		"has given way to a label\",\"url\":\"https://docs.docker.com/go/dockerfile/rule/"
		"maintainer-deprecated/\",\"detail\":\"MAINTAINER is out of use: "
		"LABEL org.opencontainers.image.authors=… has taken its place\",\"location\":{"
		"\"ranges\":[{\"start\":{\"line\":2},\"end\":{\"line\":2}},{\"start\":{\"line\":3},"
		"\"end\":{\"line\":3}}]}}],\"sources\":[{\"filename\":\"Buildfile\",\"language\":"
		"\"Dockerfile\"}],\"buildError\":{\"message\":\"Buildfile:7:1: no\",\"location\":{"
		"\"ranges\":[{\"start\":{\"line\":7},\"end\":{\"line\":7}}]}}}");
}

/* The table has a row for each of the rules, in the order of the enum. */
static void test_table(void **state)
{
	size_t count = 0;

	(void)state;
	for (; check_rules[count].name; count++)
		assert_non_null(check_rules[count].summary);
	assert_int_equal(count, CHECK_INVALID_DEFINITION_DESCRIPTION + 1);
	assert_string_equal(check_rules[CHECK_UNDEFINED_VAR].name, "UndefinedVar");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),     cmocka_unit_test(test_ignored_files),
		cmocka_unit_test(test_options),   cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_platforms), cmocka_unit_test(test_needed),
		cmocka_unit_test(test_verdict),   cmocka_unit_test(test_print_plain),
		cmocka_unit_test(test_json),      cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
