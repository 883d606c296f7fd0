/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what is built, in which order, with which values; and what is refused, where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "builder/parse.h"
#include "builder/plan.h"
#include "common/mem.h"

/*
 * "base": PATH is set, with a directory, a user, a command and a trigger or two; there is one
 * for each platform. "amd" says that it is for amd64.
 */
struct images {
	struct image_config base;
	struct image_config amd;
	unsigned asked;
};

static int get_image(void *context, const char *name, const struct platform *platform,
		     const struct image_config **out_config, size_t *out_index, struct err *err)
{
	struct images *images = context;

	assert_non_null(platform->architecture);
	images->asked++;
	if (strcmp(name, "amd") == 0) {
		*out_config = &images->amd;
		*out_index = 1;
		return 0;
	}
	if (strcmp(name, "base") != 0)
		return err_set(err, ERR_INPUT, "image '%s' is not in the store", name);
	*out_config = &images->base;
	*out_index = 0;
	return 0;
}

/* Nothing but s390x. */
static int check_runs(void *context, const struct platform *platform, struct err *err)
{
	(void)context;
	if (strcmp(platform->architecture, "s390x") != 0)
		return 0;
	return err_set(err, ERR_INPUT, "no emulator for %s", platform->architecture);
}

static void images_init(struct images *images)
{
	struct digest diff_id = { { 1 } };
	struct run_config *config = &images->base.config;

	*images = (struct images){ .asked = 0 };
	strlist_add(&config->env, "PATH=/bin");
	strlist_add(&config->env, "FROMBASE=b");
	config->working_dir = str_dup("/srv");
	strlist_add(&config->cmd, "sh");
	config->has_cmd = true;
	image_config_add_layer(&images->base, &diff_id);
	images->amd.platform.os = str_dup("linux");
	images->amd.platform.architecture = str_dup("amd64");
}

static void images_release(struct images *images)
{
	image_config_release(&images->base);
	image_config_release(&images->amd);
}

struct setting {
	const char *target;
	const char *platforms; /* as given; NULL: none are */
	const char *build_args[4];
	const char *trigger;
};

/* On an amd64 machine, whatever this one is. */
static void platforms_init(struct platforms *platforms, const char *text)
{
	auto_strlist struct strlist list = STRLIST_INIT;
	auto_platform struct platform amd64 = { .os = NULL };
	struct err err = ERR_INIT;

	platforms_release(platforms);
	assert_int_equal(platform_parse("linux/amd64", &amd64, &err), 0);
	strlist_add(&list, text ? text : "linux/amd64");
	assert_int_equal(platforms_parse(&list, platforms, &err), 0);
	platform_copy(&platforms->native, &amd64);
	platforms->is_explicit = text;
}

static struct plan *plan_text(const char *text, const struct setting *setting, struct ast **out_ast,
			      struct images *images, struct err *err)
{
	struct strlist build_args = STRLIST_INIT;
	static struct platforms platforms;
	struct plan_input input = {
		.build_args = &build_args,
		.target = setting->target,
		.platforms = &platforms,
		.get_image = get_image,
		.check_runs = check_runs,
		.context = images,
	};
	struct plan *plan;

	images_init(images);
	platforms_init(&platforms, setting->platforms);
	if (setting->trigger)
		strlist_add(&images->base.config.on_build, setting->trigger);
	for (size_t i = 0; i < 4 && setting->build_args[i]; i++)
		strlist_add(&build_args, setting->build_args[i]);
	*out_ast = parse_buildfile("Buildfile", text, strlen(text), err);
	if (!*out_ast)
		fail_msg("%s", err->text);
	input.ast = *out_ast;
	plan = plan_make(&input, err);
	strlist_release(&build_args);
	return plan;
}

static void expect_plan(const char *text, const struct setting *setting, const char *want)
{
	auto_ast struct ast *ast = NULL;
	auto_plan struct plan *plan = NULL;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct images images;
	struct err err = ERR_INIT;

	plan = plan_text(text, setting, &ast, &images, &err);
	if (!plan)
		fail_msg("%s\n%s", err.text, err.detail);
	plan_print(plan, &got);
	assert_string_equal(got.data, want);
	images_release(&images);
}

static void expect_error(const char *text, const char *want, const char *hint)
{
	struct setting setting = { .target = NULL };
	auto_ast struct ast *ast = NULL;
	auto_plan struct plan *plan = NULL;
	struct images images;
	struct err err = ERR_INIT;

	plan = plan_text(text, &setting, &ast, &images, &err);
	assert_null(plan);
	assert_string_equal(err.text, want);
	assert_int_equal(err.kind, ERR_INPUT);
	if (hint && !strstr(err.detail, hint))
		fail_msg("'%s' is not in '%s'", hint, err.detail);
	images_release(&images);
}

static const struct setting plain = { .target = NULL };

static void test_run(void **state)
{
	expect_plan("FROM base\nENV A=1 B=$A\nENV C=$A\nUSER u\nRUN make $C\nRUN [\"a\", \"$b\"]\n",
		    &plain,
		    "stage 0 '' from image base\n"
		    "  config ENV A=1 B=\n"
		    "  config ENV C=1\n"
		    "  config USER u\n"
		    "  run RUN /bin/sh -c make $C # buildkit\n"
		    "    arg /bin/sh\n    arg -c\n    arg make $C\n"
		    "    env PATH=/bin\n    env FROMBASE=b\n    env A=1\n    env B=\n    env C=1\n"
		    "    user 'u' cwd /srv network default\n"
		    "  run RUN a $b # buildkit\n"
		    "    arg a\n    arg $b\n"
		    "    env PATH=/bin\n    env FROMBASE=b\n    env A=1\n    env B=\n    env C=1\n"
		    "    user 'u' cwd /srv network default\n");
}

/* What options leave to the type; links between stages by from=. */
static void test_mounts(void **state)
{
	expect_plan("FROM base AS one\nFROM scratch\nWORKDIR /w\nENV D=dir\n"
		    "RUN --mount=target=$D/.. --mount=from=one,src=/s,dst=/t,rw"
		    " --mount=type=cache,target=c/ --mount=type=cache,id=x,target=/c,from=base"
		    " --mount=type=tmpfs,target=/tmp --mount=type=secret,id=a/b"
		    " --mount=type=secret,id=e,env=E --mount=type=secret,target=/s/f,env="
		    " --mount=type=ssh --mount=type=ssh,id=o x\n"
		    "RUN <<two\n#!/bin/x\ntwo\n",
		    &plain,
		    "stage 0 'one' from image base\n"
		    "stage 1 'stage-1' from scratch scratch\n"
		    "  workdir WORKDIR /w\n    path /w user ''\n"
		    "  config ENV D=dir\n"
		    "  run RUN /bin/sh -c x # buildkit\n"
		    "    arg /bin/sh\n    arg -c\n    arg x\n"
		    "    env PATH=" PLAN_PATH_DEFAULT "\n    env D=dir\n"
		    "    user '' cwd /w network default\n"
		    "    mount bind on /w read-only\n"
		    "    mount bind on /t from stage 0 source '/s'\n"
		    "    mount cache on /w/c id '/w/c'\n"
		    "    mount cache on /c id 'x' from image 0\n"
		    "    mount tmpfs on /tmp\n"
		    "    mount secret on /run/secrets/b read-only id 'a/b'\n"
		    "    mount secret id 'e' variable E\n"
		    "    mount secret on /s/f read-only id 'f' variable f\n"
		    "    mount ssh on /run/buildkit/ssh_agent.0 read-only id 'default'\n"
		    "    mount ssh on /run/buildkit/ssh_agent.1 read-only id 'o'\n"
		    "  run RUN /bin/sh -c /dev/pipes/two # buildkit\n"
		    "    arg /dev/pipes/two\n"
		    "    env PATH=" PLAN_PATH_DEFAULT "\n    env D=dir\n"
		    "    user '' cwd /w network default\n"
		    "    script /dev/pipes/two 9 bytes\n");
}

/* --build-arg, then the default, then the global ARG; the others are as if not there. */
static void test_args(void **state)
{
	struct setting setting = { .build_args = { "X=given", "NOBODY=1", "http_proxy=p" } };

	expect_plan("ARG G=global\nARG H=${G}2\nFROM scratch\n"
		    "ARG X=default\nARG G\nARG H=own\nARG UNSET\nARG TARGETARCH\n"
		    "ENV V=$X-$G-$H-$UNSET-$TARGETARCH-$TARGETOS\nRUN x\n",
		    &setting,
		    "stage 0 '' from scratch scratch\n"
		    "  config ARG X=given\n"
		    "  config ARG G=global\n"
		    "  config ARG H=own\n"
		    "  config ARG UNSET\n"
		    "  config ARG TARGETARCH=amd64\n"
		    "  config ENV V=given-global-own--amd64-\n"
		    "  run RUN |5 X=given G=global H=own UNSET= TARGETARCH=amd64 /bin/sh -c x "
		    "# buildkit\n"
		    "    arg /bin/sh\n    arg -c\n    arg x\n"
		    "    env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
		    "    env X=given\n    env G=global\n    env H=own\n    env TARGETARCH=amd64\n"
		    "    env V=given-global-own--amd64-\n"
		    "    user '' cwd / network default\n"
		    "    proxy HTTP_PROXY=p\n    proxy http_proxy=p\n"
		    "    unused NOBODY\n");
}

/* Only what the target needs, each before what needs it. */
static const char stages[] = "FROM base AS one\nFROM nowhere AS unused\nRUN x\n"
			     "FROM one AS two\nCOPY --from=one /a /b\nCOPY --from=0 /c /d\n"
			     "FROM scratch\nCOPY --from=TWO x /\nCOPY --from=base y /\n";

static void test_stages(void **state)
{
	expect_plan(stages, &plain,
		    "stage 0 'one' from image base\n"
		    "stage 2 'two' from stage one\n"
		    "  copy COPY /a /b # buildkit\n"
		    "    from stage 0\n    source /a\n    dest /b\n"
		    "  copy COPY /c /d # buildkit\n"
		    "    from stage 0\n    source /c\n    dest /d\n"
		    "stage 3 'stage-3' from scratch scratch\n"
		    "  copy COPY x / # buildkit\n"
		    "    from stage 1\n    source x\n    dest / directory\n"
		    "  copy COPY y / # buildkit\n"
		    "    from image 0\n    source y\n    dest / directory\n");
}

static void test_target(void **state)
{
	struct setting setting = { .target = "ONE" };

	expect_plan(stages, &setting, "stage 0 'one' from image base\n");
	setting.target = "0";
	expect_plan(stages, &setting, "stage 0 'one' from image base\n");
}

static void test_copy(void **state)
{
	expect_plan("FROM base\nARG D=dir\nWORKDIR sub/../w//\nCOPY a $D\nCOPY --chown=1:2 "
		    "--chmod=4755 a b ./\nADD [\"x y\", \"../z\"]\nWORKDIR /\nCOPY . .\nCOPY <<A "
		    "<<'B' /h/\n"
		    "$D\nA\n$D\nB\n",
		    &plain,
		    "stage 0 '' from image base\n"
		    "  config ARG D=dir\n"
		    "  workdir WORKDIR /srv/w\n"
		    "    path /srv/w user ''\n"
		    "  copy COPY a dir # buildkit\n"
		    "    source a\n    dest /srv/w/dir\n"
		    "  copy COPY --chown=1:2 --chmod=4755 a b ./ # buildkit\n"
		    "    source a\n    source b\n    dest /srv/w directory\n"
		    "    chown 1:2\n    chmod 4755\n"
		    "  copy ADD x y ../z # buildkit\n"
		    "    source x y\n    dest /srv/z\n"
		    "  config WORKDIR /\n"
		    "  copy COPY . . # buildkit\n"
		    "    source .\n    dest / directory\n"
		    "  copy COPY <<A <<B /h/ # buildkit\n"
		    "    text A 4 bytes\n    text B 3 bytes\n    dest /h directory\n");
}

static void test_config(void **state)
{
	expect_plan("FROM base\nLABEL b=2 a=1\nEXPOSE 80 53/UDP 20-21\nVOLUME /v /w\n"
		    "STOPSIGNAL TERM\nSHELL [\"/bin/ash\", \"-ec\"]\nENTRYPOINT run me\n"
		    "CMD [\"a b\"]\nHEALTHCHECK --interval=5s CMD true\nMAINTAINER me\n"
		    "ONBUILD RUN later\nRUN x\n",
		    &plain,
		    "stage 0 '' from image base\n"
		    "  config LABEL b=2 a=1\n"
		    "  config EXPOSE [20/tcp 21/tcp 53/udp 80/tcp]\n"
		    "  config VOLUME [/v /w]\n"
		    "  config STOPSIGNAL TERM\n"
		    "  config SHELL [/bin/ash -ec]\n"
		    "  config ENTRYPOINT [\"/bin/ash\" \"-ec\" \"run me\"]\n"
		    "  config CMD [\"a b\"]\n"
		    "  config HEALTHCHECK {Test:[CMD-SHELL true] Interval:5s Timeout:0s "
		    "StartPeriod:0s StartInterval:0s Retries:0}\n"
		    "  config MAINTAINER me\n"
		    "  run RUN /bin/ash -ec x # buildkit\n"
		    "    arg /bin/ash\n    arg -ec\n    arg x\n"
		    "    env PATH=/bin\n    env FROMBASE=b\n"
		    "    user '' cwd /srv network default\n");
}

/* An entry point of its own drops the command that came with the base, not one of its own. */
static void test_entrypoint(void **state)
{
	const struct {
		const char *text;
		bool has_cmd;
	} cases[] = {
		{ "FROM base\n", true },
		{ "FROM base\nENTRYPOINT [\"x\"]\n", false },
		{ "FROM base\nCMD [\"y\"]\nENTRYPOINT [\"x\"]\n", true },
		{ "FROM base AS a\nCMD [\"y\"]\nFROM a\nENTRYPOINT [\"x\"]\n", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_ast struct ast *ast = NULL;
		auto_plan struct plan *plan = NULL;
		struct images images;
		struct err err = ERR_INIT;

		plan = plan_text(cases[i].text, &plain, &ast, &images, &err);
		assert_non_null(plan);
		assert_int_equal(plan->stages[plan->stage_count - 1]->image.config.has_cmd,
				 cases[i].has_cmd);
		images_release(&images);
	}
}

/* Triggers come before the stage's own instructions, once. */
static void test_triggers(void **state)
{
	struct setting setting = { .trigger = "COPY $FROMBASE /t/" };

	expect_plan("FROM base AS a\nENV X=1\nFROM a\n", &setting,
		    "stage 0 'a' from image base\n"
		    "  copy COPY b /t/ # buildkit\n"
		    "    source b\n    dest /t directory\n"
		    "  config ENV X=1\n"
		    "stage 1 'stage-1' from stage a\n");
}

/* What is fetched is told without its password, in history and all. */
static void test_remotes(void **state)
{
	expect_plan("FROM base\nARG P=pw\nADD a https://me:$P@a.b/c?d#e git://a.b/r#v1:sub /d/\n",
		    &plain,
		    "stage 0 '' from image base\n"
		    "  config ARG P=pw\n"
		    "  copy ADD a https://a.b/c?d#e git://a.b/r#v1:sub /d/ # buildkit\n"
		    "    source a\n"
		    "    url https://a.b/c?d#e\n"
		    "    git git://a.b/r#v1:sub\n"
		    "    dest /d directory\n");
}

static void test_errors(void **state)
{
	expect_error("FROM base\n  RUN --device=vendor/class y\n",
		     "Buildfile:2:3: RUN: RUN --device is not supported", NULL);
	expect_error("FROM base\nRUN --security=insecure y\n",
		     "Buildfile:2:1: RUN: --security=insecure is not allowed to a Buildfile",
		     "--allow security.insecure");
	expect_error("FROM base\nRUN --network=host y\n",
		     "Buildfile:2:1: RUN: --network=host is not allowed to a Buildfile",
		     "--allow network.host");
	expect_error("FROM base\nRUN --mount=type=tmpfs,target=.. y\n",
		     "Buildfile:2:5: RUN: nothing can be mounted on '/'", NULL);
	expect_error("FROM base\nRUN --mount=type=cache,target=/sys/x y\n",
		     "Buildfile:2:5: RUN: nothing can be mounted in '/sys'", NULL);
	expect_error("FROM base\nRUN --mount=type=secret,id=a,env=b=c y\n",
		     "Buildfile:2:5: RUN: 'b=c' cannot be the name of a variable", NULL);
	expect_error(
		"FROM base AS a\nRUN --mount=from=late,target=/x y\nFROM base AS late\nFROM a\n",
		"Buildfile:2:5: RUN: from=late: that stage must stand before this one", NULL);
	expect_error("FROM base\nCOPY --chmod=u+q a b\n",
		     "Buildfile:2:1: COPY: --chmod=u+q is neither an octal mode up to 07777 nor "
		     "symbolic as in 'u=rwX,go=rX'",
		     NULL);
	expect_error("FROM base\nCOPY --chmod=888 a b\n",
		     "Buildfile:2:1: COPY: --chmod=888 is neither an octal mode up to 07777 nor "
		     "symbolic as in 'u=rwX,go=rX'",
		     NULL);
	expect_error("FROM base\nCOPY --exclude=[ a b\n",
		     "Buildfile:2:1: COPY: --exclude=[: syntax error in pattern '['", NULL);
	expect_error("FROM base\nCOPY https://u:p@a.b/c d\n",
		     "Buildfile:2:1: COPY: COPY takes files, not URLs",
		     "    2 | COPY https://***@a.b/c d\n");
	expect_error("FROM base\nADD git@a.b:-c d\n",
		     "Buildfile:2:1: ADD: 'git@a.b:-c' names no repository", NULL);
	expect_error("FROM base\nADD --checksum=sha256:12 https://a.b/c d\n",
		     "Buildfile:2:1: ADD: --checksum: 'sha256:12' is not a digest: 64 lower-case "
		     "hex digits must follow 'sha256:'",
		     NULL);
	expect_error("FROM base\nADD --checksum=sha256:12 c d\n",
		     "Buildfile:2:1: ADD: --checksum is for a URL or a git repository, and 'c' is "
		     "none",
		     NULL);
	expect_error("FROM base\nADD --keep-git-dir c d\n",
		     "Buildfile:2:1: ADD: --keep-git-dir is for git repositories, and there is "
		     "none",
		     NULL);
	expect_error("FROM base\nADD --keep-git-dir git://a.b/c?keep-git-dir=0 d\n",
		     "Buildfile:2:1: ADD: 'git://a.b/c?keep-git-dir=0' says the opposite of "
		     "--keep-git-dir",
		     NULL);
	expect_error("FROM base\nCOPY a b c\n",
		     "Buildfile:2:1: COPY: several sources, but the destination 'c' is not said "
		     "to be a directory",
		     "hint: end it with a slash: 'c/'");
	expect_error("FROM base\nCOPY --from=3 a b\n",
		     "Buildfile:2:1: COPY: --from=3: there is no such stage before this one", NULL);
	expect_error("FROM base\nCOPY --from=later a b\nFROM base AS later\nFROM base\n"
		     "COPY --from=0 a b\n",
		     "Buildfile:2:1: COPY: --from=later: that stage must stand before this one",
		     NULL);
	expect_error("FROM nowhere\n", "Buildfile:1:6: FROM: image 'nowhere' is not in the store",
		     NULL);
	expect_error("ARG N\nFROM $N\n", "Buildfile:2:6: FROM: the name '$N' comes out empty",
		     NULL);
	expect_error("FROM --platform=linux/s390x base\nCOPY a /\nRUN b\n",
		     "Buildfile:3:1: RUN: no emulator for s390x", NULL);
	expect_error("ARG P\nFROM --platform=$P base\n",
		     "Buildfile:2:1: FROM: the platform '$P' comes out empty", NULL);
	expect_error("FROM --platform=linux/a/b/c base\n",
		     "Buildfile:1:1: FROM: 'linux/a/b/c' is not a platform: "
		     "os/architecture/variant at most",
		     NULL);
	expect_error("FROM base\nENV A=${B?nob}\n", "Buildfile:2:1: ENV: in '${B?nob}': B: nob",
		     NULL);
	expect_error("FROM base\nSTOPSIGNAL NOSUCH$x\n",
		     "Buildfile:2:1: STOPSIGNAL: 'NOSUCH' is no signal", NULL);
}

#define ON(text) (&(struct setting){ .platforms = (text) })

/* Stages that are for different platforms are different stages, and their ARGs say which. */
static void test_platforms(void **state)
{
	(void)state;
	expect_plan("FROM --platform=$BUILDPLATFORM base AS b\nARG TARGETARCH\nRUN x\n"
		    "FROM scratch\nCOPY --from=b /x /\n",
		    ON("linux/amd64,linux/arm/v7"),
		    "stage 0 'linux/amd64 b' from image base\n"
		    "  platform linux/amd64\n"
		    "  config ARG TARGETARCH=amd64\n"
		    "  run RUN |1 TARGETARCH=amd64 /bin/sh -c x # buildkit\n"
		    "    arg /bin/sh\n    arg -c\n    arg x\n"
		    "    env PATH=/bin\n    env FROMBASE=b\n    env TARGETARCH=amd64\n"
		    "    user '' cwd /srv network default\n"
		    "stage 1 'linux/amd64 stage-1' from scratch scratch\n"
		    "  platform linux/amd64\n"
		    "  copy COPY /x / # buildkit\n"
		    "    from stage 0\n    source /x\n    dest / directory\n"
		    "stage 0 'linux/amd64->arm/v7 b' from image base\n"
		    "  platform linux/amd64\n"
		    "  config ARG TARGETARCH=arm\n"
		    "  run RUN |1 TARGETARCH=arm /bin/sh -c x # buildkit\n"
		    "    arg /bin/sh\n    arg -c\n    arg x\n"
		    "    env PATH=/bin\n    env FROMBASE=b\n    env TARGETARCH=arm\n"
		    "    user '' cwd /srv network default\n"
		    "stage 1 'linux/arm/v7 stage-1' from scratch scratch\n"
		    "  platform linux/arm/v7\n"
		    "  copy COPY /x / # buildkit\n"
		    "    from stage 2\n    source /x\n    dest / directory\n"
		    "target 1\ntarget 3\n");
}

/* As BuildKit has it: no PATH, and the other shell. */
static void test_windows(void **state)
{
	(void)state;
	expect_plan("FROM scratch\nRUN x\nENTRYPOINT y\n", ON("windows/amd64"),
		    "stage 0 '' from scratch scratch\n"
		    "  run RUN cmd /S /C x # buildkit\n"
		    "    arg cmd\n    arg /S\n    arg /C\n    arg x\n"
		    "    user '' cwd / network default\n"
		    "  config ENTRYPOINT [\"cmd\" \"/S\" \"/C\" \"y\"]\n");
}

/* The platform of the image that comes out, and of its last step, a RUN. */
static void expect_platform(const char *text, const char *asked, const char *want_image,
			    const char *want_run, bool is_32bit)
{
	auto_ast struct ast *ast = NULL;
	auto_plan struct plan *plan = NULL;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	const struct plan_stage *stage;
	const struct plan_run *run;
	struct images images;
	struct err err = ERR_INIT;

	plan = plan_text(text, ON(asked), &ast, &images, &err);
	if (!plan)
		fail_msg("%s", err.text);
	stage = plan->stages[plan->targets[0]];
	platform_format(&stage->image.platform, &got);
	assert_string_equal(got.data, want_image);
	run = &stage->steps[stage->step_count - 1]->run;
	assert_string_equal(run->platform, want_run);
	assert_int_equal(run->is_32bit, is_32bit);
	images_release(&images);
}

/* What the files are for decides how a program runs; what was asked for, what the image says. */
static void test_image_platforms(void **state)
{
	const char *base = "FROM base\nRUN x\n";
	const char *amd = "FROM amd\nRUN x\n";

	(void)state;
	expect_platform(amd, NULL, "linux/amd64", "linux/amd64", false);
	expect_platform(amd, "linux/arm64", "linux/arm64", "linux/amd64", false);
	expect_platform(base, "linux/arm64", "linux/arm64", "linux/arm64", false);
	expect_platform(base, "linux/386", "linux/386", "linux/386", true);
	expect_platform(base, "linux/arm/v6", "linux/arm/v6", "linux/arm/v6", true);
	expect_platform("FROM scratch\nRUN x\n", "riscv64", "linux/riscv64", "linux/riscv64",
			false);
	expect_platform("FROM scratch\nRUN x\n", "windows/amd64", "windows/amd64", "windows/amd64",
			false);
	/* a stage is for what the stage is for that it is FROM */
	expect_platform("FROM --platform=linux/386 base AS a\nFROM --platform=linux/arm64 a\n"
			"RUN x\n",
			"linux/arm64", "linux/arm64", "linux/386", true);
}

/* A place in a line is found by the word, also after a continuation. */
static void test_locate(void **state)
{
	auto_ast struct ast *ast = NULL;
	auto_plan struct plan *plan = NULL;
	struct images images;
	struct err err = ERR_INIT;

	plan = plan_text("FROM base\nCOPY PY \\\n  other /\n", &plain, &ast, &images, &err);
	assert_non_null(plan);
	err_set(&err, ERR_INPUT, "x");
	step_locate(&err, plan->stages[0]->steps[0], "PY");
	assert_string_equal(err.text, "Buildfile:2:6: COPY: x");
	err_set(&err, ERR_INPUT, "x");
	step_locate(&err, plan->stages[0]->steps[0], "other");
	assert_string_equal(err.text, "Buildfile:3:3: COPY: x");
	err_set(&err, ERR_INPUT, "x");
	step_locate(&err, plan->stages[0]->steps[0], NULL);
	assert_string_equal(err.text, "Buildfile:2:1: COPY: x");
	images_release(&images);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),       cmocka_unit_test(test_args),
		cmocka_unit_test(test_mounts),    cmocka_unit_test(test_stages),
		cmocka_unit_test(test_target),    cmocka_unit_test(test_copy),
		cmocka_unit_test(test_config),    cmocka_unit_test(test_entrypoint),
		cmocka_unit_test(test_triggers),  cmocka_unit_test(test_remotes),
		cmocka_unit_test(test_errors),    cmocka_unit_test(test_locate),
		cmocka_unit_test(test_platforms), cmocka_unit_test(test_image_platforms),
		cmocka_unit_test(test_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
