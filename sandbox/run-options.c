/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the options of imgrun: their table, and what is meant by the texts that were given.
 */
#include "sandbox/run-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmdline.h"
#include "common/lines.h"
#include "common/signals.h"
#include "sandbox/network.h"
#include "sandbox/run-plan.h"
#include "sandbox/sysctl.h"
#include "sandbox/volume-lent.h"
#include "storage/image-pull.h"

#define TIMEOUT_MAX_S        86400
#define OFFSET_MAX_S         (INT64_C(100) * 365 * 86400)
#define LABEL_FILE_MAX_BYTES ((size_t)1024 * 1024)

void run_options_release(struct run_options *options)
{
	strlist_release(&options->command);
	strlist_release(&options->env);
	strlist_release(&options->labels);
	strlist_release(&options->ports);
	strlist_release(&options->sysctls);
	strlist_release(&options->volumes_from);
	run_settings_release(&options->settings);
	security_release(&options->security);
	namespaces_release(&options->namespaces);
	own_ids_release(&options->ids);
}

/* What is looked at after the table. */
struct texts {
	struct run_setting_texts settings;
	struct security_texts security;
	struct strlist env;
	struct strlist env_files;
	struct strlist labels;
	struct strlist label_files;
	struct strlist volumes;
	struct strlist tmpfs;
	struct strlist mounts;
	struct strlist sysctls;
	struct strlist args;
	const char *network;
	const char *stop_signal;
	const char *stop_timeout;
	const char *time_offset;
	const char *detach_keys;
};
#define auto_texts __attribute__((cleanup(texts_release)))

static void texts_release(struct texts *texts)
{
	run_setting_texts_release(&texts->settings);
	security_texts_release(&texts->security);
	strlist_release(&texts->env);
	strlist_release(&texts->env_files);
	strlist_release(&texts->labels);
	strlist_release(&texts->label_files);
	strlist_release(&texts->volumes);
	strlist_release(&texts->tmpfs);
	strlist_release(&texts->mounts);
	strlist_release(&texts->sysctls);
	strlist_release(&texts->args);
}

static int parse_table(int argc, char **argv, struct run_options *run, struct texts *texts,
		       struct err *err)
{
	const struct cmdline_option table[] = {
		{ 'i', "interactive", OPTION_FLAG, &run->interactive, NULL,
		  "the container reads our standard input", NULL },
		{ 't', "tty", OPTION_FLAG, &run->terminal, NULL,
		  "the container gets a terminal of its own", NULL },
		{ 'd', "detach", OPTION_FLAG, &run->is_detached, NULL,
		  "run it in the background and print its ID; see imgstore logs, stop, exec",
		  NULL },
		{ 0, "detach-keys", OPTION_STRING, &texts->detach_keys, "KEYS",
		  "with -it: what is typed to leave it to itself (default: " DETACH_KEYS_DEFAULT
		  ")",
		  NULL },
		{ 0, "rm", OPTION_FLAG, &run->remove_after, NULL,
		  "remove the container when it has ended", NULL },
		{ 0, "commit", OPTION_STRING, &run->commit_name, "NAME[:TAG]",
		  "make an image of what it has changed, when it ends with status 0", NULL },
		{ 0, "name", OPTION_STRING, &run->name, "NAME", "name the container", NULL },
		{ 'l', "label", OPTION_LIST, &texts->labels, "NAME=VALUE",
		  "what imgstore ps shows of it", NULL },
		{ 0, "label-file", OPTION_LIST, &texts->label_files, "FILE",
		  "labels from the lines of a file", NULL },
		{ 0, "cidfile", OPTION_STRING, &run->cid_file, "FILE", "write its ID to FILE",
		  NULL },
		{ 'e', "env", OPTION_LIST, &texts->env, "KEY[=VALUE]",
		  "set a variable, or hand on ours", NULL },
		{ 0, "env-file", OPTION_LIST, &texts->env_files, "FILE",
		  "set variables from the lines of a file", NULL },
		{ 'w', "workdir", OPTION_STRING, &run->workdir, "DIR", "start in this directory",
		  NULL },
		{ 'u', "user", OPTION_STRING, &run->user, "USER[:GROUP]",
		  "run as this user of the image, or as a number", NULL },
		{ 'v', "volume", OPTION_LIST, &texts->volumes, "SOURCE:CONTAINER[:ro|rw|O]",
		  "show a file or directory of the host, or a volume of that name", NULL },
		{ 0, "tmpfs", OPTION_LIST, &texts->tmpfs, "CONTAINER[:OPTIONS]",
		  "a file system in memory, as in /run:size=64m,mode=0755", NULL },
		{ 0, "mount", OPTION_LIST, &texts->mounts, "type=bind|volume|tmpfs,...",
		  "the same in words: source=, target=, readonly, tmpfs-size=, tmpfs-mode=", NULL },
		{ 0, "volumes-from", OPTION_LIST, &run->volumes_from, "CONTAINER[:ro|rw]",
		  "the volumes of another container, at the same places", NULL },
		{ 0, "entrypoint", OPTION_STRING, &run->entrypoint, "COMMAND",
		  "run this instead of the image's entrypoint", NULL },
		{ 0, "network", OPTION_STRING, &texts->network, "host|none|private|container:NAME",
		  "the host's network (default), none, one of its own (by \"pasta\" or "
		  "\"slirp4netns\"), or another's",
		  NULL },
		{ 'p', "publish", OPTION_LIST, &run->ports, "[IP:]HOST:CONTAINER[/udp]",
		  "with --network=private: a port of the host that leads into it", NULL },
		{ 'P', "publish-all", OPTION_FLAG, &run->publishes_all, NULL,
		  "the same for each port that the image exposes, from one that is free", NULL },
		{ 0, "pid", OPTION_STRING, &run->namespaces.items[NAMESPACE_PID].text,
		  "private|host|container:NAME", "whose processes it sees (default: its own)",
		  NULL },
		{ 0, "ipc", OPTION_STRING, &run->namespaces.items[NAMESPACE_IPC].text,
		  "private|host|container:NAME", "whose System V IPC and message queues", NULL },
		{ 0, "uts", OPTION_STRING, &run->namespaces.items[NAMESPACE_UTS].text,
		  "private|host|container:NAME", "whose host name", NULL },
		{ 0, "cgroupns", OPTION_STRING, &run->namespaces.items[NAMESPACE_CGROUP].text,
		  "private|host|container:NAME", "whose view of control groups", NULL },
		{ 0, "userns", OPTION_STRING, &run->ids.text,
		  "host|private|keep-id|auto[:size=COUNT]",
		  "whose user ids it has; auto: some that nobody else has", NULL },
		{ 0, "uidmap", OPTION_LIST, &run->ids.uid_maps, "INSIDE:OUTSIDE[:COUNT]",
		  "users of the container and which they are on the host", NULL },
		{ 0, "gidmap", OPTION_LIST, &run->ids.gid_maps, "INSIDE:OUTSIDE[:COUNT]",
		  "the same of groups (default: as --uidmap)", NULL },
		{ 0, "subuidname", OPTION_STRING, &run->ids.uid_name, "USER",
		  "its users are the subordinate ids of USER", NULL },
		{ 0, "subgidname", OPTION_STRING, &run->ids.gid_name, "USER",
		  "its groups are (default: as --subuidname)", NULL },
		{ 0, "time-offset", OPTION_STRING, &texts->time_offset, "SECONDS",
		  "its monotonic and boot clocks are so far ahead of the host's", NULL },
		{ 'h', "hostname", OPTION_STRING, &run->hostname, "NAME",
		  "the container's host name", NULL },
		RUN_SETTING_OPTIONS(&texts->settings),
		{ 0, "limits-in-proc", OPTION_FLAG, &run->shows_limits, NULL,
		  "its /proc shows how much of the machine it may use, not all there is", NULL },
		{ 0, "read-only", OPTION_FLAG, &run->read_only, NULL,
		  "the container's root cannot be written to", NULL },
		SECURITY_OPTIONS(&texts->security),
		{ 0, "privileged", OPTION_FLAG, &texts->security.is_privileged, NULL,
		  "hold nothing back: all capabilities, devices and paths, no filter", NULL },
		{ 0, "sysctl", OPTION_LIST, &texts->sysctls, "NAME=VALUE",
		  "a setting of the kernel that it has of its own, as net.ipv4.ip_forward", NULL },
		{ 0, "init", OPTION_FLAG, &run->has_init, NULL,
		  "a first process that hands on signals and takes in orphans", NULL },
		{ 0, "stop-signal", OPTION_STRING, &texts->stop_signal, "SIGNAL",
		  "what imgstore stop sends (default: the image's, or TERM)", NULL },
		{ 0, "stop-timeout", OPTION_STRING, &texts->stop_timeout, "SECONDS",
		  "how long it has then (default: 10)", NULL },
		{ 0, "pull", OPTION_CHOICE, &run->pull, "WHEN",
		  "bring the image from its registry (default: missing)", PULL_WHEN_CHOICES },
		{ 0, "authfile", OPTION_STRING, &run->authfile, "FILE", "credentials for that",
		  NULL },
		{ 0, "tls-verify", OPTION_SWITCH, &run->tls_verify, NULL,
		  "check the registry's certificate, and speak https only", NULL },
		{ 0, "runtime", OPTION_STRING, &run->runtime, "PROGRAM",
		  "have an OCI runtime run it, as runc or crun", NULL },
		{ 0, "bundle", OPTION_STRING, &run->bundle, "DIR",
		  "make an OCI bundle in DIR, and run nothing", NULL },
		{ 0, "platform", OPTION_STRING, &run->platform, "OS/ARCH[/VARIANT]",
		  "of an image for several platforms, run this one's (default: this machine's)",
		  NULL },
		{ 0, "print-description", OPTION_FLAG, &run->print_description, NULL,
		  "print what would be done, run nothing", NULL },
		{ 0, "isolation", OPTION_CHOICE, &run->isolation, "HOW",
		  "how the command is kept apart (default: auto, the first that this host allows)",
		  "auto|namespaces|single-id|chroot" },
		{ 0, "storage-driver", OPTION_STRING, &run->storage_driver, "NAME",
		  "how layers are put together: overlay, overlay-mount, fuse or copy "
		  "(default: the first that can be used here)",
		  NULL },
		{ 0, "root", OPTION_STRING, &run->root, "DIR",
		  "the store (default: $IMGBUILD_ROOT, else the user's own)", NULL },
		OPTION_ADD_STORE,
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgrun",
		.synopsis = "[OPTIONS] IMAGE [COMMAND [ARGUMENT…]]",
		.summary = "Run a container of an image. The exit status is the command's own, 125 "
			   "when\nimgrun failed, 126 or 127 when the command could not be run.",
		.options = table,
		.min_args = 1,
		.max_args = SIZE_MAX,
		.stop_at_positional = true,
	};

	return cmdline_parse(&cmdline, argc, argv, &texts->args, &run->is_done, err);
}

/* ---- what is meant ---- */

static int take_env(const struct texts *texts, struct strlist *out, struct err *err)
{
	for (size_t i = 0; i < texts->env_files.count; i++)
		if (run_env_file(texts->env_files.items[i], out, err) < 0)
			return err_prefix(err, "--env-file");
	for (size_t i = 0; i < texts->env.count; i++)
		if (run_env_add(texts->env.items[i], out, err) < 0)
			return err_prefix(err, "--env");
	return 0;
}

/* A name alone has an empty value. */
static int add_label(void *context, char *line, struct err *err)
{
	struct strlist *out = context;

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	if (*line == '=')
		return err_set(err, ERR_USAGE, "label '%s' has no name", line);
	strlist_addf(out, "%s%s", line, strchr(line, '=') ? "" : "=");
	return 0;
}

static int take_labels(const struct texts *texts, struct strlist *out, struct err *err)
{
	for (size_t i = 0; i < texts->label_files.count; i++)
		if (lines_each(texts->label_files.items[i], LABEL_FILE_MAX_BYTES, add_label, out,
			       err) < 0)
			return err_prefix(err, "--label-file");
	for (size_t i = 0; i < texts->labels.count; i++)
		if (add_label(out, texts->labels.items[i], err) < 0)
			return -1;
	return 0;
}

static int take_volumes(const struct texts *texts, struct volumes *out, struct err *err)
{
	const struct {
		const struct strlist *list;
		int (*add)(struct volumes *volumes, const char *text, struct err *err);
	} rows[] = {
		{ &texts->volumes, volumes_add },
		{ &texts->tmpfs, volumes_add_tmpfs },
		{ &texts->mounts, volumes_add_mount },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; k < rows[i].list->count; k++)
			if (rows[i].add(out, rows[i].list->items[k], err) < 0)
				return -1;
	return 0;
}

static int take_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *out,
		       struct err *err)
{
	char *end;

	if (!text)
		return 0;
	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end || *out < min || *out > max)
		return err_set(err, ERR_USAGE, "--%s: '%s' is no number within %jd and %jd", option,
			       text, (intmax_t)min, (intmax_t)max);
	return 0;
}

static int take_numbers(const struct texts *texts, struct run_options *out, struct err *err)
{
	if (texts->stop_signal && signal_parse(texts->stop_signal, &out->stop_signal, err) < 0) {
		err->kind = ERR_USAGE;
		return err_prefix(err, "--stop-signal");
	}
	out->has_time_offset = texts->time_offset;
	if (take_number("stop-timeout", texts->stop_timeout, 0, TIMEOUT_MAX_S, &out->stop_timeout_s,
			err) < 0)
		return -1;
	return take_number("time-offset", texts->time_offset, -OFFSET_MAX_S, OFFSET_MAX_S,
			   &out->time_offset_s, err);
}

/* A container's network is one of the namespaces, all else is the network's own. */
static int take_network(const struct texts *texts, struct run_options *out, struct err *err)
{
	const char *text = texts->network;

	if (text && strncmp(text, "container:", 10) == 0)
		out->namespaces.items[NAMESPACE_NET].text = text;
	else if (text && sandbox_network_parse(text, &out->network, err) < 0)
		return -1;
	else if (text)
		out->network_helper = network_helper_name(text);
	if (out->publishes_all && out->network != SANDBOX_NETWORK_PRIVATE)
		return err_set(err, ERR_USAGE,
			       "--publish-all needs --network=private: on the host's network each "
			       "port is the host's already");
	if (out->ports.count > 0 && out->network != SANDBOX_NETWORK_PRIVATE)
		return err_set(err, ERR_USAGE,
			       "--publish '%s' needs --network=private: on the host's network each "
			       "port is the host's already",
			       out->ports.items[0]);
	return namespaces_parse(&out->namespaces, err);
}

static bool is_own(const struct run_options *run, size_t kind)
{
	return run->namespaces.items[kind].choice == NAMESPACE_OWN;
}

/* Where it has no such namespace of its own the setting would be somebody else's. */
static int check_sysctl(const char *text, unsigned ns, const struct run_options *run,
			struct err *err)
{
	const bool has_net = run->network != SANDBOX_NETWORK_HOST && is_own(run, NAMESPACE_NET);

	if (ns == SANDBOX_NS_NET && !has_net)
		return err_set(err, ERR_USAGE,
			       "--sysctl '%s' needs a network of its own: --network=private or "
			       "--network=none",
			       text);
	if (ns == SANDBOX_NS_NET && run->network == SANDBOX_NETWORK_PRIVATE && run->runtime)
		return err_set(err, ERR_USAGE,
			       "--sysctl '%s' with --network=private is not supported by other "
			       "runtimes",
			       text);
	if (ns == SANDBOX_NS_IPC && !is_own(run, NAMESPACE_IPC))
		return err_set(err, ERR_USAGE, "--sysctl '%s' needs --ipc=private", text);
	if (ns == SANDBOX_NS_UTS && !is_own(run, NAMESPACE_UTS))
		return err_set(err, ERR_USAGE, "--sysctl '%s' needs --uts=private", text);
	return 0;
}

static int take_sysctls(const struct texts *texts, struct run_options *out, struct err *err)
{
	for (size_t i = 0; i < texts->sysctls.count; i++) {
		const char *text = texts->sysctls.items[i];
		unsigned ns = 0;

		if (sysctl_parse(text, &out->sysctls, &ns, err) < 0 ||
		    check_sysctl(text, ns, out, err) < 0)
			return -1;
	}
	return 0;
}

static int take_keys(const struct texts *texts, struct run_options *out, struct err *err)
{
	const char *text = texts->detach_keys ? texts->detach_keys : DETACH_KEYS_DEFAULT;

	return detach_keys_parse(text, &out->detach_keys, err) < 0
		       ? err_prefix(err, "--detach-keys")
		       : 0;
}

static int check(struct run_options *run, struct err *err)
{
	if (run->is_detached && run->interactive)
		return err_set(err, ERR_USAGE,
			       "--detach with --interactive: who runs in the background reads "
			       "nothing");
	if (run->is_detached && run->commit_name)
		return err_set(err, ERR_USAGE,
			       "--detach with --commit: use imgstore commit when it has ended");
	if ((run->runtime || run->bundle) && (run->is_detached || run->security.seccomp))
		return err_set(err, ERR_USAGE,
			       "--%s with --detach or a seccomp profile is not supported",
			       run->runtime ? "runtime" : "bundle");
	if (run->shows_limits && (run->runtime || run->bundle))
		return err_set(err, ERR_USAGE,
			       "--limits-in-proc with --%s is not supported: it ends with imgrun",
			       run->runtime ? "runtime" : "bundle");
	if (run->shows_limits && run->has_time_offset)
		return err_set(err, ERR_USAGE,
			       "--limits-in-proc with --time-offset: its boot clock begins with "
			       "the container");
	if (run->hostname && !is_own(run, NAMESPACE_UTS))
		return err_set(err, ERR_USAGE, "--hostname needs --uts=private");
	if (run->has_init && !is_own(run, NAMESPACE_PID))
		return err_set(err, ERR_USAGE, "--init needs --pid=private");
	run->settings.resources.are_shown = run->shows_limits;
	if (run->ids.is_wanted && (run->runtime || run->bundle))
		return err_set(err, ERR_USAGE,
			       "--%s with --userns is not supported: that runtime would have to "
			       "reach into the store",
			       run->runtime ? "runtime" : "bundle");
	if (run->ids.is_wanted && namespaces_container(&run->namespaces))
		return err_set(err, ERR_USAGE,
			       "--userns with namespaces of container '%s' is not supported: they "
			       "belong to its own ids",
			       namespaces_container(&run->namespaces));
	return 0;
}

int run_options_parse(int argc, char **argv, struct run_options *out, struct err *err)
{
	auto_texts struct texts texts = { .network = NULL };

	if (parse_table(argc, argv, out, &texts, err) < 0)
		return -1;
	if (out->is_done)
		return 0;
	if (take_network(&texts, out, err) < 0 || own_ids_parse(&out->ids, err) < 0 ||
	    run_settings_make(&texts.settings, out->network, &out->settings, err) < 0 ||
	    take_volumes(&texts, &out->settings.volumes, err) < 0 ||
	    volumes_from_check(&out->volumes_from, err) < 0 ||
	    security_parse(&texts.security, &out->security, err) < 0 ||
	    take_numbers(&texts, out, err) < 0 || take_env(&texts, &out->env, err) < 0 ||
	    take_labels(&texts, &out->labels, err) < 0 || take_sysctls(&texts, out, err) < 0 ||
	    take_keys(&texts, out, err) < 0 || check(out, err) < 0)
		return -1;
	/* what is in argv outlives the list of it */
	out->image = argv[argc - (int)texts.args.count];
	for (size_t i = 1; i < texts.args.count; i++)
		strlist_add(&out->command, texts.args.items[i]);
	return 0;
}
