/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgstore diff: what the last layer of an image changes, or in what two images
 * differ. Only what the layers that they do not share speak of is looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/changes.h"
#include "storage/cmd-internal.h"
#include "storage/image.h"
#include "storage/mount.h"

/* Layers with something in them, lowest first. */
struct tree {
	const struct layer *layers; /* borrowed */
	size_t count;
	int *fds; /* of those with entries */
	size_t fd_count;
	int view_fd;
};

static void tree_release(struct tree *tree)
{
	for (size_t i = 0; i < tree->fd_count; i++)
		fd_close(&tree->fds[i]);
	free(tree->fds);
	fd_close(&tree->view_fd);
}

static int tree_open(struct store *store, const struct layer *layers, size_t count,
		     struct tree *out, struct err *err)
{
	struct mount_request request = { .upper_fd = -1, .work_fd = -1 };

	out->layers = layers;
	out->count = count;
	for (size_t i = 0; i < count; i++) {
		int fd;

		if (layers[i].entries == 0)
			continue;
		fd = layer_open(store, &layers[i], err);
		if (fd < 0)
			return -1;
		out->fds = mem_resize(out->fds, out->fd_count + 1, sizeof(int));
		out->fds[out->fd_count++] = fd;
	}
	request.lowers = out->fds;
	request.lower_count = out->fd_count;
	out->view_fd = mount_layers(store, &request, err);
	return out->view_fd < 0 ? -1 : 0;
}

/* The layers above those that both trees have; the descriptors stay theirs. */
static void add_unshared(const struct tree *tree, size_t shared, int *fds, size_t *count)
{
	size_t next = 0;

	for (size_t i = 0; i < tree->count; i++) {
		if (tree->layers[i].entries == 0)
			continue;
		if (i >= shared)
			fds[(*count)++] = tree->fds[next];
		next++;
	}
}

static size_t count_shared(const struct tree *a, const struct tree *b)
{
	size_t n = 0;

	while (n < a->count && n < b->count && digest_equal(&a->layers[n].id, &b->layers[n].id))
		n++;
	return n;
}

static int find_changes(struct store *store, const struct tree *a, const struct tree *b,
			change_fn fn, void *context, struct err *err)
{
	auto_free int *fds = mem_array(a->fd_count + b->fd_count + 1, sizeof(int));
	size_t shared = count_shared(a, b);
	size_t count = 0;
	struct changes_input input = { .old_fd = a->view_fd,
				       .new_fd = b->view_fd,
				       .layers = fds,
				       .ns = store_overlay_ns(store) };

	add_unshared(a, shared, fds, &count);
	add_unshared(b, shared, fds, &count);
	input.layer_count = count;
	/* nothing to look at, which must not mean everything */
	return count > 0 ? changes_find(&input, fn, context, err) : 0;
}

/* ---- showing: as it is found, so that memory does not grow with what differs ---- */

#define ROWS_AT_ONCE 4096

static const char *type_text(mode_t mode)
{
	if (S_ISREG(mode))
		return "file";
	if (S_ISDIR(mode))
		return "directory";
	if (S_ISLNK(mode))
		return "symlink";
	if (S_ISFIFO(mode))
		return "fifo";
	return S_ISBLK(mode) ? "block device" : "character device";
}

static void add_fields(unsigned fields, struct strbuf *out)
{
	for (unsigned i = 0; i < CHANGE_FIELD_COUNT; i++)
		if (fields & (1u << i))
			strbuf_printf(out, "%s%s", out->len > 0 ? "," : "", change_field_name(i));
}

/* "5B", or "5B -> 7B"; nothing for what has no size. */
static void add_size(const struct change *change, struct strbuf *out)
{
	char buf[16];

	if (S_ISREG(change->old_mode) && change->kind != CHANGE_ADDED)
		strbuf_puts(out, size_text(change->old_bytes, buf));
	if (!S_ISREG(change->new_mode) || (change->kind == CHANGE_CHANGED && out->len > 0 &&
					   change->old_bytes == change->new_bytes))
		return;
	if (out->len > 0)
		strbuf_puts(out, " -> ");
	strbuf_puts(out, size_text(change->new_bytes, buf));
}

static int add_row(void *context, const struct change *change, struct err *err)
{
	static const char letters[] = { 'A', 'C', 'D' };
	struct table *table = context;
	auto_strbuf struct strbuf fields = STRBUF_INIT;
	auto_strbuf struct strbuf size = STRBUF_INIT;
	auto_free char *path = str_format("/%s", change->path);
	const char letter[] = { letters[change->kind], '\0' };

	add_fields(change->fields, &fields);
	add_size(change, &size);
	table_add(table, letter);
	table_add(table, size.data);
	table_add(table, fields.data);
	table_add(table, path);
	if (table->count >= table->columns * ROWS_AT_ONCE)
		table_print(table);
	return 0;
}

/* An array as jansson formats it, item by item. */
static void print_item(const struct json *item, bool is_first)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	json_format_pretty(item, &text);
	printf("%s\n  ", is_first ? "[" : ",");
	/* a line's end within a string is written \n */
	for (const char *at = text.data; *at; at++) {
		putchar(*at);
		if (*at == '\n')
			fputs("  ", stdout);
	}
}

static int add_json(void *context, const struct change *change, struct err *err)
{
	static const char *const kinds[] = { "added", "changed", "deleted" };
	auto_json struct json *json = json_object();
	uint64_t *count = context;
	auto_free char *path = str_format("/%s", change->path);
	mode_t mode = change->new_mode ? change->new_mode : change->old_mode;

	json_set_string(json, "Kind", kinds[change->kind]);
	json_set_string(json, "Path", path);
	json_set_string(json, "Type", type_text(mode));
	if (change->fields) {
		struct json *fields = json_array();

		for (unsigned i = 0; i < CHANGE_FIELD_COUNT; i++)
			if (change->fields & (1u << i))
				json_append(fields, json_new_string(change_field_name(i)));
		json_set(json, "Fields", fields);
	}
	if (change->kind != CHANGE_ADDED && S_ISREG(change->old_mode))
		json_set_int(json, "OldSize", (int64_t)change->old_bytes);
	if (change->kind != CHANGE_DELETED && S_ISREG(change->new_mode))
		json_set_int(json, "Size", (int64_t)change->new_bytes);
	print_item(json, (*count)++ == 0);
	return 0;
}

static int show(struct store *store, const struct tree *a, const struct tree *b, const char *format,
		struct err *err)
{
	auto_table struct table table = { .columns = 4 };
	uint64_t count = 0;

	if (command_wants_json(format)) {
		if (find_changes(store, a, b, add_json, &count, err) < 0)
			return -1;
		printf("%s\n", count == 0 ? "[]" : "\n]");
		return 0;
	}
	table_add(&table, "CHANGE");
	table_add(&table, "SIZE");
	table_add(&table, "FIELDS");
	table_add(&table, "PATH");
	if (find_changes(store, a, b, add_row, &table, err) < 0)
		return -1;
	table_print(&table);
	return 0;
}

struct diff_command {
	const char *root;
	const char *platform;
	const char *format;
};

static int diff(const struct diff_command *words, const struct strlist *names, struct err *err)
{
	__attribute__((cleanup(tree_release))) struct tree old = { .view_fd = -1 };
	__attribute__((cleanup(tree_release))) struct tree new = { .view_fd = -1 };
	auto_store struct store *store = NULL;
	auto_image struct image first = IMAGE_INIT;
	auto_image struct image second = IMAGE_INIT;
	const struct image *a = &first;
	const struct image *b = names->count > 1 ? &second : a;
	size_t a_count;

	if (command_open_reading(words->root, NULL, &store, err) < 0 ||
	    image_get_for(store, names->items[0], words->platform, &first, err) < 0 ||
	    (a != b && image_get_for(store, names->items[1], words->platform, &second, err) < 0))
		return -1;
	a_count = a->config.diff_id_count;
	/* one image: without its last layer, and with it */
	if (a == b && a_count > 0)
		a_count--;
	if (tree_open(store, a->layers, a_count, &old, err) < 0 ||
	    tree_open(store, b->layers, b->config.diff_id_count, &new, err) < 0)
		return -1;
	return show(store, &old, &new, words->format, err);
}

int cmd_diff(int argc, char **argv)
{
	struct diff_command words = { .root = NULL };
	const struct cmdline_option options[] = { OPTION_PLATFORM(&words.platform),
						  OPTION_FORMAT(&words.format),
						  OPTION_ROOT(&words.root), OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore diff",
					 .synopsis = "[OPTIONS] IMAGE [OTHER]",
					 .summary = "Show which files OTHER adds (A), changes (C) "
						    "or deletes (D), seen from IMAGE;\nof IMAGE "
						    "alone, what its last layer does.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 2 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		diff(&words, &args, &err);
	return command_end(&err);
}
