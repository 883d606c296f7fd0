/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for showing the lists of a registry: a line each, or JSON. */
#include "registry/list.h"

#include <stdio.h>
#include <string.h>

#include "common/cmdline.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/size.h"
#include "layers/descriptor.h"
#include "registry/flags.h"
#include "registry/interrupt.h"
#include "registry/listing.h"

struct list {
	struct registry_flags flags;
	const char *artifact_type;
	const char *format;
	struct strlist args;
	bool is_done;
};

static bool is_json(const struct list *options)
{
	return options->format && strcmp(options->format, "json") == 0;
}

static int print(const struct strbuf *text, struct err *err)
{
	if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) < 0)
		return err_sys(err, "write to standard output");
	return 0;
}

/* What the options say, in the order in which it must be done. */
static int prepare(const struct list *options, struct image_ref *ref, struct access_options *access,
		   struct client_options *client, struct err *err)
{
	interrupt_hold();
	if (endpoint_parse_ref(options->args.items[0], ref, err) < 0) {
		err->kind = ERR_USAGE;
		return -1;
	}
	return registry_flags_take(&options->flags, access, client, err);
}

/* ---- tags ---- */

/* As skopeo list-tags has it. */
static void format_tags(const struct image_ref *ref, const struct strlist *tags, struct strbuf *out)
{
	auto_json struct json *root = json_object();
	auto_free char *name = str_format("%s/%s", ref->host, ref->path);

	json_set_string(root, "Repository", name);
	json_set_strlist(root, "Tags", tags);
	json_format(root, out);
	strbuf_putc(out, '\n');
}

static int show_tags(const struct list *options, struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strlist struct strlist tags = STRLIST_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct access_options access;
	struct client_options client;

	if (prepare(options, &ref, &access, &client, err) < 0)
		return -1;
	if (ref.tag || ref.has_digest)
		return err_set(err, ERR_USAGE,
			       "'%s': a repository is written without tag and digest",
			       options->args.items[0]);
	if (listing_tags(&ref, &access, &client, &tags, err) < 0)
		return err_prefix(err, "tags of '%s'", options->args.items[0]);
	if (is_json(options))
		format_tags(&ref, &tags, &text);
	else
		for (size_t i = 0; i < tags.count; i++)
			strbuf_printf(&text, "%s\n", tags.items[i]);
	return print(&text, err);
}

/* ---- referrers ---- */

/* One word that a terminal can be shown. */
static void add_word(const char *word, struct strbuf *out)
{
	for (const char *c = word && word[0] ? word : "-"; *c; c++)
		strbuf_putc(out, *c > ' ' && *c < 0x7f ? *c : '?');
}

/* DIGEST ARTIFACT-TYPE SIZE */
static int add_line(const struct json *entry, struct strbuf *out, struct err *err)
{
	auto_descriptor struct descriptor descriptor = { .media_type = NULL };
	char name[DIGEST_NAME_MAX];
	char size[16];

	if (descriptor_from_json(entry, &descriptor, "list of referrers", err) < 0)
		return -1;
	strbuf_printf(out, "%s ", digest_name(&descriptor.digest, name));
	add_word(json_string(json_get(entry, "artifactType")), out);
	strbuf_printf(out, " %s\n", size_text(descriptor.size_bytes, size));
	return 0;
}

/* The registry's own form: an index. */
static void format_referrers(struct json *entries, struct strbuf *out)
{
	auto_json struct json *root = json_object();

	json_set_int(root, "schemaVersion", 2);
	json_set_string(root, "mediaType", MEDIA_OCI_INDEX);
	json_set(root, "manifests", json_ref(entries));
	json_format(root, out);
	strbuf_putc(out, '\n');
}

static int show_referrers(const struct list *options, struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_json struct json *entries = NULL;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct access_options access;
	struct client_options client;

	if (prepare(options, &ref, &access, &client, err) < 0)
		return -1;
	if (listing_referrers(&ref, options->artifact_type, &access, &client, &entries, err) < 0)
		return err_prefix(err, "referrers of '%s'", options->args.items[0]);
	if (is_json(options))
		format_referrers(entries, &text);
	for (size_t i = 0; !is_json(options) && i < json_count(entries); i++)
		if (add_line(json_at(entries, i), &text, err) < 0)
			return -1;
	return print(&text, err);
}

/* ---- the commands ---- */

static int run(const struct cmdline *cmdline, int argc, char **argv, struct list *options,
	       int (*act)(const struct list *options, struct err *err))
{
	struct err err = ERR_INIT;
	int result = cmdline_parse(cmdline, argc, argv, &options->args, &options->is_done, &err);

	log_init("imgpull", LOG_QUIET);
	if (result == 0 && !options->is_done)
		result = act(options, &err);
	strlist_release(&options->args);
	if (result == 0)
		return 0;
	err_print(&err, "imgpull");
	return err_exit_status(&err);
}

#define FORMAT_ROW(options)                                              \
	{                                                                \
		0, "format", OPTION_CHOICE, &(options).format, "FORMAT", \
			"how to show it (default: lines)", "lines|json"  \
	}

int tags_main(int argc, char **argv)
{
	struct list options = { .format = NULL };
	const struct cmdline_option table[] = {
		FORMAT_ROW(options),
		REGISTRY_FLAG_ROWS(&options.flags),
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgpull tags",
		.synopsis = "[OPTIONS] REPOSITORY",
		.summary = "Show the tags that a repository has in its registry, a line each.",
		.options = table,
		.min_args = 1,
		.max_args = 1,
	};

	return run(&cmdline, argc, argv, &options, show_tags);
}

int referrers_main(int argc, char **argv)
{
	struct list options = { .format = NULL };
	const struct cmdline_option table[] = {
		{ 0, "artifact-type", OPTION_STRING, &options.artifact_type, "TYPE",
		  "only those of this type", NULL },
		FORMAT_ROW(options),
		REGISTRY_FLAG_ROWS(&options.flags),
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgpull referrers",
		.synopsis = "[OPTIONS] REF",
		.summary = "Show what the registry has about an image (signatures, SBOMs): digest, "
			   "type "
			   "and size\nof each.",
		.options = table,
		.min_args = 1,
		.max_args = 1,
	};

	return run(&cmdline, argc, argv, &options, show_referrers);
}
