/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for --verify: a second build, what of it differs, and that nothing of
 * it stays. Where two layers differ is layers/compare's to find.
 */
#include "builder/verify.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builder/built.h"
#include "builder/copy.h"
#include "builder/history.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"
#include "layers/compare.h"

#define LABEL_MAX 60

/* ---- the configuration ---- */

static void say_value(const struct json *value, struct strbuf *out)
{
	if (value)
		json_format(value, out);
	else
		strbuf_puts(out, "nothing");
}

static size_t compare_values(struct strbuf *path, const struct json *a, const struct json *b,
			     struct strbuf *out);

static size_t compare_member(struct strbuf *path, const char *key, const struct json *a,
			     const struct json *b, struct strbuf *out)
{
	size_t len = path->len;
	size_t count;

	strbuf_printf(path, "%s%s", len > 0 ? "." : "", key);
	count = compare_values(path, a, b, out);
	strbuf_truncate(path, len);
	return count;
}

static size_t compare_objects(struct strbuf *path, const struct json *a, const struct json *b,
			      struct strbuf *out)
{
	size_t count = 0;

	for (size_t i = 0; i < json_count(a); i++) {
		const char *key = json_key_at(a, i);

		count += compare_member(path, key, json_value_at(a, i), json_get(b, key), out);
	}
	for (size_t i = 0; i < json_count(b); i++) {
		const char *key = json_key_at(b, i);

		if (!json_get(a, key))
			count += compare_member(path, key, NULL, json_value_at(b, i), out);
	}
	return count;
}

static size_t compare_arrays(struct strbuf *path, const struct json *a, const struct json *b,
			     struct strbuf *out)
{
	size_t length = json_count(a) > json_count(b) ? json_count(a) : json_count(b);
	size_t count = 0;

	for (size_t i = 0; i < length; i++) {
		size_t len = path->len;

		strbuf_printf(path, "[%zu]", i);
		count += compare_values(path, json_at(a, i), json_at(b, i), out);
		strbuf_truncate(path, len);
	}
	return count;
}

static size_t compare_values(struct strbuf *path, const struct json *a, const struct json *b,
			     struct strbuf *out)
{
	auto_strbuf struct strbuf a_text = STRBUF_INIT;
	auto_strbuf struct strbuf b_text = STRBUF_INIT;

	if (json_is_object(a) && json_is_object(b))
		return compare_objects(path, a, b, out);
	if (json_is_array(a) && json_is_array(b))
		return compare_arrays(path, a, b, out);
	say_value(a, &a_text);
	say_value(b, &b_text);
	/* the layers have lines of their own */
	if (strcmp(a_text.data, b_text.data) == 0 ||
	    strncmp(path->data, "rootfs.", strlen("rootfs.")) == 0)
		return 0;
	strbuf_printf(out, "%s: %s vs %s\n", path->data, a_text.data, b_text.data);
	return 1;
}

size_t verify_configs(const struct image_config *first, const struct image_config *second,
		      struct strbuf *out)
{
	const struct image_config *configs[] = { first, second };
	struct json *documents[] = { NULL, NULL };
	auto_strbuf struct strbuf path = STRBUF_INIT;
	size_t count;

	for (size_t i = 0; i < 2; i++) {
		auto_strbuf struct strbuf text = STRBUF_INIT;
		struct err impossible = ERR_INIT;

		image_config_format(configs[i], &text);
		documents[i] = json_parse(text.data, text.len, "config", &impossible);
	}
	count = compare_objects(&path, documents[0], documents[1], out);
	json_unref(documents[0]);
	json_unref(documents[1]);
	return count;
}

/* ---- the layers ---- */

/* "layer 3 (RUN date >/x)", counted from the lowest. */
static void say_layer(const struct image_config *config, size_t index, struct strbuf *out)
{
	size_t layer = 0;
	const char *word = "";
	const char *by = NULL;
	const char *end;
	size_t len;

	for (size_t i = 0; i < config->history_count && !by; i++)
		if (!config->history[i].empty_layer && layer++ == index)
			by = config->history[i].created_by ? config->history[i].created_by : "";
	strbuf_printf(out, "layer %zu", index + 1);
	if (!by || !by[0])
		return;
	if (strncmp(by, "RUN /bin/sh -c ", strlen("RUN /bin/sh -c ")) == 0) {
		word = "RUN ";
		by += strlen("RUN /bin/sh -c ");
	}
	end = strstr(by, HISTORY_LAYER_SUFFIX);
	len = strcspn(by, "\n");
	if (end && (size_t)(end - by) < len)
		len = (size_t)(end - by);
	strbuf_printf(out, " (%s%.*s%s)", word, (int)(len < LABEL_MAX ? len : LABEL_MAX), by,
		      len < LABEL_MAX && by[len] != '\n' ? "" : "...");
}

static int compare_layer(struct store *store, const struct built_image *first,
			 const struct built_image *second, size_t index, struct strbuf *out,
			 struct err *err)
{
	auto_close int first_fd = layer_open(store, &first->layers[index], err);
	auto_close int second_fd =
		first_fd < 0 ? -1 : layer_open(store, &second->layers[index], err);
	bool differ = false;

	if (second_fd < 0)
		return -1;
	say_layer(&first->config, index, out);
	strbuf_puts(out, ": ");
	if (compare_layers(first_fd, second_fd, store_overlay_ns(store), &differ, out, err) < 0)
		return -1;
	if (!differ)
		return err_set(err, ERR_BUG, "two digests of one layer");
	strbuf_putc(out, '\n');
	return 0;
}

static int compare_images(struct store *store, const struct built_image *first,
			  const struct built_image *second, struct strbuf *out, size_t *out_count,
			  struct err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < first->layer_count && i < second->layer_count; i++) {
		if (digest_equal(&first->layers[i].diff_id, &second->layers[i].diff_id))
			continue;
		count++;
		if (compare_layer(store, first, second, i, out, err) < 0)
			return -1;
	}
	if (first->layer_count != second->layer_count) {
		count++;
		strbuf_printf(out, "%zu layers vs %zu\n", first->layer_count, second->layer_count);
	}
	*out_count += count + verify_configs(&first->config, &second->config, out);
	return 0;
}

/* With several platforms each line says of which. */
static int compare_all(const struct build_request *request, const struct built *first,
		       const struct built *second, struct strbuf *out, size_t *out_count,
		       struct err *err)
{
	for (size_t i = 0; i < first->image_count; i++) {
		auto_strbuf struct strbuf lines = STRBUF_INIT;
		char *rest;
		const char *line;

		if (compare_images(request->store, &first->images[i], &second->images[i], &lines,
				   out_count, err) < 0)
			return -1;
		rest = lines.len > 0 ? lines.data : NULL;
		while ((line = strsep(&rest, "\n")) && line[0]) {
			if (first->image_count > 1) {
				platform_format(&request->platforms.targets[i], out);
				strbuf_puts(out, ": ");
			}
			strbuf_printf(out, "%s\n", line);
		}
	}
	return 0;
}

/* ---- what is left behind ---- */

static bool has_layer(const struct layer *layers, size_t count, const struct layer *layer)
{
	for (size_t i = 0; i < count; i++)
		if (digest_equal(&layers[i].id, &layer->id))
			return true;
	return false;
}

static bool is_in(const struct built *built, const struct layer *layer)
{
	for (size_t i = 0; i < built->image_count; i++)
		if (has_layer(built->images[i].layers, built->images[i].layer_count, layer))
			return true;
	return has_layer(built->others, built->other_count, layer);
}

static void note_new(const struct built *first, const struct layer *layers, size_t count,
		     struct layer **out, size_t *out_count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_in(first, &layers[i]) || has_layer(*out, *out_count, &layers[i]))
			continue;
		*out = mem_resize(*out, *out_count + 1, sizeof(**out));
		(*out)[(*out_count)++] = layers[i];
	}
}

static int discard(struct store *store, const struct built *first, const struct built *second,
		   struct err *err)
{
	auto_free struct layer *layers = NULL;
	size_t count = 0;

	for (size_t i = 0; i < second->image_count; i++)
		note_new(first, second->images[i].layers, second->images[i].layer_count, &layers,
			 &count);
	note_new(first, second->others, second->other_count, &layers, &count);
	return layer_discard(store, layers, count, err);
}

/* ---- two builds ---- */

static struct timespec now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time;
}

/* What a step writes of the clock is the same if both are done within a second. */
static int wait_for_next_second(const struct timespec *begin, int interrupt_fd, struct err *err)
{
	struct pollfd wait = { .fd = interrupt_fd, .events = POLLIN };

	for (;;) {
		struct timespec at = now(CLOCK_MONOTONIC);
		int64_t passed_ms = (at.tv_sec - begin->tv_sec) * 1000 +
				    (at.tv_nsec - begin->tv_nsec) / 1000000;

		if (copy_check_interrupt(interrupt_fd, err) < 0)
			return -1;
		if (passed_ms >= 1100)
			return 0;
		poll(&wait, 1, (int)(1100 - passed_ms) + 1);
	}
}

static int make_twice(const struct build_request *request, struct built *first,
		      struct built *second, struct err *err)
{
	auto_check_report struct check_report said = CHECK_REPORT_INIT;
	struct timespec begin = now(CLOCK_MONOTONIC);
	struct build_request again = *request;

	if (build_make(request, first, err) < 0 ||
	    wait_for_next_second(&begin, request->interrupt_fd, err) < 0)
		return -1;
	again.forgets = true;
	again.sizes = NULL;
	again.report = &said;
	if (build_make(&again, second, err) < 0)
		return err_prefix(err, "the second build");
	return 0;
}

int verify_run(const struct build_request *request, struct strbuf *out_report,
	       struct digest *out_image_id, struct err *err)
{
	auto_built struct built first = BUILT_INIT;
	auto_built struct built second = BUILT_INIT;
	struct build_request fresh = *request;
	size_t count = 0;

	fresh.no_cache = true;
	if (!fresh.has_epoch) {
		fresh.has_epoch = true;
		fresh.epoch = now(CLOCK_REALTIME).tv_sec;
		if (!fresh.keeps_file_times)
			fresh.file_times = FILE_TIMES_CLAMP;
	}
	if (make_twice(&fresh, &first, &second, err) < 0 ||
	    compare_all(request, &first, &second, out_report, &count, err) < 0 ||
	    discard(request->store, &first, &second, err) < 0)
		return -1;
	if (count > 0)
		return err_set(err, ERR_INPUT, "two builds came to two images: %zu difference%s",
			       count, count == 1 ? "" : "s");
	return built_record(&first, request, out_image_id, err);
}
