/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for --output: its words, and for images that go somewhere else. That
 * is imgpush's work, which is started as a child; files are output-files' work.
 */
#include "builder/output.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builder/csv.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/proc.h"
#include "layers/codec.h"
#include "layers/ref.h"

#define TYPES "image, registry, oci, docker, local, tar, cacheonly"

void outputs_release(struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		free(outputs->items[i].dest);
		free(outputs->items[i].level);
		strlist_release(&outputs->items[i].names);
		strlist_release(&outputs->items[i].push_options);
	}
	free(outputs->items);
	*outputs = (struct outputs)OUTPUTS_INIT;
}

/* ---- words ---- */

/* What was said, before it is known for which type. */
struct words {
	struct strlist fields; /* "NAME=VALUE", but type and dest */
	const char *type;
	const char *dest;
};

static int parse_type(const char *name, struct output *out, struct err *err)
{
	static const struct {
		const char *name;
		enum output_type type;
	} types[] = {
		{ "image", OUTPUT_IMAGE },
		{ "registry", OUTPUT_IMAGE },
		{ "oci", OUTPUT_OCI },
		{ "docker", OUTPUT_DOCKER },
		{ "local", OUTPUT_LOCAL },
		{ "tar", OUTPUT_TAR },
		{ "cacheonly", OUTPUT_CACHEONLY },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].name, name) != 0)
			continue;
		out->type = types[i].type;
		out->is_pushed = strcmp(name, "registry") == 0;
		return 0;
	}
	return err_set(err, ERR_USAGE, "--output: there is no type '%s' (known: " TYPES ")", name);
}

static int parse_bool(const char *name, const char *value, bool *out, struct err *err)
{
	*out = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
	if (*out || strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		return 0;
	return err_set(err, ERR_USAGE, "--output: %s is true or false, not '%s'", name, value);
}

/* A field that is quoted wrong is wrong use here, not bad input. */
static int split_fields(const char *text, struct strlist *out, struct err *err)
{
	if (csv_split(text, out, err) == 0)
		return 0;
	err->kind = ERR_USAGE;
	return err_prefix(err, "--output");
}

static int take_names(struct output *out, const char *value, struct err *err)
{
	return split_fields(value, &out->names, err);
}

static int take_tar(struct output *out, const char *value, struct err *err)
{
	bool is_tar = false;

	if (parse_bool("tar", value, &is_tar, err) < 0)
		return -1;
	out->is_directory = !is_tar;
	return 0;
}

static int take_compression(struct output *out, const char *value, struct err *err)
{
	if (codec_parse(value, &out->codec, err) < 0)
		return err_prefix(err, "--output");
	strlist_addf(&out->push_options, "--compression=%s", value);
	return 0;
}

static int take_level(struct output *out, const char *value, struct err *err)
{
	free(out->level);
	out->level = str_dup(value);
	strlist_addf(&out->push_options, "--compression-level=%s", value);
	return 0;
}

static int take_force(struct output *out, const char *value, struct err *err)
{
	bool is_forced = false;

	if (parse_bool("force-compression", value, &is_forced, err) < 0)
		return -1;
	strlist_addf(&out->push_options, "--force-compression=%s", is_forced ? "true" : "false");
	return 0;
}

static int take_media_types(struct output *out, const char *value, struct err *err)
{
	bool is_oci = false;

	if (parse_bool("oci-mediatypes", value, &is_oci, err) < 0)
		return -1;
	strlist_addf(&out->push_options, "--format=%s", is_oci ? "oci" : "docker");
	return 0;
}

static int take_push(struct output *out, const char *value, struct err *err)
{
	return parse_bool("push", value, &out->is_pushed, err);
}

static int take_insecure(struct output *out, const char *value, struct err *err)
{
	bool is_insecure = false;

	if (parse_bool("registry.insecure", value, &is_insecure, err) < 0)
		return -1;
	if (is_insecure)
		strlist_add(&out->push_options, "--tls-verify=false");
	return 0;
}

static int take_mode(struct output *out, const char *value, struct err *err)
{
	if (strcmp(value, "copy") == 0)
		return 0;
	return err_set(err, ERR_USAGE,
		       "--output: mode is copy, not '%s': what is in the directory already stays",
		       value);
}

#define FOR(type) (1u << (type))
#define SENT      (FOR(OUTPUT_IMAGE) | FOR(OUTPUT_OCI))

static int take_field(struct output *out, const char *name, const char *value, struct err *err)
{
	static const struct {
		const char *name;
		unsigned types;
		int (*take)(struct output *out, const char *value, struct err *err);
	} attributes[] = {
		{ "name", FOR(OUTPUT_IMAGE) | FOR(OUTPUT_OCI) | FOR(OUTPUT_DOCKER), take_names },
		{ "push", FOR(OUTPUT_IMAGE), take_push },
		{ "tar", FOR(OUTPUT_OCI), take_tar },
		{ "compression", SENT, take_compression },
		{ "compression-level", SENT, take_level },
		{ "force-compression", SENT, take_force },
		{ "oci-mediatypes", SENT, take_media_types },
		{ "registry.insecure", FOR(OUTPUT_IMAGE), take_insecure },
		{ "mode", FOR(OUTPUT_LOCAL), take_mode },
	};
	bool is_known = false;

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (strcmp(attributes[i].name, name) != 0)
			continue;
		if (attributes[i].types & FOR(out->type))
			return attributes[i].take(out, value, err);
		is_known = true;
	}
	return err_set(err, ERR_USAGE, "--output: '%s' %s", name,
		       is_known ? "has no meaning for this type" : "is not known or not supported");
}

static int split(const char *text, struct words *out, struct strlist *fields, struct err *err)
{
	if (!strchr(text, '=')) {
		out->type = strcmp(text, "-") == 0 ? "tar" : "local";
		out->dest = text;
		return 0;
	}
	if (split_fields(text, fields, err) < 0)
		return -1;
	for (size_t i = 0; i < fields->count; i++) {
		char *equals = strchr(fields->items[i], '=');

		if (!equals || equals == fields->items[i])
			return err_set(err, ERR_USAGE, "--output: '%s' is not NAME=VALUE",
				       fields->items[i]);
		if (strncmp(fields->items[i], "type=", 5) == 0)
			out->type = equals + 1;
		else if (strncmp(fields->items[i], "dest=", 5) == 0)
			out->dest = equals + 1;
		else
			strlist_add(&out->fields, fields->items[i]);
	}
	if (!out->type)
		return err_set(err, ERR_USAGE, "--output: '%s' has no type (known: " TYPES ")",
			       text);
	return 0;
}

/* Archives go to standard output when nothing else is said, as with docker buildx. */
static int take_dest(struct output *out, const char *dest, struct err *err)
{
	switch (out->type) {
	case OUTPUT_IMAGE:
	case OUTPUT_CACHEONLY:
		if (dest)
			return err_set(err, ERR_USAGE,
				       "--output: 'dest' has no meaning for this type");
		return 0;
	case OUTPUT_OCI:
	case OUTPUT_LOCAL:
		if (dest && dest[0] &&
		    (strcmp(dest, "-") != 0 || !(out->is_directory || out->type == OUTPUT_LOCAL)))
			break;
		if (out->type == OUTPUT_LOCAL || out->is_directory)
			return err_set(err, ERR_USAGE, "--output: dest=DIR is missing");
		dest = "-";
		break;
	case OUTPUT_DOCKER:
	case OUTPUT_TAR:
		if (!dest || !dest[0])
			dest = "-";
		break;
	}
	out->dest = str_dup(dest);
	return 0;
}

static int parse(const char *text, struct output *out, struct err *err)
{
	auto_strlist struct strlist fields = STRLIST_INIT;
	struct words words = { .type = NULL };
	int result = split(text, &words, &fields, err);
	int level;

	if (result == 0)
		result = parse_type(words.type, out, err);
	for (size_t i = 0; i < words.fields.count && result == 0; i++) {
		char *equals = strchr(words.fields.items[i], '=');

		*equals = '\0';
		result = take_field(out, words.fields.items[i], equals + 1, err);
	}
	if (result == 0 && out->level && codec_level_parse(out->level, out->codec, &level, err) < 0)
		result = err_prefix(err, "--output: compression-level");
	if (result == 0)
		result = take_dest(out, words.dest, err);
	if (result == 0 && out->type == OUTPUT_IMAGE && !out->is_pushed &&
	    out->push_options.count > 0)
		result = err_set(err, ERR_USAGE,
				 "--output: '%s' has no meaning for an image that is not pushed",
				 out->push_options.items[0] + 2);
	strlist_release(&words.fields);
	return result;
}

static bool uses_stdout(const struct output *output)
{
	return output->dest && strcmp(output->dest, "-") == 0;
}

int outputs_add(struct outputs *outputs, const char *text, struct err *err)
{
	bool is_taken = outputs_use_stdout(outputs);

	outputs->items = mem_resize(outputs->items, outputs->count + 1, sizeof(*outputs->items));
	outputs->items[outputs->count] = (struct output){ .codec = CODEC_GZIP };
	if (parse(text, &outputs->items[outputs->count++], err) < 0)
		return -1;
	if (is_taken && uses_stdout(&outputs->items[outputs->count - 1]))
		return err_set(err, ERR_USAGE, "--output: only one can go to standard output");
	return 0;
}

bool outputs_have(const struct outputs *outputs, enum output_type type)
{
	for (size_t i = 0; i < outputs->count; i++)
		if (outputs->items[i].type == type)
			return true;
	return false;
}

bool outputs_use_stdout(const struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++)
		if (uses_stdout(&outputs->items[i]))
			return true;
	return false;
}

void outputs_names(const struct outputs *outputs, struct strlist *out)
{
	for (size_t i = 0; i < outputs->count; i++)
		if (outputs->items[i].type == OUTPUT_IMAGE)
			for (size_t j = 0; j < outputs->items[i].names.count; j++)
				strlist_add(out, outputs->items[i].names.items[j]);
}

static const struct strlist *names_of(const struct output *output, const struct strlist *tags)
{
	return output->names.count > 0 ? &output->names : tags;
}

int outputs_check_names(const struct outputs *outputs, const struct strlist *tags, struct err *err)
{
	for (size_t i = 0; i < outputs->count; i++)
		if (outputs->items[i].is_pushed && names_of(&outputs->items[i], tags)->count == 0)
			return err_set(err, ERR_USAGE,
				       "what is pushed needs a name: give --tag REGISTRY/NAME");
	return 0;
}

/* ---- images, by imgpush ---- */

/* What a layout calls it is a tag alone, as other programs look for it; in docker's it is the name.
 */
static int place_of(const struct output *output, const struct output_job *job, struct strbuf *out,
		    struct err *err)
{
	const char *dest = uses_stdout(output) ? "/dev/stdout" : output->dest;
	const struct strlist *names = names_of(output, job->tags);
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;

	if (strchr(dest, ':'))
		return err_set(err, ERR_USAGE, "--output: '%s' has a colon in it", dest);
	if (names->count > 0 && image_ref_parse(names->items[0], &ref, err) < 0)
		return -1;
	if (output->type == OUTPUT_DOCKER)
		strbuf_printf(out, "docker-archive:%s", dest);
	else
		strbuf_printf(out, "%s:%s", output->is_directory ? "oci" : "oci-archive", dest);
	if (names->count > 0)
		strbuf_printf(out, ":%s",
			      output->type == OUTPUT_DOCKER ? names->items[0]
			      : ref.tag                     ? ref.tag
							    : "latest");
	return 0;
}

static void push_arguments(const struct output *output, const struct output_job *job,
			   const char *program, const char *place, struct strlist *out)
{
	char name[DIGEST_NAME_MAX];

	strlist_add(out, program);
	strlist_add(out, "--quiet");
	strlist_addf(out, "--root=%s", store_root_path(job->store));
	registry_flags_arguments(job->registry, out);
	for (size_t i = 0; i < output->push_options.count; i++)
		strlist_add(out, output->push_options.items[i]);
	strlist_add(out, "--");
	strlist_add(out, digest_name(job->image, name));
	strlist_add(out, place);
}

/* What it says was said on our stderr. */
static int check_status(int status, const char *place, struct err *err)
{
	enum err_kind kind = ERR_SYSTEM;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		kind = ERR_USAGE;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		kind = ERR_INPUT;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 4)
		kind = ERR_REMOTE;
	return err_set(err, kind, "the image was built, but not written to '%s'", place);
}

/* The ID that it prints, unless its output is the image, is printed by us. */
static int push(const struct output *output, const struct output_job *job, const char *place,
		struct err *err)
{
	auto_strbuf struct strbuf program = STRBUF_INIT;
	auto_strlist struct strlist argv = STRLIST_INIT;
	auto_child struct child child = CHILD_INIT;
	auto_close int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct proc_fd fds[] = { { .from = uses_stdout(output) ? STDOUT_FILENO : null_fd,
					 .to = STDOUT_FILENO } };
	struct proc_spec spec = { .fds = fds, .fd_count = 1 };
	int status;

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (proc_self_dir(&program, err) < 0)
		return -1;
	strbuf_puts(&program, "/imgpush");
	push_arguments(output, job, program.data, place, &argv);
	spec.argv = (const char *const *)argv.items;
	if (child_start(&child, &spec, err) < 0)
		return err_prefix(err, "start '%s'", program.data);
	if (child_wait(&child, &status, err) < 0)
		return -1;
	return check_status(status, output->dest ? output->dest : place, err);
}

static int push_archive(const struct output *output, const struct output_job *job, struct err *err)
{
	auto_strbuf struct strbuf place = STRBUF_INIT;

	if (place_of(output, job, &place, err) < 0)
		return -1;
	return push(output, job, place.data, err);
}

/* To the registry of each name. */
static int push_names(const struct output *output, const struct output_job *job, struct err *err)
{
	const struct strlist *names = names_of(output, job->tags);

	for (size_t i = 0; i < names->count; i++) {
		auto_free char *place = str_format("docker://%s", names->items[i]);

		if (push(output, job, place, err) < 0)
			return -1;
	}
	return 0;
}

int outputs_write(const struct outputs *outputs, const struct output_job *job, struct err *err)
{
	for (size_t i = 0; i < outputs->count; i++) {
		const struct output *output = &outputs->items[i];
		int result = 0;

		switch (output->type) {
		case OUTPUT_IMAGE:
			result = output->is_pushed ? push_names(output, job, err) : 0;
			break;
		case OUTPUT_CACHEONLY:
			break;
		case OUTPUT_OCI:
		case OUTPUT_DOCKER:
			result = push_archive(output, job, err);
			break;
		case OUTPUT_LOCAL:
		case OUTPUT_TAR:
			result = output_write_files(output, job, err);
			break;
		}
		if (result < 0)
			return -1;
	}
	return 0;
}
