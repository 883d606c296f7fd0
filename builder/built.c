/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what comes out of the stages when all are done: the configuration
 * and layers of each image, and their record in the store, by name.
 */
#include "builder/built.h"

#include <stdlib.h>
#include <string.h>

#include "builder/history.h"
#include "builder/squash.h"
#include "common/mem.h"
#include "storage/image-index.h"
#include "storage/image.h"

/* The configuration that the plan came to, with the layers and history that were made. */
static void settle_config(struct build *build, size_t index, struct image_config *out)
{
	const struct build_request *request = build->request;
	const struct plan_stage *target = build->plan->stages[index];
	struct stage_result *made = &build->results[index];
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
	for (size_t i = 0; i < built->image_count; i++) {
		image_config_release(&built->images[i].config);
		free(built->images[i].layers);
	}
	free(built->images);
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

/* The image of stage @target; the layers that no image has are the others. */
static int take_image(struct build *build, size_t target, struct built *out,
		      struct built_image *image, bool *out_is_squashed, struct err *err)
{
	auto_chain struct chain squashed = CHAIN_INIT;
	struct chain *chain = &build->results[target].chain;

	settle_config(build, target, &image->config);
	if (build->request->squash != SQUASH_NONE &&
	    squash_layers(build, target, &image->config, &squashed, out_is_squashed, err) < 0)
		return -1;
	if (*out_is_squashed)
		add_layers(&out->others, &out->other_count, chain);
	add_layers(&image->layers, &image->layer_count, *out_is_squashed ? &squashed : chain);
	return 0;
}

static bool is_target(const struct plan *plan, size_t index)
{
	for (size_t i = 0; i < plan->target_count; i++)
		if (plan->targets[i] == index)
			return true;
	return false;
}

int built_take(struct built *out, struct build *build, struct err *err)
{
	const struct plan *plan = build->plan;

	out->images = mem_array(plan->target_count, sizeof(*out->images));
	out->image_count = plan->target_count;
	for (size_t i = 0; i < plan->target_count; i++) {
		bool is_squashed = false;

		if (take_image(build, plan->targets[i], out, &out->images[i], &is_squashed, err) <
		    0)
			return -1;
	}
	for (size_t i = 0; i < plan->stage_count; i++)
		if (!is_target(plan, i))
			add_layers(&out->others, &out->other_count, &build->results[i].chain);
	return 0;
}

/* The image for the platform of @index. */
static int record_image(const struct built *built, size_t index,
			const struct build_request *request, struct digest *out_id, struct err *err)
{
	auto_strlist struct strlist annotations = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	image_config_format(&built->images[index].config, &text);
	annotations_pick(&request->annotations, ANNOTATION_MANIFEST,
			 &request->platforms.targets[index], &annotations);
	if (image_put(request->store, text.data, text.len, NULL, 0, out_id, err) < 0)
		return -1;
	return image_annotate(request->store, out_id, &annotations, err);
}

/* An image for each platform, and what names them together. */
static int record_index(const struct built *built, const struct build_request *request,
			struct digest *out_id, struct err *err)
{
	size_t count = built->image_count;
	auto_free struct image_index_part *parts = mem_array(count, sizeof(*parts));
	auto_strlist struct strlist annotations = STRLIST_INIT;
	const struct image_index_request index = { .parts = parts,
						   .count = count,
						   .annotations = &annotations };
	int result = 0;

	annotations_pick(&request->annotations, ANNOTATION_INDEX, NULL, &annotations);
	for (size_t i = 0; i < count && result == 0; i++) {
		parts[i].platform = &request->platforms.targets[i];
		annotations_pick(&request->annotations, ANNOTATION_DESCRIPTOR, parts[i].platform,
				 &parts[i].annotations);
		result = record_image(built, i, request, &parts[i].image_id, err);
	}
	if (result == 0)
		result = image_index_make(request->store, &index, out_id, err);
	for (size_t i = 0; i < count; i++)
		strlist_release(&parts[i].annotations);
	return result;
}

int built_record(const struct built *built, const struct build_request *request,
		 struct digest *out_id, struct err *err)
{
	int result;

	if (request->is_unrecorded)
		return 0;
	result = request->platforms.is_index ? record_index(built, request, out_id, err)
					     : record_image(built, 0, request, out_id, err);
	for (size_t i = 0; i < request->tags->count && result == 0; i++)
		result = image_tag(request->store, out_id, request->tags->items[i], err);
	if (result < 0 || request->tags->count > 0)
		return result;
	return store_sync(request->store, err);
}
