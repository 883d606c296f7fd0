/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a build as a whole: images looked up, plan made, stages executed
 * in its order, the configuration settled, the image recorded and named.
 */
#include <stdlib.h>
#include <string.h>

#include "builder/build.h"
#include "builder/frontend.h"
#include "builder/history.h"
#include "builder/squash.h"
#include "builder/step.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"

/* Images are looked up once, however often the Buildfile names them. */
static int get_image(void *context, const char *name, const struct image_config **out_config,
		     size_t *out_index, struct err *err)
{
	struct build *build = context;
	struct build_image *found;

	for (size_t i = 0; i < build->image_count; i++) {
		if (strcmp(build->images[i]->name, name) != 0)
			continue;
		*out_config = &build->images[i]->image.config;
		*out_index = i;
		return 0;
	}
	found = mem_alloc(sizeof(*found));
	if (image_get(build->request->store, name, NULL, &found->image, err) < 0) {
		free(found);
		return -1;
	}
	found->name = str_dup(name);
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
		image_release(&build->images[i]->image);
		free(build->images[i]);
	}
	free(build->images);
	fd_close(&build->seccomp_fd);
	claims_release(&build->claims);
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

static struct plan *make_plan(struct build *build, struct err *err)
{
	const struct build_request *request = build->request;
	struct plan_input input = {
		.ast = request->ast,
		.build_args = request->build_args,
		.labels = request->labels,
		.target = request->target,
		.platform = request->platform,
		.named = request->named,
		.allowed = request->allowed,
		.changes = request->changes,
		.get_image = get_image,
		.context = build,
	};
	struct plan *plan = plan_make(&input, err);

	warn_of_frontend(request);
	for (size_t i = 0; plan && i < plan->unused_args.count; i++)
		log_warn("build argument '%s' is not declared by any ARG",
			 plan->unused_args.items[i]);
	return plan;
}

/* Of images that the plan asked for: nothing is looked up for a check. */
static const struct image_config *find_image(void *context, const char *name)
{
	const struct build *build = context;

	for (size_t i = 0; i < build->image_count; i++)
		if (strcmp(build->images[i]->name, name) == 0)
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
		.platform = request->platform,
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

/* The configuration that the plan came to, with the layers and history that were made. */
static void settle_config(struct build *build, struct image_config *out)
{
	const struct build_request *request = build->request;
	const struct plan_stage *target = build->plan->stages[build->plan->stage_count - 1];
	struct stage_result *made = &build->results[build->plan->stage_count - 1];
	char epoch_text[40];

	image_config_copy(out, &target->image);
	for (size_t i = target->image.diff_id_count; i < made->image.diff_id_count; i++)
		image_config_add_layer(out, &made->image.diff_ids[i]);
	for (size_t i = target->image.history_count; i < made->image.history_count; i++)
		image_config_add_history(out, &made->image.history[i]);
	if (request->has_epoch)
		image_time_format((struct timespec){ .tv_sec = request->epoch }, epoch_text);
	history_settle(out, request->has_epoch ? epoch_text : NULL);
	if (request->file_times == FILE_TIMES_SET) {
		free(out->created);
		out->created = str_dup(epoch_text);
	}
}

void built_release(struct built *built)
{
	image_config_release(&built->config);
	free(built->layers);
	free(built->others);
	*built = (struct built)BUILT_INIT;
}

static void add_layers(struct layer **to, size_t *count, const struct chain *chain)
{
	if (chain->count == 0)
		return;
	*to = mem_resize(*to, *count + chain->count, sizeof(**to));
	memcpy(*to + *count, chain->layers, chain->count * sizeof(**to));
	*count += chain->count;
}

static int settle(struct build *build, struct built *out, struct err *err)
{
	auto_chain struct chain squashed = CHAIN_INIT;
	size_t target = build->plan->stage_count - 1;
	bool is_squashed = false;

	settle_config(build, &out->config);
	if (build->request->squash != SQUASH_NONE &&
	    squash_layers(build, &out->config, &squashed, &is_squashed, err) < 0)
		return -1;
	for (size_t i = 0; i < build->plan->stage_count; i++)
		if (i != target || is_squashed)
			add_layers(&out->others, &out->other_count, &build->results[i].chain);
	add_layers(&out->layers, &out->layer_count,
		   is_squashed ? &squashed : &build->results[target].chain);
	return 0;
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
		result = settle(&build, out, err);
	build_release(&build);
	return result;
}

int build_record(const struct build_request *request, const struct built *built,
		 struct digest *out_image_id, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	image_config_format(&built->config, &text);
	if (image_put(request->store, text.data, text.len, NULL, 0, out_image_id, err) < 0)
		return -1;
	for (size_t i = 0; i < request->tags->count; i++)
		if (image_tag(request->store, out_image_id, request->tags->items[i], err) < 0)
			return -1;
	return request->tags->count > 0 ? 0 : store_sync(request->store, err);
}

int build_run(const struct build_request *request, struct digest *out_image_id, struct err *err)
{
	auto_built struct built built = BUILT_INIT;

	if (build_make(request, &built, err) < 0)
		return -1;
	return build_record(request, &built, out_image_id, err);
}
