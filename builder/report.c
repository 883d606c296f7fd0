/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what is told of the sizes of layers: which files make them large,
 * and which bytes need not have been shipped again.
 */
#include "builder/report.h"

#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/size.h"
#include "layers/changes.h"

#define SHOWN_LARGEST 3

static void file_release(struct report_file *file)
{
	free(file->path);
	*file = (struct report_file){ .path = NULL };
}

static void step_release(struct report_step *step)
{
	free(step->title);
	for (size_t i = 0; i < step->largest_count; i++)
		file_release(&step->largest[i]);
	file_release(&step->again);
}

void report_release(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		step_release(&report->steps[i]);
	free(report->steps);
	pthread_mutex_destroy(&report->lock);
}

/* ---- looking ---- */

static void add_largest(struct report_step *step, const char *path, uint64_t bytes)
{
	size_t at = step->largest_count;

	while (at > 0 && step->largest[at - 1].bytes < bytes)
		at--;
	if (at == REPORT_LARGEST || bytes == 0)
		return;
	if (step->largest_count == REPORT_LARGEST)
		file_release(&step->largest[--step->largest_count]);
	memmove(&step->largest[at + 1], &step->largest[at],
		(step->largest_count - at) * sizeof(step->largest[0]));
	step->largest[at] = (struct report_file){ .path = str_dup(path), .bytes = bytes };
	step->largest_count++;
}

static void add_again(struct report_step *step, const struct change *change)
{
	step->again_files++;
	step->again_bytes += change->new_bytes;
	step->again_fields |= change->fields;
	if (step->again.path && step->again.bytes >= change->new_bytes)
		return;
	file_release(&step->again);
	step->again =
		(struct report_file){ .path = str_dup(change->path), .bytes = change->new_bytes };
}

static int note(void *context, const struct change *change, struct err *err)
{
	struct report_step *step = context;

	if (change->kind == CHANGE_DELETED || !S_ISREG(change->new_mode))
		return 0;
	if (change->kind == CHANGE_CHANGED && !(change->fields & (CHANGE_TYPE | CHANGE_CONTENT))) {
		if (change->new_bytes > 0)
			add_again(step, change);
		return 0;
	}
	add_largest(step, change->path, change->new_bytes);
	return 0;
}

static int look(const struct chain *chain, struct report_step *step, struct err *err)
{
	const struct layer *layer = &chain->layers[chain->count - 1];
	auto_chain struct chain below = CHAIN_INIT;
	auto_chain struct chain whole = CHAIN_INIT;
	auto_close int layer_fd = -1;
	struct changes_input input = { .layers = &layer_fd,
				       .layer_count = 1,
				       .ns = store_overlay_ns(chain->store) };

	if (layer->entries == 0)
		return 0;
	chain_init(&below, chain->store);
	for (size_t i = 0; i + 1 < chain->count; i++)
		chain_add(&below, &chain->layers[i]);
	chain_init(&whole, chain->store);
	chain_copy(&whole, chain);
	layer_fd = layer_open(chain->store, layer, err);
	if (layer_fd < 0)
		return -1;
	input.old_fd = chain_view(&below, err);
	input.new_fd = input.old_fd < 0 ? -1 : chain_view(&whole, err);
	return input.new_fd < 0 ? -1 : changes_find(&input, note, step, err);
}

/* ---- telling ---- */

static void format_fields(unsigned fields, struct strbuf *out)
{
	const char *separator = "";

	for (unsigned i = 0; i < CHANGE_FIELD_COUNT; i++) {
		if (!(fields & (1u << i)))
			continue;
		strbuf_printf(out, "%s%s", separator, change_field_name(i));
		separator = ", ";
	}
}

/* How the same could be had without the bytes. */
static void format_advice(unsigned fields, struct strbuf *out)
{
	if (fields & CHANGE_OWNER)
		strbuf_puts(out, "COPY --chown gives files their owner");
	if (fields & CHANGE_MODE)
		strbuf_printf(out, "%sCOPY --chmod gives %s mode", out->len > 0 ? ", " : "",
			      out->len > 0 ? "them their" : "files their");
	strbuf_printf(out, "%sdo it in the RUN that makes the files", out->len > 0 ? "; or " : "");
}

static void format_text(const struct report_step *step, struct strbuf *out)
{
	char size[16];

	strbuf_printf(out, "layer: %s, %llu entries\n", size_text(step->bytes, size),
		      (unsigned long long)step->entries);
	for (size_t i = 0; i < step->largest_count && i < SHOWN_LARGEST; i++)
		strbuf_printf(out, "  %s /%s\n", size_text(step->largest[i].bytes, size),
			      step->largest[i].path);
	if (step->again_files == 0)
		return;
	strbuf_printf(out, "  %s shipped again, of %llu file%s (/%s) that changed only in: ",
		      size_text(step->again_bytes, size), (unsigned long long)step->again_files,
		      step->again_files == 1 ? "" : "s", step->again.path);
	format_fields(step->again_fields, out);
	strbuf_puts(out, "\n    to save that: ");
	format_advice(step->again_fields, out);
	strbuf_putc(out, '\n');
}

int report_add(struct report *report, const struct chain *chain, const struct report_step *step,
	       struct strbuf *out_text, struct err *err)
{
	const struct layer *layer = &chain->layers[chain->count - 1];
	struct report_step added = *step;

	added.diff_id = layer->diff_id;
	added.bytes = layer->content_bytes;
	added.entries = layer->entries;
	if (look(chain, &added, err) < 0) {
		step_release(&added);
		return -1;
	}
	format_text(&added, out_text);
	pthread_mutex_lock(&report->lock);
	report->steps = mem_resize(report->steps, report->count + 1, sizeof(added));
	report->steps[report->count++] = added;
	pthread_mutex_unlock(&report->lock);
	return 0;
}

/* ---- JSON ---- */

static int by_place(const void *a, const void *b)
{
	const struct report_step *x = a;
	const struct report_step *y = b;

	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static char *absolute(const char *path)
{
	return str_format("/%s", path);
}

static struct json *again_json(const struct report_step *step)
{
	auto_strbuf struct strbuf advice = STRBUF_INIT;
	auto_free char *path = absolute(step->again.path);
	struct json *json = json_object();
	struct json *fields = json_array();

	for (unsigned i = 0; i < CHANGE_FIELD_COUNT; i++)
		if (step->again_fields & (1u << i))
			json_append(fields, json_new_string(change_field_name(i)));
	format_advice(step->again_fields, &advice);
	json_set_int(json, "files", (int64_t)step->again_files);
	json_set_int(json, "size", (int64_t)step->again_bytes);
	json_set(json, "fields", fields);
	json_set_string(json, "largest", path);
	json_set_string(json, "advice", advice.data);
	return json;
}

static struct json *step_json(const struct report_step *step)
{
	struct json *json = json_object();
	struct json *largest = json_array();
	char name[DIGEST_NAME_MAX];

	for (size_t i = 0; i < step->largest_count; i++) {
		auto_free char *path = absolute(step->largest[i].path);
		struct json *file = json_object();

		json_set_string(file, "path", path);
		json_set_int(file, "size", (int64_t)step->largest[i].bytes);
		json_append(largest, file);
	}
	json_set_string(json, "title", step->title);
	json_set_string(json, "diffId", digest_name(&step->diff_id, name));
	json_set_bool(json, "cached", step->is_cached);
	json_set_int(json, "size", (int64_t)step->bytes);
	json_set_int(json, "entries", (int64_t)step->entries);
	json_set(json, "largest", largest);
	if (step->again_files > 0)
		json_set(json, "again", again_json(step));
	return json;
}

void report_format(struct report *report, struct strbuf *out)
{
	auto_json struct json *json = json_object();
	struct json *steps = json_array();
	uint64_t bytes = 0;
	uint64_t again = 0;

	if (report->count > 0)
		qsort(report->steps, report->count, sizeof(report->steps[0]), by_place);
	for (size_t i = 0; i < report->count; i++) {
		json_append(steps, step_json(&report->steps[i]));
		bytes += report->steps[i].bytes;
		again += report->steps[i].again_bytes;
	}
	json_set(json, "steps", steps);
	json_set_int(json, "size", (int64_t)bytes);
	json_set_int(json, "again", (int64_t)again);
	json_format_pretty(json, out);
	strbuf_putc(out, '\n');
}
