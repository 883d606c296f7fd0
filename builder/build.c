/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a build as a whole: images looked up, plan made, stages executed
 * in its order. What comes out is built.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "builder/build.h"
#include "builder/built.h"
#include "builder/frontend.h"
#include "builder/step.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "sandbox/foreign.h"

static bool is_image(const struct build_image *image, const char *name,
		     const struct platform *platform)
{
	return strcmp(image->name, name) == 0 && platform_is_same(&image->platform, platform);
}

struct image_pull build_image_pull(const struct build_request *request)
{
	return (struct image_pull){
		.store = request->store,
		.when = request->pull,
		.is_quiet = request->is_quiet,
		.arguments = request->pull_arguments,
	};
}

/* What the store finds it by, once it is there; perhaps it was brought with others. */
static int ensure_image(const struct build *build, const char *name,
			const struct platform *platform, struct strbuf *out, struct err *err)
{
	const struct image_pull pull = build_image_pull(build->request);
	const struct base *base = bases_find(&build->bases, name, platform);

	if (!base)
		return image_pull_ensure(&pull, name, platform, out, err);
	if (base->has_failed) {
		*err = base->err;
		return -1;
	}
	strbuf_puts(out, base->found_by.data);
	return 0;
}

/* Images are looked up once, however often the Buildfile names them. */
static int get_image(void *context, const char *name, const struct platform *platform,
		     const struct image_config **out_config, size_t *out_index, struct err *err)
{
	struct build *build = context;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_free char *wanted = NULL;
	struct build_image *found;

	if (policy_image(build->request->policy, name, &wanted, err) < 0)
		return -1;
	name = wanted;
	for (size_t i = 0; i < build->image_count; i++) {
		if (!is_image(build->images[i], name, platform))
			continue;
		*out_config = &build->images[i]->image.config;
		*out_index = i;
		return 0;
	}
	found = mem_alloc(sizeof(*found));
	if (ensure_image(build, name, platform, &text, err) < 0 ||
	    image_get(build->request->store, text.data, platform, &found->image, err) < 0) {
		free(found);
		return -1;
	}
	found->name = str_dup(name);
	platform_copy(&found->platform, platform);
	build->images =
		mem_resize(build->images, build->image_count + 1, sizeof(struct build_image *));
	build->images[build->image_count] = found;
	*out_config = &found->image.config;
	*out_index = build->image_count++;
	return 0;
}

static void build_release(struct build *build)
{
	for (size_t i = 0; build->results && i < build->plan->stage_count; i++) {
		chain_release(&build->results[i].chain);
		image_config_release(&build->results[i].image);
	}
	free(build->results);
	for (size_t i = 0; i < build->image_count; i++) {
		free(build->images[i]->name);
		platform_release(&build->images[i]->platform);
		image_release(&build->images[i]->image);
		free(build->images[i]);
	}
	free(build->images);
	bases_release(&build->bases);
	free(build->made);
	fd_close(&build->seccomp_fd);
	claims_release(&build->claims);
	strlist_release(&build->runnable);
	pthread_mutex_destroy(&build->lock);
}

/* A file for another front end may all the same be one that is read as it is meant. */
static void warn_of_frontend(const struct build_request *request)
{
	const char *wanted = strlist_env_get(request->build_args, "BUILDKIT_SYNTAX");

	if (!wanted)
		wanted = request->ast->directives.syntax;
	if (wanted && !frontend_is_builtin(wanted))
		log_warn("the front end '%s' is not run: %s is read as docker/dockerfile:1 would",
			 wanted, request->ast->source.name);
}

/* Asked once for each platform. */
static int check_runs(void *context, const struct platform *platform, struct err *err)
{
	struct build *build = context;
	auto_strbuf struct strbuf name = STRBUF_INIT;

	platform_format(platform, &name);
	if (strlist_has(&build->runnable, name.data))
		return 0;
	if (foreign_check(build->request->store, platform, err) < 0)
		return -1;
	strlist_add(&build->runnable, name.data);
	return 0;
}

static struct plan *make_plan(struct build *build, struct err *err)
{
	const struct build_request *request = build->request;
	struct plan_input input = {
		.ast = request->ast,
		.build_args = request->build_args,
		.labels = request->labels,
		.target = request->target,
		.platforms = &request->platforms,
		.named = request->named,
		.allowed = request->allowed,
		.changes = request->changes,
		.policy = request->policy,
		.get_image = get_image,
		.check_runs = check_runs,
		.context = build,
	};
	struct plan *plan = NULL;

	if (bases_bring(request, &input, &build->bases, err) == 0)
		plan = plan_make(&input, err);
	warn_of_frontend(request);
	for (size_t i = 0; plan && i < plan->unused_args.count; i++)
		log_warn("build argument '%s' is not declared by any ARG",
			 plan->unused_args.items[i]);
	return plan;
}

/* Of images that the plan asked for: nothing is looked up for a check. */
static const struct image_config *find_image(void *context, const char *name,
					     const struct platform *platform)
{
	const struct build *build = context;

	for (size_t i = 0; i < build->image_count; i++)
		if (is_image(build->images[i], name, platform))
			return &build->images[i]->image.config;
	return NULL;
}

static int run_checks(struct build *build, struct err *err)
{
	const struct build_request *request = build->request;
	auto_free bool *needed = mem_array(request->ast->stage_count, sizeof(bool));
	struct check_input input = {
		.ast = request->ast,
		.build_args = request->build_args,
		.target = request->target,
		.platforms = &request->platforms,
		.named = request->named,
		.ignore = &request->context->ignore,
		.needed = needed,
		.find_image = find_image,
		.context = build,
	};

	for (size_t i = 0; i < build->plan->stage_count; i++)
		needed[build->plan->stages[i]->number] = true;
	if (check_run(&input, request->report, err) < 0)
		return -1;
	return check_verdict(request->report, err);
}

static int execute_stage(void *context, size_t index, struct err *err)
{
	return stage_execute(context, index, err);
}

static int execute_stages(struct build *build, struct err *err)
{
	const struct build_request *given = build->request;
	struct build_request request = *given;
	auto_graph struct graph *graph = NULL;
	int result;

	graph = graph_new(build->plan->stage_count, request.jobs, request.interrupt_fd, err);
	if (!graph)
		return -1;
	/* to a stage the failure of another one is a reason to stop as good as a signal */
	request.interrupt_fd = graph_stop_fd(graph);
	build->request = &request;
	build->graph = graph;
	build->results = mem_array(build->plan->stage_count, sizeof(*build->results));
	for (size_t i = 0; i < build->plan->stage_count; i++)
		build->results[i].chain = (struct chain)CHAIN_INIT;
	stage_add_needs(build);
	result = graph_run(graph, execute_stage, build, err);
	build->graph = NULL;
	build->request = given;
	return result;
}

int build_make(const struct build_request *request, struct built *out, struct err *err)
{
	struct build build = { .request = request, .seccomp_fd = -1 };
	auto_plan struct plan *plan = NULL;
	int result = -1;

	claims_init(&build.claims);
	pthread_mutex_init(&build.lock, NULL);
	plan = make_plan(&build, err);
	build.plan = plan;
	if (plan && run_checks(&build, err) == 0 && execute_stages(&build, err) == 0)
		result = built_take(out, &build, err);
	build_release(&build);
	return result;
}

int build_run(const struct build_request *request, struct digest *out_id, struct err *err)
{
	auto_built struct built built = BUILT_INIT;

	if (build_make(request, &built, err) < 0)
		return -1;
	return built_record(&built, request, out_id, err);
}
