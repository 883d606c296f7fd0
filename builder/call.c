/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for questions to a Buildfile: which one is meant, what is known of base images
 * without fetching any, and in which form the answer is given.
 */
#include "builder/call.h"

#include <stdlib.h>
#include <string.h>

#include "builder/check.h"
#include "builder/outline.h"
#include "builder/value.h"
#include "common/mem.h"
#include "storage/image.h"

static int parse_option(const char *option, struct call *out, struct err *err)
{
	if (strcmp(option, "format=json") == 0)
		out->is_json = true;
	else if (strcmp(option, "format=text") == 0)
		out->is_json = false;
	else if (strcmp(option, "ignorestatus") == 0)
		out->ignores_status = true;
	else if (strncmp(option, "ignorestatus=", 13) != 0)
		return err_set(err, ERR_USAGE,
			       "--call: '%s' is none of format=text, format=json, ignorestatus",
			       option);
	else if (value_bool(option + 13, &out->ignores_status, err) < 0)
		return err_set(err, ERR_USAGE, "--call: '%s' is neither true nor false",
			       option + 13);
	return 0;
}

static int parse_method(const char *name, struct call *out, struct err *err)
{
	static const char *const names[] = { "build", "check", "outline", "targets" };

	for (unsigned i = 0; i < 4; i++) {
		if (strcmp(name, names[i]) == 0) {
			out->method = (enum call_method)i;
			return 0;
		}
	}
	if (strcmp(name, "lint") != 0)
		return err_set(err, ERR_USAGE,
			       "--call: '%s' is none of build, check, outline, targets", name);
	out->method = CALL_CHECK;
	return 0;
}

int call_parse(const char *text, struct call *out, struct err *err)
{
	auto_free char *copy = str_dup(text ? text : "build");
	struct call made = CALL_INIT;
	char *rest = NULL;
	const char *part = strtok_r(copy, ",", &rest);

	if (parse_method(part ? part : "", &made, err) < 0)
		return -1;
	while ((part = strtok_r(NULL, ",", &rest)))
		if (parse_option(part, &made, err) < 0)
			return -1;
	*out = made;
	return 0;
}

/* ---- what is known of images ---- */

struct known_image {
	char *name;
	struct platform platform; /* that was asked for */
	bool is_found;
	struct image image;
};

struct images {
	struct store *store; /* or NULL */
	struct known_image **items;
	size_t count;
	struct image_config unknown; /* stands for those that are not in the store */
};

static void images_release(struct images *images)
{
	for (size_t i = 0; i < images->count; i++) {
		free(images->items[i]->name);
		platform_release(&images->items[i]->platform);
		image_release(&images->items[i]->image);
		free(images->items[i]);
	}
	free(images->items);
	image_config_release(&images->unknown);
}

static const struct image_config *find_image(void *context, const char *name,
					     const struct platform *platform)
{
	struct images *images = context;
	struct known_image *known;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < images->count; i++)
		if (strcmp(images->items[i]->name, name) == 0 &&
		    platform_is_same(&images->items[i]->platform, platform))
			return images->items[i]->is_found ? &images->items[i]->image.config : NULL;
	if (!images->store)
		return NULL;
	known = mem_alloc(sizeof(*known));
	known->name = str_dup(name);
	platform_copy(&known->platform, platform);
	/* a name that is none is plan_make's or the registry's to refuse */
	if (image_find(images->store, name, platform, &known->is_found, &known->image, &ignored) <
	    0)
		known->is_found = false;
	images->items = mem_resize(images->items, images->count + 1, sizeof(struct known_image *));
	images->items[images->count++] = known;
	return known->is_found ? &known->image.config : NULL;
}

static int get_image(void *context, const char *name, const struct platform *platform,
		     const struct image_config **out_config, size_t *out_index, struct err *err)
{
	struct images *images = context;
	const struct image_config *found = find_image(context, name, platform);

	(void)err; /* nothing is asked here that could fail */
	*out_config = found ? found : &images->unknown;
	*out_index = 0;
	return 0;
}

static struct plan_input plan_input(const struct build_request *request, struct images *images)
{
	return (struct plan_input){
		.ast = request->ast,
		.build_args = request->build_args,
		.labels = request->labels,
		.target = request->target,
		.platforms = &request->platforms,
		.named = request->named,
		.changes = request->changes,
		.get_image = get_image,
		.context = images,
	};
}

/* ---- answers ---- */

static void put_json(struct json *take, struct strbuf *out)
{
	json_format_pretty(take, out);
	strbuf_putc(out, '\n');
	json_unref(take);
}

/* The stages that a target needs: all of them when none is named. */
static bool *needed_stages(const struct build_request *request, const struct plan *plan)
{
	bool *needed;

	if (!request->target || !plan)
		return NULL;
	needed = mem_array(request->ast->stage_count, sizeof(bool));
	for (size_t i = 0; i < plan->stage_count; i++)
		needed[plan->stages[i]->number] = true;
	return needed;
}

static int answer_check(const struct call *call, const struct build_request *request,
			struct images *images, struct strbuf *out, bool *out_found, struct err *err)
{
	struct plan_input input = plan_input(request, images);
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	auto_plan struct plan *plan = NULL;
	auto_free bool *needed = NULL;
	struct check_input check = {
		.ast = request->ast,
		.build_args = request->build_args,
		.target = request->target,
		.platforms = &request->platforms,
		.named = request->named,
		.ignore = request->context ? &request->context->ignore : NULL,
		.find_image = find_image,
		.context = images,
	};
	struct err failure = ERR_INIT;
	int result;

	input.all_stages = !request->target;
	plan = plan_make(&input, &failure);
	check.needed = needed = needed_stages(request, plan);
	result = check_run(&check, &report, err);
	if (!plan) {
		/* what stops the build is said first; what else was found, before it */
		*err = failure;
		result = -1;
	}
	*out_found = report.count > 0;
	if (call->is_json)
		put_json(check_to_json(&report, request->ast, result < 0 ? err : NULL), out);
	else if (result == 0 || report.count > 0)
		check_print_long(&report, request->ast, out);
	return result < 0 ? -1 : check_verdict(&report, err);
}

static int answer_outline(const struct call *call, const struct build_request *request,
			  struct images *images, struct strbuf *out, struct err *err)
{
	/* nothing in it depends on how many there are */
	struct platforms first = request->platforms;
	struct plan_input input = plan_input(request, images);
	auto_outline struct outline outline = OUTLINE_INIT;

	first.count = 1;
	first.is_index = false;
	input.platforms = &first;

	if (outline_make(&input, &outline, err) < 0)
		return -1;
	if (call->is_json)
		put_json(outline_to_json(&outline), out);
	else
		outline_print(&outline, out);
	return 0;
}

static int answer(const struct call *call, const struct build_request *request,
		  struct images *images, struct strbuf *out, bool *out_found, struct err *err)
{
	switch (call->method) {
	case CALL_BUILD:
		break;
	case CALL_CHECK:
		return answer_check(call, request, images, out, out_found, err);
	case CALL_OUTLINE:
		return answer_outline(call, request, images, out, err);
	case CALL_TARGETS:
		if (call->is_json)
			put_json(targets_to_json(request->ast), out);
		else
			targets_print(request->ast, out);
		return 0;
	}
	return err_set(err, ERR_BUG, "a build is no question");
}

int call_answer(const struct call *call, const struct build_request *request, struct strbuf *out,
		bool *out_found, struct err *err)
{
	struct images images = { .store = request->store };
	int result;

	*out_found = false;
	result = answer(call, request, &images, out, out_found, err);
	images_release(&images);
	return result;
}

void call_answer_unread(const struct call *call, const struct err *failure, struct strbuf *out)
{
	static const struct check_report nothing = CHECK_REPORT_INIT;

	if (call->method == CALL_CHECK && call->is_json)
		put_json(check_to_json(&nothing, NULL, failure), out);
}
