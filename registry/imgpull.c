/* SPDX-License-Identifier: Apache-2.0 */
/* The command imgpull: brings an image from another place into the store. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cmdline.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/userns.h"
#include "layers/descriptor.h"
#include "layers/unpack.h"
#include "registry/flags.h"
#include "registry/interrupt.h"
#include "registry/list.h"
#include "registry/login.h"
#include "registry/pull.h"

#define JOBS_MAX 16

struct imgpull {
	const char *root;
	const char *platform;
	bool all_platforms;
	bool is_quiet;
	const char *jobs;
	const char *progress;
	struct registry_flags flags;
	struct strlist limits;
	struct strlist args;
	bool is_done;
};

static int parse_options(int argc, char **argv, struct imgpull *options, struct err *err)
{
	const struct cmdline_option table[] = {
		{ 0, "root", OPTION_STRING, &options->root, "DIR",
		  "the store (default: $IMGBUILD_ROOT, else the user's own)", NULL },
		OPTION_ADD_STORE,
		{ 0, "platform", OPTION_STRING, &options->platform, "OS/ARCH[/VARIANT]",
		  "of an image for several platforms, take this one's", NULL },
		{ 0, "all-platforms", OPTION_FLAG, &options->all_platforms, NULL,
		  "take all images of an index, under one name", NULL },
		{ 0, "unpack-limit", OPTION_LIST, &options->limits, "NAME=NUMBER",
		  "how much may come out of a layer: bytes, entries, depth, ratio", NULL },
		{ 'j', "jobs", OPTION_STRING, &options->jobs, "NUMBER",
		  "how many layers to fetch at a time (default: 6)", NULL },
		REGISTRY_FLAG_ROWS(&options->flags),
		{ 0, "progress", OPTION_CHOICE, &options->progress, "HOW",
		  "how layers on their way are shown (default: auto)", TRANSFERS_CHOICES },
		{ 'q', "quiet", OPTION_FLAG, &options->is_quiet, NULL, "say nothing on the way",
		  NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgpull",
		.synopsis = "[OPTIONS] SOURCE [NAME]",
		.summary =
			"Bring an image into the store and print its ID. SOURCE is an image in a\n"
			"registry ([docker://]REF), oci:DIR[:TAG], oci-archive:FILE[:TAG], dir:DIR "
			"or\n"
			"docker-archive:FILE[:REF].",
		.options = table,
		.min_args = 1,
		.max_args = 2,
	};

	return cmdline_parse(&cmdline, argc, argv, &options->args, &options->is_done, err);
}

static enum transfers_mode progress_mode(const struct imgpull *options)
{
	return options->is_quiet ? TRANSFERS_QUIET
				 : transfers_mode_of(options->progress, STDERR_FILENO);
}

/* NULL in *out when the source is no registry's. */
static int open_registry(const struct imgpull *options, struct registry **out, struct err *err)
{
	struct registry_options registry = { .jobs = 0 };
	const char *source = options->args.items[0];

	if (!registry_is_place(source))
		return registry_flags_refuse(&options->flags, source, err);
	if (registry_flags_take(&options->flags, &registry.access, &registry.client, err) < 0 ||
	    (options->jobs &&
	     registry_flags_number(options->jobs, "--jobs", 1, JOBS_MAX, &registry.jobs, err) < 0))
		return -1;
	return registry_open(source, &registry, out, err);
}

static int pull(const struct imgpull *options, struct err *err)
{
	auto_registry struct registry *registry = NULL;
	auto_transfers struct transfers *transfers = NULL;
	auto_store struct store *store = NULL;
	auto_strlist struct strlist names = STRLIST_INIT;
	auto_platform struct platform platform = { .os = NULL };
	struct pull_options pull_options = {
		.platform = options->platform ? &platform : NULL,
		.all_platforms = options->all_platforms,
		.name = options->args.count > 1 ? options->args.items[1] : NULL,
	};
	struct userns userns;
	struct digest id;
	char text[DIGEST_NAME_MAX];

	interrupt_hold();
	if (options->platform && options->all_platforms)
		return err_set(err, ERR_USAGE, "--platform and --all-platforms exclude each other");
	if (options->platform && platform_parse(options->platform, &platform, err) < 0) {
		err->kind = ERR_USAGE;
		return err_prefix(err, "--platform");
	}
	if (unpack_limits_raise(&options->limits, err) < 0 ||
	    open_registry(options, &registry, err) < 0)
		return -1;
	pull_options.registry = registry;
	if (userns_enter(&userns, err) < 0 || store_open(options->root, &store, err) < 0)
		return -1;
	pull_options.transfers = transfers = transfers_new(progress_mode(options), STDERR_FILENO);
	if (pull_image(store, options->args.items[0], &pull_options, &id, &names, err) < 0)
		return -1;
	transfers_free(ptr_steal(&transfers));
	for (size_t i = 0; i < names.count; i++)
		log_info("named %s", names.items[i]);
	if (printf("%s\n", digest_name(&id, text)) < 0 || fflush(stdout) < 0)
		return err_sys(err, "write to standard output");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*main)(int argc, char **argv);
	} verbs[] = {
		{ "login", login_main },
		{ "logout", logout_main },
		{ "tags", tags_main },
		{ "referrers", referrers_main },
	};
	struct imgpull options = { .root = NULL };
	struct err err = ERR_INIT;
	int result;

	/* an image of that name is written "login:latest" */
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].main(argc - 1, argv + 1);
	result = parse_options(argc, argv, &options, &err);
	log_init("imgpull", progress_mode(&options) == TRANSFERS_PLAIN ? LOG_INFO : LOG_QUIET);
	if (result == 0 && !options.is_done)
		result = pull(&options, &err);
	strlist_release(&options.args);
	strlist_release(&options.limits);
	if (result == 0)
		return 0;
	err_print(&err, "imgpull");
	return err_exit_status(&err);
}
