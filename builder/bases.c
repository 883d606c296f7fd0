/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for bringing several images of a Buildfile at the same time: which these are, a plan
 * tells that is made as if every image were empty.
 */
#include "builder/bases.h"

#include <stdlib.h>
#include <string.h>

#include "common/crew.h"
#include "common/mem.h"

#define PULLS_MAX 4

/* What the plan of no images asks for. */
struct asking {
	const struct build_request *request;
	struct bases *bases;
	struct image_config empty;
};

void bases_release(struct bases *bases)
{
	for (size_t i = 0; i < bases->count; i++) {
		free(bases->items[i].name);
		platform_release(&bases->items[i].platform);
		strbuf_release(&bases->items[i].found_by);
	}
	free(bases->items);
	*bases = (struct bases)BASES_INIT;
}

static struct base *find(const struct bases *bases, const char *name,
			 const struct platform *platform)
{
	for (size_t i = 0; i < bases->count; i++)
		if (strcmp(bases->items[i].name, name) == 0 &&
		    platform_is_same(&bases->items[i].platform, platform))
			return &bases->items[i];
	return NULL;
}

const struct base *bases_find(const struct bases *bases, const char *name,
			      const struct platform *platform)
{
	const struct base *base = find(bases, name, platform);

	return base && base->is_tried ? base : NULL;
}

static int note_image(void *context, const char *name, const struct platform *platform,
		      const struct image_config **out_config, size_t *out_index, struct err *err)
{
	struct asking *asking = context;
	struct bases *bases = asking->bases;
	auto_free char *wanted = NULL;
	struct base *base;

	if (policy_image(asking->request->policy, name, &wanted, err) < 0)
		return -1;
	*out_config = &asking->empty;
	*out_index = 0;
	if (find(bases, wanted, platform))
		return 0;
	bases->items = mem_resize(bases->items, bases->count + 1, sizeof(*bases->items));
	base = &bases->items[bases->count++];
	*base = (struct base){ .name = ptr_steal(&wanted), .found_by = STRBUF_INIT };
	platform_copy(&base->platform, platform);
	return 0;
}

static void ask(const struct build_request *request, const struct plan_input *input,
		struct bases *bases)
{
	struct asking asking = { .request = request, .bases = bases };
	struct plan_input dry = *input;
	auto_plan struct plan *plan = NULL;
	struct err ignored = ERR_INIT;

	dry.get_image = note_image;
	dry.check_runs = NULL;
	dry.context = &asking;
	plan = plan_make(&dry, &ignored);
	image_config_release(&asking.empty);
}

/* ---- bringing them ---- */

struct bringing {
	const struct image_pull *pull;
	struct bases *bases;
};

static int bring(void *context, size_t index, struct err *err)
{
	const struct bringing *bringing = context;
	struct base *base = &bringing->bases->items[index];

	base->is_tried = true;
	base->has_failed = image_pull_ensure(bringing->pull, base->name, &base->platform,
					     &base->found_by, &base->err) < 0;
	if (!base->has_failed)
		return 0;
	/* no further one is begun */
	*err = base->err;
	return -1;
}

/* Those that are here, or cannot be pulled, are left to the plan. */
static int leave_needed(const struct image_pull *pull, struct bases *bases, struct err *err)
{
	struct bases needed = BASES_INIT;
	int result = 0;

	needed.items = mem_array(bases->count + 1, sizeof(*needed.items));
	for (size_t i = 0; i < bases->count && result == 0; i++) {
		struct base *base = &bases->items[i];
		bool is_needed = false;

		result = image_pull_is_needed(pull, base->name, &base->platform, &is_needed, err);
		if (!is_needed)
			continue;
		needed.items[needed.count++] = *base;
		*base = (struct base){ .found_by = STRBUF_INIT };
	}
	bases_release(bases);
	*bases = needed;
	return result;
}

int bases_bring(const struct build_request *request, const struct plan_input *input,
		struct bases *out, struct err *err)
{
	const struct image_pull pull = build_image_pull(request);
	struct bringing bringing = { .pull = &pull, .bases = out };
	struct err ignored = ERR_INIT;
	size_t threads = request->jobs > 0 && request->jobs < PULLS_MAX ? request->jobs : PULLS_MAX;

	if (pull.when == PULL_NEVER || threads == 1)
		return 0;
	ask(request, input, out);
	if (out->count < 2)
		return 0;
	if (leave_needed(&pull, out, err) < 0)
		return -1;
	if (out->count > 1)
		(void)crew_run(out->count, threads, bring, &bringing, &ignored);
	return 0;
}
