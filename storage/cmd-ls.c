/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore ls: what images there are. A row is a name of an image, or an image without one. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "layers/ref.h"
#include "storage/cmd-internal.h"
#include "storage/image-internal.h"

struct values {
	const char *root;
	const char *format;
	struct strlist filters;
	bool all;
	bool quiet;
	bool no_trunc;
	bool digests;
};

/* ---- filters --------------------------------------------------------------- */

/* What the filters leave. */
struct selection {
	struct store *store;
	const struct image_list *list;
	bool *is_out;     /* of each image */
	bool wants_names; /* dangling=false */
	bool wants_none;  /* dangling=true */
	struct strlist references;
};

static int filter_dangling(struct selection *selection, const char *value, struct err *err)
{
	bool is_true = strcmp(value, "true") == 0;

	if (!is_true && strcmp(value, "false") != 0)
		return err_set(err, ERR_USAGE, "--filter dangling=%s: true or false", value);
	selection->wants_none = is_true;
	selection->wants_names = !is_true;
	return 0;
}

static int filter_reference(struct selection *selection, const char *value, struct err *err)
{
	strlist_add(&selection->references, value);
	return 0;
}

/* The list is ordered by age, the newest first: what is beyond the one that @value names stays. */
static int filter_age(struct selection *selection, const char *value, bool before, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	size_t at = 0;

	if (image_must_resolve(selection->store, value, &match, err) < 0)
		return -1;
	while (at < selection->list->count &&
	       !digest_equal(&selection->list->items[at].id, &match.id))
		at++;
	for (size_t i = 0; i < selection->list->count; i++)
		selection->is_out[i] |= before ? i <= at : i >= at;
	return 0;
}

static int filter_before(struct selection *selection, const char *value, struct err *err)
{
	return filter_age(selection, value, true, err);
}

static int filter_since(struct selection *selection, const char *value, struct err *err)
{
	return filter_age(selection, value, false, err);
}

/* "key" or "key=value". */
static bool has_label(const struct image *image, const char *wanted)
{
	size_t key_len = strcspn(wanted, "=");
	auto_free char *key = str_ndup(wanted, key_len);
	const char *value = strlist_env_get(&image->config.config.labels, key);

	return value && (!wanted[key_len] || strcmp(value, wanted + key_len + 1) == 0);
}

static int filter_label(struct selection *selection, const char *value, struct err *err)
{
	for (size_t i = 0; i < selection->list->count; i++) {
		auto_image struct image image = IMAGE_INIT;
		char id[DIGEST_NAME_MAX];

		if (selection->is_out[i])
			continue;
		if (selection->list->items[i].is_index) {
			selection->is_out[i] = true;
			continue;
		}
		if (image_get(selection->store, digest_name(&selection->list->items[i].id, id),
			      NULL, &image, err) < 0)
			return -1;
		selection->is_out[i] = !has_label(&image, value);
	}
	return 0;
}

static int apply_filter(struct selection *selection, const char *text, struct err *err)
{
	static const struct {
		const char *name;
		int (*apply)(struct selection *selection, const char *value, struct err *err);
	} filters[] = { { "reference=", filter_reference },
			{ "dangling=", filter_dangling },
			{ "before=", filter_before },
			{ "since=", filter_since },
			{ "label=", filter_label } };

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (strncmp(text, filters[i].name, strlen(filters[i].name)) == 0)
			return filters[i].apply(selection, text + strlen(filters[i].name), err);
	return err_set(err, ERR_USAGE,
		       "--filter '%s': known are reference=PATTERN, dangling=true|false, "
		       "before=IMAGE, since=IMAGE, label=KEY[=VALUE]",
		       text);
}

/* As docker: the pattern is for the whole name, for the repository, or for its last part. */
static bool matches(const char *pattern, const char *name)
{
	const char *colon = strrchr(name, ':');
	const char *slash = strrchr(name, '/');
	auto_free char *repository = NULL;

	if (fnmatch(pattern, name, 0) == 0 || (slash && fnmatch(pattern, slash + 1, 0) == 0))
		return true;
	if (!colon || (slash && colon < slash))
		return false;
	repository = str_ndup(name, (size_t)(colon - name));
	slash = strrchr(repository, '/');
	return fnmatch(pattern, repository, 0) == 0 ||
	       (slash && fnmatch(pattern, slash + 1, 0) == 0);
}

static bool is_name_shown(const struct selection *selection, const char *name)
{
	if (!name)
		return !selection->wants_names && selection->references.count == 0;
	if (selection->wants_none)
		return false;
	for (size_t i = 0; i < selection->references.count; i++)
		if (matches(selection->references.items[i], name))
			return true;
	return selection->references.count == 0;
}

/* ---- rows ------------------------------------------------------------------ */

struct row {
	const struct image_summary *image;
	const char *name; /* NULL: it has none */
};

struct rows {
	struct row *items;
	size_t count;
};

static void add_row(struct rows *rows, const struct image_summary *image, const char *name)
{
	rows->items = mem_resize(rows->items, rows->count + 1, sizeof(*rows->items));
	rows->items[rows->count++] = (struct row){ image, name };
}

static void list_rows(const struct selection *selection, bool all, struct rows *out)
{
	for (size_t i = 0; i < selection->list->count; i++) {
		const struct image_summary *item = &selection->list->items[i];

		if (selection->is_out[i])
			continue;
		for (size_t j = 0; j < item->names.count; j++)
			if (is_name_shown(selection, item->names.items[j]))
				add_row(out, item, item->names.items[j]);
		if (item->names.count == 0 && (all || selection->wants_none) &&
		    is_name_shown(selection, NULL))
			add_row(out, item, NULL);
	}
}

/* A tag has no slash: what follows a colon before one is a port. The caller's. */
static char *part_of_name(const char *name, bool wants_tag)
{
	const char *colon = name ? strrchr(name, ':') : NULL;

	if (colon && (strchr(colon, '/') || strchr(name, '@')))
		colon = NULL;
	if (wants_tag)
		return str_dup(colon ? colon + 1 : "<none>");
	if (colon)
		return str_ndup(name, (size_t)(colon - name));
	return str_dup(name ? name : "<none>");
}

/* The digest of the manifest it came with, or of the index; the caller's. */
static char *digest_of_row(struct store *store, const struct row *row)
{
	auto_image struct image image = IMAGE_INIT;
	struct err ignored = ERR_INIT;
	char name[DIGEST_NAME_MAX];

	digest_name(&row->image->id, name);
	if (row->image->is_index)
		return str_dup(name);
	if (image_get(store, name, NULL, &image, &ignored) < 0 || !image.has_manifest)
		return str_dup("<none>");
	return str_dup(digest_name(&image.manifest_digest, name));
}

static char *id_of_row(const struct row *row, bool no_trunc)
{
	char buf[DIGEST_NAME_MAX];

	return str_dup(no_trunc ? digest_name(&row->image->id, buf)
				: short_id(&row->image->id, buf));
}

/* ---- output ---------------------------------------------------------------- */

/* One object an image, with the names that are shown. */
static struct json *images_json(const struct rows *rows)
{
	struct json *array = json_array();
	char id[DIGEST_NAME_MAX];

	for (size_t i = 0; i < rows->count;) {
		const struct image_summary *item = rows->items[i].image;
		auto_strlist struct strlist names = STRLIST_INIT;
		struct json *json = json_object();

		for (; i < rows->count && rows->items[i].image == item; i++)
			if (rows->items[i].name)
				strlist_add(&names, rows->items[i].name);
		json_set_string(json, "Id", digest_name(&item->id, id));
		json_set_strlist(json, "Names", &names);
		json_set_string(json, "Created", item->created);
		json_set_int(json, "Size", (int64_t)item->size_bytes);
		json_set_int(json, "Layers", (int64_t)item->layer_count);
		if (item->is_index)
			json_set_strlist(json, "Platforms", &item->platforms);
		if (item->place) {
			json_set_bool(json, "ReadOnly", true);
			json_set_string(json, "Store", item->place);
		}
		json_append(array, json);
	}
	return array;
}

static void print_table(struct store *store, const struct rows *rows, const struct values *values)
{
	bool shows_place = store_added_count(store) > 0;
	auto_table struct table table = { .columns = 5u + values->digests + shows_place };
	char buf[40];

	table_add(&table, "REPOSITORY");
	table_add(&table, "TAG");
	if (values->digests)
		table_add(&table, "DIGEST");
	table_add(&table, "IMAGE ID");
	table_add(&table, "CREATED");
	table_add(&table, "SIZE");
	if (shows_place)
		table_add(&table, "STORE");
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *row = &rows->items[i];
		auto_free char *repository = part_of_name(row->name, false);
		auto_free char *tag = part_of_name(row->name, true);
		auto_free char *id = id_of_row(row, values->no_trunc);

		table_add(&table, repository);
		table_add(&table, tag);
		if (values->digests) {
			auto_free char *digest = digest_of_row(store, row);

			table_add(&table, digest);
		}
		table_add(&table, id);
		table_add(&table, age_text(row->image->created, buf));
		table_add(&table, size_text(row->image->size_bytes, buf));
		if (shows_place)
			table_add(&table, row->image->place ? row->image->place : "-");
	}
	table_print(&table);
}

static void print_ids(const struct rows *rows, bool no_trunc)
{
	for (size_t i = 0; i < rows->count; i++) {
		auto_free char *id = id_of_row(&rows->items[i], no_trunc);

		if (i == 0 || rows->items[i].image != rows->items[i - 1].image)
			printf("%s\n", id);
	}
}

/* ---- templates: "{{.Repository}}:{{.Tag}}" --------------------------------- */

/* The value of a field as docker and podman name them, the caller's; NULL: there is no such. */
static char *field_text(struct store *store, const struct row *row, const char *field,
			bool no_trunc)
{
	char buf[40];

	if (strcmp(field, "ID") == 0 || strcmp(field, "Id") == 0)
		return id_of_row(row, no_trunc);
	if (strcmp(field, "Repository") == 0)
		return part_of_name(row->name, false);
	if (strcmp(field, "Tag") == 0)
		return part_of_name(row->name, true);
	if (strcmp(field, "Digest") == 0)
		return digest_of_row(store, row);
	if (strcmp(field, "Created") == 0 || strcmp(field, "CreatedSince") == 0)
		return str_dup(age_text(row->image->created, buf));
	if (strcmp(field, "CreatedAt") == 0)
		return str_dup(row->image->created ? row->image->created : "N/A");
	if (strcmp(field, "Size") == 0)
		return str_dup(size_text(row->image->size_bytes, buf));
	return NULL;
}

static int format_row(struct store *store, const struct row *row, const char *template,
		      bool no_trunc, struct strbuf *out, struct err *err)
{
	while (*template) {
		const char *open = strstr(template, "{{");
		const char *end = open ? strstr(open, "}}") : NULL;
		auto_free char *field = NULL;
		auto_free char *text = NULL;
		const char *name;

		if (!open) {
			strbuf_puts(out, template);
			return 0;
		}
		if (!end)
			return err_set(err, ERR_USAGE, "--format: '{{' without '}}'");
		strbuf_add(out, template, (size_t)(open - template));
		name = open + 2 + strspn(open + 2, " ");
		field = str_ndup(name, strcspn(name, " }"));
		text = field[0] == '.' ? field_text(store, row, field + 1, no_trunc) : NULL;
		if (!text)
			return err_set(err, ERR_USAGE,
				       "--format: '%s' is not known: .ID, .Repository, .Tag, "
				       ".Digest, .Created, .CreatedSince, .CreatedAt and .Size are",
				       field);
		strbuf_puts(out, text);
		template = end + 2;
	}
	return 0;
}

static int print_template(struct store *store, const struct rows *rows, const struct values *values,
			  struct err *err)
{
	auto_strbuf struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < rows->count; i++) {
		if (format_row(store, &rows->items[i], values->format, values->no_trunc, &out,
			       err) < 0)
			return -1;
		strbuf_puts(&out, "\n");
	}
	if (out.len > 0)
		fwrite(out.data, 1, out.len, stdout);
	return 0;
}

static int print_rows(struct store *store, const struct rows *rows, const struct values *values,
		      struct err *err)
{
	if (values->quiet)
		print_ids(rows, values->no_trunc);
	else if (command_wants_json(values->format))
		command_print_json(images_json(rows));
	else if (values->format && strstr(values->format, "{{"))
		return print_template(store, rows, values, err);
	else
		print_table(store, rows, values);
	return 0;
}

static int check_values(const struct values *values, struct err *err)
{
	if (values->quiet && values->format)
		return err_set(err, ERR_USAGE, "--quiet and --format exclude each other");
	if (values->format && strcmp(values->format, "table") != 0 &&
	    !command_wants_json(values->format) && !strstr(values->format, "{{"))
		return err_set(err, ERR_USAGE,
			       "--format '%s': table, json, or a template like "
			       "'{{.Repository}}:{{.Tag}}'",
			       values->format);
	return 0;
}

static int show(struct selection *selection, const struct values *values, struct err *err)
{
	struct rows rows = { .items = NULL };
	int result = 0;

	for (size_t i = 0; result == 0 && i < values->filters.count; i++)
		result = apply_filter(selection, values->filters.items[i], err);
	if (result == 0) {
		list_rows(selection, values->all, &rows);
		result = print_rows(selection->store, &rows, values, err);
	}
	free(rows.items);
	return result;
}

static int ls(const struct values *values, struct err *err)
{
	auto_image_list struct image_list list = IMAGE_LIST_INIT;
	auto_store struct store *store = NULL;
	auto_free bool *is_out = NULL;
	struct selection selection = { .list = &list, .references = STRLIST_INIT };
	int result;

	if (check_values(values, err) < 0 ||
	    command_open_reading(values->root, NULL, &store, err) < 0 ||
	    image_list_all(store, &list, err) < 0)
		return -1;
	is_out = mem_array(list.count + 1, sizeof(*is_out));
	selection.store = store;
	selection.is_out = is_out;
	result = show(&selection, values, err);
	strlist_release(&selection.references);
	return result;
}

int cmd_ls(int argc, char **argv)
{
	struct values values = { .filters = STRLIST_INIT };
	const struct cmdline_option options[] = {
		{ 'a', "all", OPTION_FLAG, &values.all, NULL, "also images without a name", NULL },
		{ 0, "digests", OPTION_FLAG, &values.digests, NULL,
		  "also the digests they were pulled by", NULL },
		{ 'f', "filter", OPTION_LIST, &values.filters, "FILTER",
		  "reference=PATTERN, dangling=BOOL, before=IMAGE, since=IMAGE, label=KEY[=VALUE]",
		  NULL },
		{ 0, "format", OPTION_STRING, &values.format, "FORMAT",
		  "table, json, or a template: {{.Repository}}:{{.Tag}}", NULL },
		{ 0, "no-trunc", OPTION_FLAG, &values.no_trunc, NULL, "whole IDs", NULL },
		{ 'q', "quiet", OPTION_FLAG, &values.quiet, NULL, "IDs only", NULL },
		OPTION_ROOT(&values.root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore ls",
					 .synopsis = "[OPTIONS]",
					 .summary = "List images, the newest first.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		ls(&values, &err);
	strlist_release(&values.filters);
	return command_end(&err);
}
