/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what a request is for the texts that imgbuild's options were given. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/epoch.h"
#include "builder/options.h"
#include "builder/plan.h"
#include "common/cmdline.h"
#include "common/fd.h"
#include "common/isolation.h"
#include "common/lines.h"
#include "common/mem.h"
#include "layers/unpack.h"

#define ARG_FILE_MAX_BYTES ((size_t)1024 * 1024)
#define PROFILE_MAX_BYTES  ((size_t)4 * 1024 * 1024)

void options_release(struct options *options)
{
	strlist_release(&options->tags);
	strlist_release(&options->build_args);
	strlist_release(&options->build_arg_files);
	strlist_release(&options->uncached);
	strlist_release(&options->env);
	strlist_release(&options->unset_env);
	strlist_release(&options->unset_labels);
	strlist_release(&options->labels);
	strlist_release(&options->annotations);
	strlist_release(&options->output);
	outputs_release(&options->outputs);
	strlist_release(&options->contexts);
	run_setting_texts_release(&options->run);
	security_texts_release(&options->security);
	strlist_release(&options->secrets);
	strlist_release(&options->agents);
	strlist_release(&options->allowed);
	strlist_release(&options->platforms);
	strlist_release(&options->unpack_limits);
	strlist_release(&options->pull_arguments);
}

static int take_outputs(struct options *options, struct err *err)
{
	if (options->push && outputs_add(&options->outputs, "type=registry", err) < 0)
		return -1;
	for (size_t i = 0; i < options->output.count; i++)
		if (outputs_add(&options->outputs, options->output.items[i], err) < 0)
			return -1;
	outputs_names(&options->outputs, &options->tags);
	return outputs_check_names(&options->outputs, &options->tags, err);
}

int options_parse(int argc, char **argv, struct options *out, struct strlist *out_args,
		  bool *out_done, struct err *err)
{
	if (options_table_parse(argc, argv, out, out_args, out_done, err) < 0)
		return -1;
	registry_flags_arguments(&out->registry, &out->pull_arguments);
	return *out_done ? 0 : take_outputs(out, err);
}

/* "NAME" alone takes the value from the environment; unset there, it is not given. */
static int take_build_arg(const char *text, struct strlist *out, struct err *err)
{
	size_t len = strcspn(text, "=");
	auto_free char *name = str_ndup(text, len);
	const char *value = text[len] == '=' ? text + len + 1 : getenv(name);

	if (len == 0)
		return err_set(err, ERR_USAGE, "build argument '%s' has no name", text);
	if (value)
		strlist_env_set(out, name, value);
	else
		strlist_env_unset(out, name);
	return 0;
}

/* A line as --build-arg; empty ones and comments are none. */
static int take_build_arg_line(void *out, char *line, struct err *err)
{
	return *line && *line != '#' ? take_build_arg(line, out, err) : 0;
}

/* Those of the command line go before all that files say. */
static int take_build_args(const struct options *options, struct strlist *out, struct err *err)
{
	for (size_t i = 0; i < options->build_arg_files.count; i++)
		if (lines_each(options->build_arg_files.items[i], ARG_FILE_MAX_BYTES,
			       take_build_arg_line, out, err) < 0)
			return err_prefix(err, "--build-arg-file");
	for (size_t i = 0; i < options->build_args.count; i++)
		if (take_build_arg(options->build_args.items[i], out, err) < 0)
			return err_prefix(err, "--build-arg");
	return 0;
}

static int take_changes(const struct options *options, struct plan_changes *out, struct err *err)
{
	out->from = options->from;
	out->keeps_unused_stages = !options->skip_unused;
	if (options->from && options->from[0] == '\0')
		return err_set(err, ERR_USAGE, "--from names no image");
	for (size_t i = 0; i < options->env.count; i++)
		if (plan_changes_add_env(out, options->env.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < options->uncached.count; i++)
		if (plan_changes_add_uncached(out, options->uncached.items[i], err) < 0)
			return -1;
	strlist_copy(&out->unset_env, &options->unset_env);
	strlist_copy(&out->unset_labels, &options->unset_labels);
	if (options->http_proxy)
		plan_changes_take_proxies(out);
	return 0;
}

/* docker buildx names the file by a variable alone. */
static int take_policy(const char *path, struct build_request *request, struct err *err)
{
	if (!path)
		path = getenv("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY");
	if (!path || path[0] == '\0')
		return 0;
	request->policy = policy_load(path, err);
	return request->policy ? 0 : err_prefix(err, "source policy");
}

/* "network.host" matters only where the steps' network is not the host's anyway. */
static int take_allowed(const struct strlist *names, struct build_request *request, struct err *err)
{
	if (request->network == SANDBOX_NETWORK_HOST)
		request->allowed |= PLAN_ALLOWED_HOST_NETWORK;
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i], "network.host") == 0)
			request->allowed |= PLAN_ALLOWED_HOST_NETWORK;
		else if (strcmp(names->items[i], "security.insecure") == 0)
			request->allowed |= PLAN_ALLOWED_INSECURE;
		else
			return err_set(err, ERR_USAGE,
				       "--allow is network.host or security.insecure, not '%s'",
				       names->items[i]);
	}
	return 0;
}

int options_grants(const struct options *options, struct grants *out, struct err *err)
{
	for (size_t i = 0; i < options->secrets.count; i++)
		if (grants_add_secret(out, options->secrets.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < options->agents.count; i++)
		if (grants_add_ssh(out, options->agents.items[i], err) < 0)
			return -1;
	return grants_hide(out, &options->secrets, err);
}

static int check_labels(const struct strlist *labels, struct err *err)
{
	for (size_t i = 0; i < labels->count; i++)
		if (labels->items[i][0] == '=' || labels->items[i][0] == '\0')
			return err_set(err, ERR_USAGE, "--label '%s' has no name",
				       labels->items[i]);
	return 0;
}

/* "--rewrite-timestamp" alone changes nothing: it is so wherever there is a time. */
static int take_epoch(const struct options *options, struct build_request *request, struct err *err)
{
	const struct epoch_options epoch = {
		.timestamp = options->timestamp,
		.source_date_epoch = options->source_date_epoch,
		.keeps_files = !options->rewrite_timestamp,
	};

	return epoch_take(&epoch, request, err);
}

/* Steps wait for disks and servers as often as they compute. */
static int take_jobs(const char *text, size_t *out, struct err *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long jobs;

	*out = processors > 4 ? (size_t)processors * 2 : 8;
	if (!text)
		return 0;
	errno = 0;
	jobs = strtoul(text, NULL, 10);
	if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0' || errno != 0)
		return err_set(err, ERR_USAGE, "--jobs '%s' is not a number", text);
	*out = jobs;
	return 0;
}

/* BuildKit's way to ask for an index of one image. */
static int take_platforms(const struct options *options, struct build_request *request,
			  struct err *err)
{
	const char *wanted = strlist_env_get(request->build_args, "BUILDKIT_MULTI_PLATFORM");

	if (platforms_parse(&options->platforms, &request->platforms, err) < 0)
		return -1;
	if (wanted && (strcmp(wanted, "1") == 0 || strcmp(wanted, "true") == 0))
		request->platforms.is_index = true;
	return 0;
}

static int check_outputs(const struct options *options, const struct platforms *platforms,
			 struct err *err)
{
	static const enum output_type single[] = { OUTPUT_DOCKER, OUTPUT_TAR };

	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		if (platforms->count > 1 && outputs_have(&options->outputs, single[i]))
			return err_set(err, ERR_USAGE,
				       "--output: types docker and tar are for one platform, "
				       "and --platform asks for %zu: use type=oci or type=local",
				       platforms->count);
	return 0;
}

/* What a profile says, and not what its file is called, decides what comes of a step. */
static int take_security(const struct security_texts *texts, struct build_request *request,
			 struct err *err)
{
	auto_strbuf struct strbuf profile = STRBUF_INIT;
	auto_close int fd = -1;

	if (security_parse(texts, &request->security, err) < 0)
		return -1;
	if (!request->security.seccomp)
		return 0;
	fd = open(request->security.seccomp, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "open the seccomp profile '%s'", request->security.seccomp);
	if (fd_read_all(fd, PROFILE_MAX_BYTES, &profile, request->security.seccomp, err) < 0)
		return -1;
	request->seccomp_text = strbuf_steal(&profile);
	return 0;
}

int options_prepare(const struct options *options, struct strlist *build_args,
		    struct build_request *request, struct err *err)
{
	request->build_args = build_args;
	request->labels = &options->labels;
	request->tags = &options->tags;
	request->target = options->target;
	/* without layers of steps, none is found, and there is one for all of them */
	request->no_cache = options->no_cache || !options->layers;
	request->is_unrecorded =
		options->outputs.count == 1 && outputs_have(&options->outputs, OUTPUT_CACHEONLY);
	request->squash = options->squash_all                   ? SQUASH_ALL
			  : options->squash || !options->layers ? SQUASH_NEW
								: SQUASH_NONE;
	request->pull_arguments = &options->pull_arguments;
	if (pull_when_parse(options->pull, &request->pull, err) < 0 ||
	    isolation_want(options->isolation, err) < 0 ||
	    unpack_limits_raise(&options->unpack_limits, err) < 0 ||
	    take_build_args(options, build_args, err) < 0 ||
	    take_changes(options, &request->changes, err) < 0 ||
	    take_policy(options->policy_file, request, err) < 0 ||
	    check_labels(&options->labels, err) < 0 || take_epoch(options, request, err) < 0 ||
	    take_jobs(options->jobs, &request->jobs, err) < 0 ||
	    take_platforms(options, request, err) < 0 ||
	    annotations_parse(&options->annotations, &request->platforms, &request->annotations,
			      err) < 0 ||
	    check_outputs(options, &request->platforms, err) < 0 ||
	    sandbox_network_parse(options->network ? options->network : "default",
				  &request->network, err) < 0 ||
	    take_allowed(&options->allowed, request, err) < 0)
		return -1;
	if (take_security(&options->security, request, err) < 0)
		return -1;
	request->runtime = options->runtime;
	if (request->runtime && request->security.seccomp)
		return err_set(err, ERR_USAGE,
			       "--runtime with a seccomp profile is not supported: that would need "
			       "it in another form");
	return run_settings_make(&options->run, request->network, &request->run_settings, err);
}
