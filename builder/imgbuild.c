/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgbuild: a Buildfile and a directory in, an image out. Answers for the options and
 * for the one line on stdout: the image's ID.
 */
#include <errno.h>
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
#include "builder/plan.h"
#include "common/cmdline.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/userns.h"

struct options {
	struct strlist tags;
	struct strlist build_args;
	struct strlist labels;
	struct strlist contexts;
	const char *file;
	const char *ignorefile;
	const char *target;
	const char *network;
	const char *iidfile;
	const char *progress;
	const char *root;
	const char *platform;
	const char *pull;
	const char *call;
	bool check;
	const char *jobs;
	struct strlist secrets;
	struct strlist agents;
	struct strlist allowed;
	bool no_cache;
	bool quiet;
};

static void options_release(struct options *options)
{
	strlist_release(&options->tags);
	strlist_release(&options->build_args);
	strlist_release(&options->labels);
	strlist_release(&options->contexts);
	strlist_release(&options->secrets);
	strlist_release(&options->agents);
	strlist_release(&options->allowed);
}

static int parse_options(int argc, char **argv, struct options *out, struct strlist *out_args,
			 bool *out_done, struct err *err)
{
	const struct cmdline_option table[] = {
		{ 't', "tag", OPTION_LIST, &out->tags, "NAME[:TAG]",
		  "name the image (may be given several times)", NULL },
		{ 'f', "file", OPTION_STRING, &out->file, "FILE",
		  "the Buildfile, \"-\" for stdin (default: Buildfile, Containerfile or "
		  "Dockerfile in CONTEXT)",
		  NULL },
		{ 0, "ignorefile", OPTION_STRING, &out->ignorefile, "FILE",
		  "what of CONTEXT is left out (default: FILE.dockerignore or .containerignore "
		  "beside the Buildfile, else .containerignore or .dockerignore in CONTEXT)",
		  NULL },
		{ 0, "build-context", OPTION_LIST, &out->contexts, "NAME=VALUE",
		  "what FROM NAME and --from=NAME mean: a directory, docker-image://IMAGE, "
		  "oci-layout://DIR:TAG, a git repository or a URL of an archive",
		  NULL },
		{ 0, "build-arg", OPTION_LIST, &out->build_args, "NAME[=VALUE]",
		  "value of an ARG; without \"=VALUE\" that of the environment", NULL },
		{ 0, "label", OPTION_LIST, &out->labels, "NAME=VALUE", "label of the image", NULL },
		{ 0, "target", OPTION_STRING, &out->target, "STAGE",
		  "the stage to build (default: the last one)", NULL },
		{ 0, "no-cache", OPTION_FLAG, &out->no_cache, NULL,
		  "run every step; their results are remembered", NULL },
		{ 0, "pull", OPTION_CHOICE, &out->pull, "WHEN",
		  "images that are not in the store are an error with either (default: missing)",
		  "missing|never" },
		{ 0, "jobs", OPTION_STRING, &out->jobs, "N",
		  "stages that run at the same time (default: twice the processors, at least 8; "
		  "0: as many as can)",
		  NULL },
		{ 0, "network", OPTION_CHOICE, &out->network, "MODE",
		  "network of RUN steps (default: the host's)", "default|host|none" },
		{ 0, "secret", OPTION_LIST, &out->secrets, "id=NAME[,src=FILE|,env=VAR]",
		  "a secret for RUN --mount=type=secret,id=NAME", NULL },
		{ 0, "ssh", OPTION_LIST, &out->agents, "default|NAME[=SOCKET]",
		  "an SSH agent for RUN --mount=type=ssh,id=NAME (default: $SSH_AUTH_SOCK)", NULL },
		{ 0, "allow", OPTION_LIST, &out->allowed, "WHAT",
		  "let the Buildfile have network.host or security.insecure", NULL },
		{ 0, "platform", OPTION_STRING, &out->platform, "OS/ARCH",
		  "platform of the image: this machine's", NULL },
		{ 0, "iidfile", OPTION_STRING, &out->iidfile, "FILE", "write the image ID to FILE",
		  NULL },
		{ 0, "progress", OPTION_CHOICE, &out->progress, "MODE",
		  "what is shown on stderr (default: auto, which is plain)", "auto|plain|quiet" },
		{ 0, "call", OPTION_STRING, &out->call, "METHOD[,format=json]",
		  "ask the Buildfile instead of building it: check, outline or targets", NULL },
		{ 0, "check", OPTION_FLAG, &out->check, NULL,
		  "the same as --call=check: show what is unwise in the Buildfile", NULL },
		{ 'q', "quiet", OPTION_FLAG, &out->quiet, NULL, "show nothing but the image ID",
		  NULL },
		{ 0, "root", OPTION_STRING, &out->root, "DIR", "the store", NULL },
		{ 0, "rm", OPTION_IGNORED, NULL, NULL, "accepted; nothing is ever left", NULL },
		{ 0, "force-rm", OPTION_IGNORED, NULL, NULL, "accepted; nothing is ever left",
		  NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgbuild",
		.synopsis = "[OPTIONS] CONTEXT",
		.summary = "Build an image from a Buildfile (or Dockerfile) and the files in "
			   "CONTEXT,\na directory, a git repository or a URL; with \"-\" stdin "
			   "is a tar of it, or the\nBuildfile. The ID of the image is printed on "
			   "stdout.",
		.options = table,
		.min_args = 1,
		.max_args = 1,
	};

	return cmdline_parse(&cmdline, argc, argv, out_args, out_done, err);
}

/* "NAME" alone takes the value from the environment; unset there, it is not given. */
static int take_build_args(const struct strlist *given, struct strlist *out, struct err *err)
{
	for (size_t i = 0; i < given->count; i++) {
		const char *text = given->items[i];
		size_t len = strcspn(text, "=");
		auto_free char *name = str_ndup(text, len);
		const char *value = text[len] == '=' ? text + len + 1 : getenv(name);

		if (len == 0)
			return err_set(err, ERR_USAGE, "--build-arg '%s' has no name", text);
		if (value)
			strlist_env_set(out, name, value);
	}
	return 0;
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

static int take_grants(const struct options *options, struct grants *out, struct err *err)
{
	for (size_t i = 0; i < options->secrets.count; i++)
		if (grants_add_secret(out, options->secrets.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < options->agents.count; i++)
		if (grants_add_ssh(out, options->agents.items[i], err) < 0)
			return -1;
	return 0;
}

static int check_labels(const struct strlist *labels, struct err *err)
{
	for (size_t i = 0; i < labels->count; i++)
		if (labels->items[i][0] == '=' || labels->items[i][0] == '\0')
			return err_set(err, ERR_USAGE, "--label '%s' has no name",
				       labels->items[i]);
	return 0;
}

/* --build-arg SOURCE_DATE_EPOCH, else the environment's. */
static int take_epoch(struct build_request *request, struct err *err)
{
	const char *text = strlist_env_get(request->build_args, "SOURCE_DATE_EPOCH");
	char *end;

	if (!text)
		text = getenv("SOURCE_DATE_EPOCH");
	if (!text || text[0] == '\0')
		return 0;
	errno = 0;
	request->epoch = strtoll(text, &end, 10);
	/* years beyond 9999 cannot be written as RFC 3339 */
	if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' ||
	    request->epoch > INT64_C(253402300799))
		return err_set(err, ERR_USAGE, "SOURCE_DATE_EPOCH '%s' is not a number of seconds",
			       text);
	request->has_epoch = true;
	return 0;
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

static int take_platform(const char *text, struct platform *out, struct err *err)
{
	auto_platform struct platform wanted = { 0 };

	platform_host(out);
	if (!text)
		return 0;
	if (strchr(text, ','))
		return err_set(err, ERR_INPUT, "several platforms are not supported: '%s'", text);
	if (platform_parse(text, &wanted, err) < 0)
		return -1;
	if (platform_match(&wanted, out) < 0)
		return err_set(err, ERR_INPUT,
			       "platform '%s' is not supported: only this machine's", text);
	return 0;
}

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

static int write_iidfile(const char *path, const char *text, struct err *err)
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

static int finish(const struct options *options, const struct digest *id, struct err *err)
{
	char name[DIGEST_NAME_MAX];
	auto_free char *line = NULL;

	digest_name(id, name);
	if (options->iidfile && write_iidfile(options->iidfile, name, err) < 0)
		return -1;
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

static int load_input(const struct options *options, const char *context, struct store *store,
		      const struct build_request *request, struct input *out, struct err *err)
{
	const struct input_options input = {
		.context = context,
		.file = options->file,
		.ignorefile = options->ignorefile,
		.interrupt_fd = request->interrupt_fd,
	};

	return input_load(&input, store, out, err);
}

/* @store NULL: nothing is brought here from elsewhere. */
static int open_named(const struct options *options, struct store *store,
		      const struct build_request *request, struct named_contexts *out,
		      struct err *err)
{
	const struct named_place place = { .store = store, .interrupt_fd = request->interrupt_fd };

	for (size_t i = 0; i < options->contexts.count; i++)
		if (named_add(out, options->contexts.items[i], &place, err) < 0)
			return -1;
	return 0;
}

static int build(const struct options *options, const char *context_path,
		 struct build_request *request, struct err *err)
{
	auto_check_report struct check_report report = CHECK_REPORT_INIT;
	auto_progress struct progress *progress = NULL;
	auto_store struct store *store = NULL;
	auto_named struct named_contexts named = NAMED_INIT;
	auto_input struct input input = INPUT_INIT;
	struct digest id;
	int result;

	if (store_open(options->root, &store, err) < 0 ||
	    load_input(options, context_path, store, request, &input, err) < 0 ||
	    open_named(options, store, request, &named, err) < 0)
		return -1;
	progress = progress_new(progress_mode(options), STDERR_FILENO);
	request->ast = input.ast;
	request->context = &input.context;
	request->named = &named;
	request->progress = progress;
	request->store = store;
	request->report = &report;
	result = build_run(request, &id, err);
	if (result == 0 || report.options.is_error)
		show_checks(options, &report);
	return result < 0 ? -1 : finish(options, &id, err);
}

/* The images of a store are of help to a check, but no condition. */
static struct store *open_store(const char *root)
{
	struct store *store = NULL;
	struct userns userns;
	struct err ignored = ERR_INIT;

	if (!userns_is_possible() || userns_enter(&userns, &ignored) < 0 ||
	    store_open(root, &store, &ignored) < 0)
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

static int prepare(const struct options *options, struct strlist *build_args,
		   struct build_request *request, struct err *err)
{
	request->build_args = build_args;
	request->labels = &options->labels;
	request->tags = &options->tags;
	request->target = options->target;
	request->no_cache = options->no_cache;
	if (take_build_args(&options->build_args, build_args, err) < 0 ||
	    check_labels(&options->labels, err) < 0 || take_epoch(request, err) < 0 ||
	    take_jobs(options->jobs, &request->jobs, err) < 0 ||
	    take_platform(options->platform, &request->platform, err) < 0 ||
	    sandbox_network_parse(options->network ? options->network : "default",
				  &request->network, err) < 0 ||
	    take_allowed(&options->allowed, request, err) < 0)
		return -1;
	return 0;
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
	if (userns_enter(&userns, err) < 0 || take_grants(options, &grants, err) < 0)
		return -1;
	if (userns.mode == USERNS_SINGLE)
		log_warn("files and processes can belong to one user only: %s", userns.why_single);
	request->grants = &grants;
	request->interrupt_fd = watch_signals(err);
	return request->interrupt_fd < 0 ? -1 : build(options, context_path, request, err);
}

int main(int argc, char **argv)
{
	struct options options = { .file = NULL };
	struct build_request request = { .interrupt_fd = -1 };
	auto_strlist struct strlist args = STRLIST_INIT;
	auto_strlist struct strlist build_args = STRLIST_INIT;
	struct err err = ERR_INIT;
	bool is_done = false;
	int status = 0;

	log_init("imgbuild", LOG_INFO);
	if (parse_options(argc, argv, &options, &args, &is_done, &err) < 0 ||
	    (!is_done && (prepare(&options, &build_args, &request, &err) < 0 ||
			  run(&options, args.items[0], &request, &status, &err) < 0))) {
		err_print(&err, "imgbuild");
		status = err_exit_status(&err);
	}
	fd_close(&request.interrupt_fd);
	platform_release(&request.platform);
	options_release(&options);
	return status;
}
