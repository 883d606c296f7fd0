/* SPDX-License-Identifier: Apache-2.0 */
/* The command imgpush: writes an image of the store to another place. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cmdline.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/userns.h"
#include "layers/codec.h"
#include "registry/flags.h"
#include "registry/interrupt.h"
#include "registry/push.h"
#include "registry/transfers.h"
#include "registry/registry-read.h"

struct imgpush {
	const char *root;
	const char *format;
	const char *compression;
	const char *level;
	const char *force;
	const char *platform;
	const char *digest_file;
	const char *jobs;
	const char *progress;
	struct registry_flags registry;
	struct registry_flags source;
	bool all_platforms;
	bool is_quiet;
	struct strlist args;
	bool is_done;
};

static int parse_options(int argc, char **argv, struct imgpush *options, struct err *err)
{
	const struct cmdline_option table[] = {
		{ 0, "all-platforms", OPTION_FLAG, &options->all_platforms, NULL,
		  "an image for several platforms whole (what is done without --platform)", NULL },
		{ 0, "compression", OPTION_CHOICE, &options->compression, "CODEC",
		  "compress the layers so, even those that are compressed otherwise",
		  "gzip|zstd|none|uncompressed" },
		{ 0, "compression-format", OPTION_CHOICE, &options->compression, "CODEC",
		  "the same", "gzip|zstd|none|uncompressed" },
		{ 0, "compression-level", OPTION_STRING, &options->level, "N",
		  "gzip 0 to 9 (default 1), zstd 0 to 22 (default 3)", NULL },
		{ 0, "digestfile", OPTION_STRING, &options->digest_file, "FILE",
		  "write the digest of what is there then into FILE", NULL },
		{ 0, "force-compression", OPTION_SWITCH, &options->force, NULL,
		  "compress again what is compressed otherwise (default: true with --compression "
		  "or --compression-level); with false, layers go out as they came",
		  NULL },
		{ 0, "format", OPTION_CHOICE, &options->format, "FORMAT",
		  "the media types of the manifest", "oci|docker" },
		{ 0, "jobs", OPTION_STRING, &options->jobs, "NUMBER",
		  "how many blobs to send to a registry at a time (default: 5)", NULL },
		{ 0, "platform", OPTION_STRING, &options->platform, "OS/ARCH[/VARIANT]",
		  "of an image for several platforms, this one's (default: all where DEST can "
		  "hold them, else this machine's)",
		  NULL },
		{ 0, "root", OPTION_STRING, &options->root, "DIR",
		  "the store (default: $IMGBUILD_ROOT, else the user's own)", NULL },
		OPTION_ADD_STORE,
		{ 0, "progress", OPTION_CHOICE, &options->progress, "HOW",
		  "how blobs on their way to a registry are shown (default: auto)",
		  TRANSFERS_CHOICES },
		REGISTRY_FLAG_ROWS(&options->registry),
		{ 0, "src-authfile", OPTION_STRING, &options->source.authfile, "FILE",
		  "when IMAGE is in a registry: the credentials for that one", NULL },
		{ 0, "src-cert-dir", OPTION_STRING, &options->source.cert_dir, "DIR",
		  "its certificates", NULL },
		{ 0, "src-creds", OPTION_STRING, &options->source.creds, "USER[:PASSWORD]",
		  "who to be there", NULL },
		{ 0, "src-tls-verify", OPTION_SWITCH, &options->source.tls_verify, NULL,
		  "check its certificate, and speak https only", NULL },
		{ 'q', "quiet", OPTION_FLAG, &options->is_quiet, NULL, "say nothing on the way",
		  NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgpush",
		.synopsis = "[OPTIONS] IMAGE [DEST]",
		.summary =
			"Write an image of the store to another place and print its ID, or for a\n"
			"registry its digest there. DEST is [docker://]REF (the registry that "
			"IMAGE is\n"
			"named after when there is no DEST), oci:DIR[:TAG], oci-archive:FILE[:TAG] "
			"or\n"
			"dir:DIR or docker-archive:FILE[:REF]. IMAGE may be such a place too, in "
			"a\n"
			"registry with docker://: then it is copied as it is, and not unpacked.",
		.options = table,
		.min_args = 1,
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

/* A file of the user's, for scripts; without a newline, as podman writes it. */
static int write_digest_file(const char *path, const char *digest, struct err *err)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return fd_write_all(fd, digest, strlen(digest), path, err);
}

static int tell(const struct imgpush *options, const struct push_result *result, struct err *err)
{
	char text[DIGEST_NAME_MAX];

	digest_name(&result->id, text);
	if (options->digest_file && write_digest_file(options->digest_file, text, err) < 0)
		return -1;
	if (result->used_stdout)
		return 0;
	if (printf("%s\n", text) < 0 || fflush(stdout) < 0)
		return err_sys(err, "write to standard output");
	return 0;
}

/* Whether IMAGE is not one of the store's. "docker:dind" is. */
static bool is_place(const char *image)
{
	return strncmp(image, "docker:", 7) == 0 ? registry_is_place(image) && image[7] == '/'
						 : transport_is_named(image);
}

/* What needs the user's own files and programs, before it is root in a namespace. */
static int find_registry(const struct imgpush *options, const char *place,
			 struct destination *destination, struct client_options *client,
			 struct push_options *out, struct err *err)
{
	struct access_options access;

	if (options->all_platforms && options->platform)
		return err_set(err, ERR_USAGE, "--platform and --all-platforms exclude each other");
	if (options->jobs &&
	    registry_flags_number(options->jobs, "--jobs", 1, PUSH_JOBS_MAX, &out->jobs, err) < 0)
		return -1;
	if (registry_flags_take(&options->registry, &access, client, err) < 0)
		return -1;
	if (!registry_is_place(place))
		return strncmp(options->args.items[0], "docker://", 9) == 0
			       ? 0
			       : registry_flags_refuse(&options->registry, place, err);
	out->destination = destination;
	out->client = client;
	return destination_find(place, &access, destination, err);
}

/* *out NULL when the source is no registry. */
static int open_source(const struct imgpush *options, struct registry **out, struct err *err)
{
	struct registry_options registry = { .jobs = 0 };
	struct registry_flags flags = options->source;

	if (!registry_is_place(options->args.items[0]))
		return 0;
	if (!flags.authfile)
		flags.authfile = options->registry.authfile;
	flags.retry = options->registry.retry;
	flags.retry_delay = options->registry.retry_delay;
	if (registry_flags_take(&flags, &registry.access, &registry.client, err) < 0)
		return -1;
	return registry_open(options->args.items[0], &registry, out, err);
}

static enum transfers_mode progress_mode(const struct imgpush *options)
{
	return options->is_quiet ? TRANSFERS_QUIET
				 : transfers_mode_of(options->progress, STDERR_FILENO);
}

/* Lines of ours would be in the way of a drawing, or of JSON. */
static enum log_level log_level_of(const struct imgpush *options)
{
	const struct strlist *args = &options->args;
	const bool is_drawn = args->count > 0 && registry_is_place(args->items[args->count - 1]) &&
			      progress_mode(options) != TRANSFERS_PLAIN;

	return options->is_quiet || is_drawn ? LOG_QUIET : LOG_INFO;
}

static int push(const struct imgpush *options, struct err *err)
{
	auto_store struct store *store = NULL;
	auto_transfers struct transfers *transfers = NULL;
	auto_registry struct registry *source = NULL;
	auto_destination struct destination destination = { .ref = IMAGE_REF_INIT };
	struct client_options client;
	struct manifest_options manifest_options;
	struct push_options push_options = { .platform = options->platform };
	struct push_result result;
	struct userns userns;
	const char *image = options->args.items[0];
	const char *place = options->args.count > 1 ? options->args.items[1] : image;
	const bool is_copy = is_place(image);
	bool has_options = false;

	if (is_copy && options->args.count < 2)
		return err_set(err, ERR_USAGE, "where shall '%s' be copied to?", image);
	if (make_manifest_options(options, &manifest_options, &has_options, err) < 0 ||
	    find_registry(options, place, &destination, &client, &push_options, err) < 0 ||
	    (is_copy && open_source(options, &source, err) < 0) || userns_enter(&userns, err) < 0 ||
	    store_open(options->root, &store, err) < 0)
		return -1;
	interrupt_hold();
	push_options.transfers = transfers = transfers_new(progress_mode(options), STDERR_FILENO);
	push_options.manifest = has_options ? &manifest_options : NULL;
	if ((is_copy ? push_place(store, image, source, place, &push_options, &result, err)
		     : push_image(store, image, place, &push_options, &result, err)) < 0)
		return -1;
	transfers_free(ptr_steal(&transfers));
	return tell(options, &result, err);
}

int main(int argc, char **argv)
{
	struct imgpush options = { .root = NULL };
	struct err err = ERR_INIT;
	int result = parse_options(argc, argv, &options, &err);

	log_init("imgpush", log_level_of(&options));
	if (result == 0 && !options.is_done)
		result = push(&options, &err);
	strlist_release(&options.args);
	if (result == 0)
		return 0;
	err_print(&err, "imgpush");
	return err_exit_status(&err);
}
