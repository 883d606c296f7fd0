/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgbuild: a Buildfile and a directory in, an image out. Answers for the one line on
 * stdout, the image's ID.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "builder/build.h"
#include "builder/call.h"
#include "builder/input.h"
#include "builder/metadata.h"
#include "builder/options.h"
#include "builder/report.h"
#include "builder/value.h"
#include "builder/verify.h"
#include "common/fd.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/userns.h"
#include "sandbox/cgroup.h"
#include "sandbox/runtime.h"
#include "storage/mount.h"

/* Signals that ask us to stop become readable; a step in a sandbox is stopped and nothing is left.
 */
static int watch_signals(struct err *err)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(err, "watch for signals") : fd;
}

static int write_file(const char *path, const char *text, struct err *err)
{
	auto_close int fd = -1;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return fd_write_all(fd, text, strlen(text), path, err);
}

static enum progress_mode progress_mode(const struct options *options)
{
	bool is_quiet =
		options->quiet || (options->progress && strcmp(options->progress, "quiet") == 0);

	return is_quiet ? PROGRESS_QUIET : PROGRESS_PLAIN;
}

static int write_report(const char *path, struct report *report, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (!path)
		return 0;
	report_format(report, &text);
	return write_file(path, text.data, err);
}

static int finish(const struct options *options, const struct build_request *request,
		  const struct digest *id, struct err *err)
{
	const struct output_job job = { .store = request->store,
					.registry = &options->registry,
					.platforms = &request->platforms,
					.image = id,
					.tags = request->tags };
	char name[DIGEST_NAME_MAX];
	auto_free char *line = NULL;

	if (write_report(options->report_file, request->sizes, err) < 0)
		return -1;
	if (request->is_unrecorded)
		return options->metadata_file
			       ? metadata_write(options->metadata_file, request, NULL, err)
			       : 0;
	if (outputs_write(&options->outputs, &job, err) < 0)
		return -1;
	digest_name(id, name);
	if (options->metadata_file && metadata_write(options->metadata_file, request, id, err) < 0)
		return -1;
	if (options->iidfile && write_file(options->iidfile, name, err) < 0)
		return -1;
	if (outputs_use_stdout(&options->outputs))
		return 0;
	line = str_format("%s\n", name);
	return fd_write_all(STDOUT_FILENO, line, strlen(line), "stdout", err);
}

/* Like the end of docker's plain output; nothing is shown when nothing was wanted. */
static void show_checks(const struct options *options, const struct check_report *report)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err ignored = ERR_INIT;

	check_print_short(report, &text);
	/* what cannot be shown is not an error of the build */
	if (progress_mode(options) != PROGRESS_QUIET)
		fd_write_all(STDERR_FILENO, text.data, text.len, "stderr", &ignored);
}

/*
 * Where what the command line names is fetched to. It may use the user's own agent, which the
 * Buildfile may not unless it was lent.
 */
static struct download_place download_place(const struct build_request *request,
					    struct store *store)
{
	const struct grant_agent *lent =
		request->grants ? grants_agent(request->grants, "default") : NULL;

	return (struct download_place){
		.store = store,
		.policy = request->policy,
		.agent = lent ? lent->path : getenv("SSH_AUTH_SOCK"),
		.interrupt_fd = request->interrupt_fd,
	};
}

static int load_input(const struct options *options, const char *context, struct store *store,
		      const struct build_request *request, struct input *out, struct err *err)
{
	const struct download_place place = download_place(request, store);
	struct input_options input = {
		.context = context,
		.file = options->file,
		.ignorefile = options->ignorefile,
	};
	const char *keeps = strlist_env_get(request->build_args, "BUILDKIT_CONTEXT_KEEP_GIT_DIR");

	if (keeps && value_bool(keeps, &input.keeps_git_dir, err) < 0)
		return err_prefix(err, "build argument 'BUILDKIT_CONTEXT_KEEP_GIT_DIR'");
	return input_load(&input, &place, out, err);
}

/* @store NULL: nothing is brought here from elsewhere. */
static int open_named(const struct options *options, struct store *store,
		      const struct build_request *request, struct named_contexts *out,
		      struct err *err)
{
	const struct download_place place = download_place(request, store);

	out->all_platforms = request->platforms.is_explicit;
	for (size_t i = 0; i < options->contexts.count; i++)
		if (named_add(out, options->contexts.items[i], &place, err) < 0)
			return -1;
	return 0;
}

/* Names of files may hold anything, a terminal's commands too. */
static int verify(const struct build_request *request, struct digest *out_id, struct err *err)
{
	auto_strbuf struct strbuf lines = STRBUF_INIT;
	int result = verify_run(request, &lines, out_id, err);
	char *rest = lines.len > 0 ? lines.data : NULL;
	const char *line;

	while ((line = strsep(&rest, "\n")) && line[0]) {
		auto_free char *shown = str_format("imgbuild: %s\n", line);

		for (char *c = shown; c[1]; c++)
			if ((unsigned char)*c < 0x20 || *c == 0x7f)
				*c = '?';
		fd_write_quiet(STDERR_FILENO, shown, strlen(shown));
	}
	return result;
}

static int build(const struct options *options, const char *context_path,
		 struct build_request *request, struct err *err)
{
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	auto_report struct report sizes = REPORT_INIT;
	auto_progress struct progress *progress = NULL;
	auto_store struct store *store = NULL;
	auto_named struct named_contexts named = NAMED_INIT;
	auto_input struct input input = INPUT_INIT;
	struct digest id;
	int result;

	if (store_open(options->root, &store, err) < 0 ||
	    (options->storage_driver &&
	     mount_choose_driver(store, options->storage_driver, err) < 0) ||
	    cgroup_sweep(store, err) < 0 ||
	    load_input(options, context_path, store, request, &input, err) < 0 ||
	    open_named(options, store, request, &named, err) < 0)
		return -1;
	progress = progress_new(progress_mode(options), STDERR_FILENO);
	request->ast = input.ast;
	request->context = &input.context;
	request->named = &named;
	request->progress = progress;
	request->is_quiet = progress_mode(options) == PROGRESS_QUIET;
	request->store = store;
	request->report = &report;
	request->sizes = options->report || options->report_file ? &sizes : NULL;
	request->shows_sizes = options->report;
	result = options->verify ? verify(request, &id, err) : build_run(request, &id, err);
	if (result == 0 || report.options.is_error)
		show_checks(options, &report);
	return result < 0 ? -1 : finish(options, request, &id, err);
}

/* The images of a store are of help to a check, but no condition. */
static struct store *open_store(const char *root)
{
	struct store *store = NULL;
	struct userns userns;
	struct err ignored = ERR_INIT;

	if (!userns_is_possible() || userns_enter(&userns, &ignored) < 0 ||
	    store_open_reading(root, &store, &ignored) < 0)
		return NULL;
	return store;
}

/* The answer goes to stdout. *out_status: 1 when a check found something. */
static int ask(const struct options *options, const struct call *call, const char *context_path,
	       struct build_request *request, int *out_status, struct err *err)
{
	auto_store struct store *store = open_store(options->root);
	auto_named struct named_contexts named = NAMED_INIT;
	auto_input struct input input = INPUT_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err lost = ERR_INIT;
	bool is_found = false;
	int result = -1;

	if (load_input(options, context_path, store, request, &input, err) == 0 &&
	    open_named(options, NULL, request, &named, err) == 0) {
		request->ast = input.ast;
		request->context = &input.context;
		request->named = &named;
		request->store = store;
		result = call_answer(call, request, &text, &is_found, err);
	} else {
		call_answer_unread(call, err, &text);
	}
	*out_status = is_found && !call->ignores_status ? 1 : 0;
	if (fd_write_all(STDOUT_FILENO, text.data, text.len, "stdout", result < 0 ? &lost : err) <
	    0)
		return -1;
	return result;
}

/* Once, and only where a lower rung was not asked for. */
static void tell_rung(const struct userns *userns)
{
	if (userns->why[0])
		log_info("isolation '%s': %s", isolation_name(isolation_current()), userns->why);
}

/* *out_status is meant for the case that nothing fails. */
static int run(const struct options *options, const char *context_path,
	       struct build_request *request, int *out_status, struct err *err)
{
	auto_grants struct grants grants = GRANTS_INIT;
	struct call call = CALL_INIT;
	struct userns userns;

	if (call_parse(options->call, &call, err) < 0)
		return -1;
	if (options->check)
		call.method = CALL_CHECK;
	if (call.method != CALL_BUILD)
		return ask(options, &call, context_path, request, out_status, err);
	if (userns_enter(&userns, err) < 0 ||
	    (request->runtime && runtime_check(request->runtime, err) < 0) ||
	    options_grants(options, &grants, err) < 0 ||
	    volumes_open(&request->run_settings.volumes, err) < 0)
		return -1;
	tell_rung(&userns);
	request->grants = &grants;
	request->interrupt_fd = watch_signals(err);
	return request->interrupt_fd < 0 ? -1 : build(options, context_path, request, err);
}

int main(int argc, char **argv)
{
	struct options options = OPTIONS_INIT;
	struct build_request request = { .interrupt_fd = -1 };
	auto_strlist struct strlist args = STRLIST_INIT;
	auto_strlist struct strlist build_args = STRLIST_INIT;
	struct err err = ERR_INIT;
	bool is_done = false;
	int status = 0;

	log_init("imgbuild", LOG_INFO);
	if (options_parse(argc, argv, &options, &args, &is_done, &err) < 0 ||
	    (!is_done && (options_prepare(&options, &build_args, &request, &err) < 0 ||
			  run(&options, args.items[0], &request, &status, &err) < 0))) {
		err_print(&err, "imgbuild");
		status = err_exit_status(&err);
	}
	fd_close(&request.interrupt_fd);
	platforms_release(&request.platforms);
	annotations_release(&request.annotations);
	plan_changes_release(&request.changes);
	policy_free(request.policy);
	run_settings_release(&request.run_settings);
	security_release(&request.security);
	free(request.seccomp_text);
	options_release(&options);
	return status;
}
