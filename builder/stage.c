/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for one stage: its steps in order, the layers and the history that come out
 * of them, and what is told of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/copy.h"
#include "builder/history.h"
#include "builder/report.h"
#include "builder/step.h"
#include "common/mem.h"

/* "[build 2/4] RUN make", numbers as wide as the last one. */
static char *shown_title(struct stage_run *run, const char *title)
{
	size_t total = run->plan->layer_count + 1;
	size_t len = strcspn(title, "\n");
	int width = 1;

	for (size_t n = total; n >= 10; n /= 10)
		width++;
	run->shown++;
	return str_format("[%s%s%*zu/%zu] %.*s%s", run->plan->title, run->plan->title[0] ? " " : "",
			  width, run->shown, total, (int)len, title, title[len] ? "..." : "");
}

static void base_key(const struct stage_run *run, struct digest *out)
{
	const struct digest *chain = chain_id(&run->result->chain);
	auto_cachekey struct cachekey key = { 0 };

	cachekey_init(&key, "from", NULL);
	if (chain)
		cachekey_digest(&key, "chain", chain);
	cachekey_final(&key, out);
}

/* What the stage begins with. */
static void begin(struct stage_run *run)
{
	struct build *build = run->build;
	struct stage_result *result = run->result;
	const struct build_image *base;
	const struct stage_result *from;

	chain_init(&result->chain, build->request->store);
	switch (run->plan->base) {
	case BASE_SCRATCH:
		base_key(run, &result->key);
		break;
	case BASE_STAGE:
		from = &build->results[run->plan->base_index];
		chain_copy(&result->chain, &from->chain);
		image_config_copy(&result->image, &from->image);
		result->key = from->key;
		break;
	case BASE_IMAGE:
		base = build->images[run->plan->base_index];
		for (size_t i = 0; i < base->image.config.diff_id_count; i++)
			chain_add(&result->chain, &base->image.layers[i]);
		image_config_copy(&result->image, &base->image.config);
		base_key(run, &result->key);
		break;
	}
}

static void show_base(struct stage_run *run)
{
	struct progress *progress = run->build->request->progress;
	auto_free char *from = str_format("FROM %s", run->plan->base_name);
	auto_free char *title = shown_title(run, from);

	progress_finish(progress, progress_begin(progress, title), PROGRESS_DONE);
}

/* With SOURCE_DATE_EPOCH all new entries get that time, in the end. */
static void add_history(struct stage_run *run, const struct step *step,
			const struct step_outcome *outcome)
{
	struct history_entry entry = {
		.created_by = step->created_by,
		.comment = (char *)HISTORY_COMMENT,
		.empty_layer = !outcome,
	};
	char created[40];

	if (outcome && !run->build->request->has_epoch) {
		struct timespec when = { .tv_sec = outcome->result.created_ns / 1000000000,
					 .tv_nsec = outcome->result.created_ns % 1000000000 };

		image_time_format(when, created);
		entry.created = created;
	}
	image_config_add_history(&run->result->image, &entry);
}

static int perform(struct stage_run *run, const struct step *step, unsigned id,
		   struct step_outcome *out, struct err *err)
{
	int result = -1;

	switch (step->kind) {
	case STEP_CONFIG:
		return 0;
	case STEP_RUN:
		result = step_run(run, step, id, out, err);
		break;
	case STEP_COPY:
		result = step_copy(run, step, out, err);
		break;
	case STEP_WORKDIR:
		result = step_workdir(run, step, out, err);
		break;
	}
	return result;
}

/* In a Buildfile with several stages an error tells in which it was. */
static void name_stage(const struct stage_run *run, struct err *err)
{
	size_t len = strlen(err->text);

	if (run->plan->title[0])
		snprintf(err->text + len, sizeof(err->text) - len, ", in stage '%s'",
			 run->plan->title);
}

/* A failure without a place gets that of the step; those of a word or a command have theirs. */
static int fail(struct stage_run *run, const struct step *step, unsigned id, struct err *err)
{
	auto_free char *prefix = str_format("%s:", step->ast->source.name);

	progress_finish(run->build->request->progress, id,
			err->kind == ERR_INTERRUPTED ? PROGRESS_CANCELED : PROGRESS_FAILED);
	if (err->kind != ERR_INTERRUPTED && err->kind != ERR_BUG &&
	    strncmp(err->text, prefix, strlen(prefix)) != 0)
		step_locate(err, step, NULL);
	if (err->kind != ERR_INTERRUPTED)
		name_stage(run, err);
	return -1;
}

/* The stage that @step takes files from at place *at or later, past which it is put; false: none.
 */
static bool step_needs(const struct step *step, size_t *at, size_t *out_index)
{
	if (step->kind == STEP_COPY && step->copy.from == COPY_FROM_STAGE && *at == 0) {
		*out_index = step->copy.from_index;
		*at = 1;
		return true;
	}
	while (step->kind == STEP_RUN && *at < step->run.mount_count) {
		const struct plan_mount *mount = &step->run.mounts[(*at)++];

		if (mount->from != COPY_FROM_STAGE)
			continue;
		*out_index = mount->from_index;
		return true;
	}
	return false;
}

void stage_add_needs(struct build *build)
{
	const struct plan *plan = build->plan;
	size_t need;

	for (size_t i = 0; i < plan->stage_count; i++) {
		const struct plan_stage *stage = plan->stages[i];
		size_t first = 0;
		size_t at = 0;

		if (stage->base == BASE_STAGE)
			graph_add_need(build->graph, i, stage->base_index);
		/* what its first step waits for, it can as well wait for before it begins */
		while (first < stage->step_count && stage->steps[first]->kind == STEP_CONFIG)
			first++;
		while (first < stage->step_count && step_needs(stage->steps[first], &at, &need))
			graph_add_need(build->graph, i, need);
	}
}

/* Nothing is kept open for a wait: many stages may wait for one. */
static int wait_for_needs(struct stage_run *run, const struct step *step, struct err *err)
{
	size_t at = 0;
	size_t need;

	while (step_needs(step, &at, &need)) {
		if (graph_is_done(run->build->graph, need))
			continue;
		init_room_release(&run->init);
		chain_close(&run->result->chain);
		if (graph_wait(run->build->graph, need, err) < 0)
			return -1;
	}
	return 0;
}

int stage_view(struct build *build, size_t index, struct err *err)
{
	struct chain *chain = &build->results[index].chain;
	int fd;

	pthread_mutex_lock(&build->lock);
	fd = chain_view(chain, err);
	chain_close_layers(chain);
	pthread_mutex_unlock(&build->lock);
	return fd;
}

/* What the step that was just done adds to the image, if somebody wants to know. */
static int report_sizes(struct stage_run *run, const char *title,
			const struct step_outcome *outcome, unsigned id, struct err *err)
{
	const struct build_request *request = run->build->request;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct report_step step = { .stage = (size_t)(run->result - run->build->results),
				    .number = run->shown,
				    .is_cached = outcome->is_cached };

	if (!request->sizes)
		return 0;
	step.title = str_dup(title);
	if (report_add(request->sizes, &run->result->chain, &step, &text, err) < 0)
		return err_prefix(err, "look at the layer of '%s'", title);
	if (request->shows_sizes)
		progress_output(request->progress, id, text.data, text.len);
	return 0;
}

static int layer_step(struct stage_run *run, const struct step *step, struct err *err)
{
	struct progress *progress = run->build->request->progress;
	auto_free char *title = shown_title(run, step->title);
	struct step_outcome outcome = { .is_cached = false };
	unsigned id;
	int result;

	if (wait_for_needs(run, step, err) < 0 ||
	    copy_check_interrupt(run->build->request->interrupt_fd, err) < 0)
		return -1;
	id = progress_begin(progress, title);
	result = perform(run, step, id, &outcome, err);
	claims_drop(&run->build->claims, run);
	if (result < 0)
		return fail(run, step, id, err);
	chain_add(&run->result->chain, &outcome.result.layer);
	image_config_add_layer(&run->result->image, &outcome.result.layer.diff_id);
	run->result->key = outcome.key;
	add_history(run, step, &outcome);
	if (report_sizes(run, title, &outcome, id, err) < 0)
		return fail(run, step, id, err);
	progress_finish(progress, id, outcome.is_cached ? PROGRESS_CACHED : PROGRESS_DONE);
	return 0;
}

int stage_execute(struct build *build, size_t index, struct err *err)
{
	struct stage_run run = {
		.build = build,
		.plan = build->plan->stages[index],
		.result = &build->results[index],
		.init = INIT_ROOM_INIT,
		.spare = LAYER_DRAFT_INIT,
	};
	int result = 0;

	begin(&run);
	show_base(&run);
	for (size_t i = 0; i < run.plan->step_count && result == 0; i++) {
		const struct step *step = run.plan->steps[i];

		if (step->kind == STEP_CONFIG)
			add_history(&run, step, NULL);
		else
			result = layer_step(&run, step, err);
	}
	init_room_release(&run.init);
	layer_draft_release(&run.spare);
	chain_close(&run.result->chain);
	return result;
}
