/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore check: is the store what it says it is, and what is done when it is not. */
#include <inttypes.h>
#include <stdio.h>

#include "storage/check.h"
#include "storage/cmd-internal.h"
#include "storage/meter-internal.h"

struct values {
	const char *root;
	const char *format;
	bool repair;
};

static void show_progress(void *context, uint64_t done_bytes, uint64_t all_bytes)
{
	meter_show(context, done_bytes, all_bytes);
}

/* ---- what was found ---- */

static const char *state_name(const struct check_finding *finding)
{
	switch (finding->state) {
	case CHECK_REPAIRED:
		return "repaired";
	case CHECK_LOST:
		return "lost";
	case CHECK_FOUND:
		break;
	}
	switch (finding->fault) {
	case CHECK_LEFTOVER:
		return "leftover";
	case CHECK_UNSYNCED:
		return "unsynced";
	case CHECK_UNPROVEN:
		return "unproven";
	case CHECK_ELSEWHERE:
		return "elsewhere";
	case CHECK_DATABASE:
	case CHECK_LAYER:
	case CHECK_BLOB:
	case CHECK_IMAGE:
	case CHECK_MANIFEST:
	case CHECK_INDEX:
	case CHECK_NAME:
	case CHECK_CONTAINER:
		break;
	}
	return "damaged";
}

static struct json *finding_json(const struct check_finding *finding)
{
	struct json *json = json_object();

	json_set_string(json, "State", state_name(finding));
	json_set_string(json, "Kind", finding->kind);
	json_set_string(json, "Id", finding->id);
	json_set_string(json, "Problem", finding->problem);
	json_set_strlist(json, "Images", &finding->images);
	json_set_string(json, "Outcome", finding->outcome);
	return json;
}

static void print_json(const struct check_report *report)
{
	struct json *json = json_object();
	struct json *findings = json_array();

	for (size_t i = 0; i < report->count; i++)
		json_append(findings, finding_json(&report->items[i]));
	json_set_bool(json, "Clean", check_damage_count(report) == 0);
	json_set_int(json, "Images", (int64_t)report->images);
	json_set_int(json, "Layers", (int64_t)report->layers);
	json_set_int(json, "Blobs", (int64_t)report->blobs);
	json_set_int(json, "Bytes", (int64_t)report->bytes);
	json_set(json, "Findings", findings);
	json_set_strlist(json, "Lost", &report->lost);
	command_print_json(json);
}

static void print_list(const char *before, const struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		printf("%s%s", i ? ", " : before, list->items[i]);
}

static void print_lines(const struct check_report *report)
{
	char bytes[16];

	for (size_t i = 0; i < report->count; i++) {
		const struct check_finding *finding = &report->items[i];

		printf("%s: %s %s: %s", state_name(finding), finding->kind, finding->id,
		       finding->problem);
		print_list("; needed by ", &finding->images);
		if (finding->outcome)
			printf("; %s", finding->outcome);
		printf("\n");
	}
	if (report->lost.count > 0) {
		print_list("lost images: ", &report->lost);
		printf("\n");
	}
	printf("checked %" PRIu64 " images, %" PRIu64 " layers, %" PRIu64 " blobs (%s)\n",
	       report->images, report->layers, report->blobs, size_text(report->bytes, bytes));
}

static int check(const struct values *values, const struct strlist *images, struct err *err)
{
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	auto_store struct store *store = NULL;
	struct meter meter;
	struct check_options options = { .repair = values->repair,
					 .images = images,
					 .progress = show_progress,
					 .context = &meter };
	size_t damage;
	int result;

	if (userns_enter(&(struct userns){ 0 }, err) < 0 ||
	    store_open_as_is(values->root, &store, err) < 0)
		return -1;
	meter_begin(&meter, "checked");
	result = store_check(store, &options, &report, err);
	meter_end(&meter);
	if (result < 0)
		return -1;
	if (command_wants_json(values->format))
		print_json(&report);
	else
		print_lines(&report);
	damage = check_damage_count(&report);
	if (damage == 0)
		return 0;
	err_set(err, ERR_INPUT, "the store is damaged (%zu fault%s)", damage,
		damage == 1 ? "" : "s");
	if (!values->repair)
		err_detail(err,
			   "imgstore check --repair mends what can be mended, and removes what "
			   "cannot");
	return -1;
}

int cmd_check(int argc, char **argv)
{
	struct values values = { .root = NULL };
	const struct cmdline_option options[] = { { 0, "repair", OPTION_FLAG, &values.repair, NULL,
						    "mend what can be mended, remove what cannot",
						    NULL },
						  OPTION_FORMAT(&values.format),
						  OPTION_ROOT(&values.root),
						  OPTION_END };
	const struct cmdline cmdline = {
		.program = "imgstore check",
		.synopsis = "[OPTIONS] [IMAGE...]",
		.summary = "Read every layer and blob, or those of images, "
			   "and tell what is not as it was stored.\nChanges "
			   "nothing without --repair. Exits with 3 when there "
			   "is damage that was not repaired.",
		.options = options,
		.max_args = SIZE_MAX
	};
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		check(&values, &args, &err);
	return command_end(&err);
}
