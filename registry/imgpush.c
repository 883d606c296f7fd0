/* SPDX-License-Identifier: Apache-2.0 */
/* The command imgpush: writes an image of the store to another place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmdline.h"
#include "common/log.h"
#include "common/userns.h"
#include "layers/codec.h"
#include "registry/interrupt.h"
#include "registry/push.h"

struct imgpush {
	const char *root;
	const char *format;
	const char *compression;
	const char *level;
	const char *force;
	const char *platform;
	bool is_quiet;
	struct strlist args;
	bool is_done;
};

static int parse_options(int argc, char **argv, struct imgpush *options, struct err *err)
{
	const struct cmdline_option table[] = {
		{ 0, "compression", OPTION_CHOICE, &options->compression, "CODEC",
		  "compress the layers so, even those that are compressed otherwise",
		  "gzip|zstd|none|uncompressed" },
		{ 0, "compression-format", OPTION_CHOICE, &options->compression, "CODEC",
		  "the same", "gzip|zstd|none|uncompressed" },
		{ 0, "compression-level", OPTION_STRING, &options->level, "N",
		  "gzip 0 to 9 (default 1), zstd 0 to 22 (default 3)", NULL },
		{ 0, "force-compression", OPTION_SWITCH, &options->force, NULL,
		  "compress again what is compressed otherwise (default: true with --compression "
		  "or --compression-level); with false, layers go out as they came",
		  NULL },
		{ 0, "format", OPTION_CHOICE, &options->format, "FORMAT",
		  "the media types of the manifest", "oci|docker" },
		{ 0, "platform", OPTION_STRING, &options->platform, "OS/ARCH[/VARIANT]",
		  "of an image for several platforms, this one's (default: all where DEST can "
		  "hold them, else this machine's)",
		  NULL },
		{ 0, "root", OPTION_STRING, &options->root, "DIR",
		  "the store (default: $IMGBUILD_ROOT, else the user's own)", NULL },
		OPTION_ADD_STORE,
		{ 'q', "quiet", OPTION_FLAG, &options->is_quiet, NULL, "say nothing on the way",
		  NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgpush",
		.synopsis = "[OPTIONS] IMAGE DEST",
		.summary =
			"Write an image of the store to another place and print its ID. DEST is\n"
			"oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:REF].",
		.options = table,
		.min_args = 2,
		.max_args = 2,
	};

	return cmdline_parse(&cmdline, argc, argv, &options->args, &options->is_done, err);
}

/* --force-compression says it; else whoever names a codec or a level means all layers. */
static bool is_forced(const struct imgpush *options)
{
	if (options->force)
		return strcmp(options->force, "true") == 0;
	return options->compression || options->level;
}

/* *out_has false when the user asked for nothing: then the image goes out as it came. */
static int make_manifest_options(const struct imgpush *options, struct manifest_options *out,
				 bool *out_has, struct err *err)
{
	*out = (struct manifest_options){ .codec = CODEC_GZIP, .level = CODEC_LEVEL_DEFAULT };
	*out_has = options->format || options->compression || options->level || is_forced(options);
	if (options->format && strcmp(options->format, "docker") == 0)
		out->format = IMAGE_DOCKER;
	out->force_compression = is_forced(options);
	if (options->compression && codec_parse(options->compression, &out->codec, err) < 0)
		return -1;
	if (options->level && codec_level_parse(options->level, out->codec, &out->level, err) < 0)
		return err_prefix(err, "--compression-level");
	return 0;
}

static int push(const struct imgpush *options, struct err *err)
{
	auto_store struct store *store = NULL;
	struct manifest_options manifest_options;
	struct push_options push_options = { .platform = options->platform };
	struct push_result result;
	struct userns userns;
	char text[DIGEST_NAME_MAX];
	bool has_options = false;

	if (make_manifest_options(options, &manifest_options, &has_options, err) < 0 ||
	    userns_enter(&userns, err) < 0 || store_open_reading(options->root, &store, err) < 0)
		return -1;
	interrupt_hold();
	push_options.manifest = has_options ? &manifest_options : NULL;
	if (push_image(store, options->args.items[0], options->args.items[1], &push_options,
		       &result, err) < 0)
		return -1;
	if (result.used_stdout)
		return 0;
	if (printf("%s\n", digest_name(&result.id, text)) < 0 || fflush(stdout) < 0)
		return err_sys(err, "write to standard output");
	return 0;
}

int main(int argc, char **argv)
{
	struct imgpush options = { .root = NULL };
	struct err err = ERR_INIT;
	int result = parse_options(argc, argv, &options, &err);

	log_init("imgpush", options.is_quiet ? LOG_QUIET : LOG_INFO);
	if (result == 0 && !options.is_done)
		result = push(&options, &err);
	strlist_release(&options.args);
	if (result == 0)
		return 0;
	err_print(&err, "imgpush");
	return err_exit_status(&err);
}
