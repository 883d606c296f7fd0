/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the options of imgrun: what is meant by the texts that were given. */
#include "sandbox/run-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/lines.h"
#include "common/signals.h"
#include "sandbox/network.h"
#include "sandbox/run-plan.h"
#include "sandbox/run-table.h"
#include "sandbox/sysctl.h"
#include "sandbox/volume-lent.h"

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

/* ---- what is meant ---- */

static int take_env(const struct run_texts *texts, struct strlist *out, struct err *err)
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

static int take_labels(const struct run_texts *texts, struct strlist *out, struct err *err)
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

static int take_volumes(const struct run_texts *texts, struct volumes *out, struct err *err)
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

static int take_numbers(const struct run_texts *texts, struct run_options *out, struct err *err)
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
static int take_network(const struct run_texts *texts, struct run_options *out, struct err *err)
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

static int take_sysctls(const struct run_texts *texts, struct run_options *out, struct err *err)
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

static int take_keys(const struct run_texts *texts, struct run_options *out, struct err *err)
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
	auto_run_texts struct run_texts texts = { .network = NULL };

	if (run_table_parse(argc, argv, out, &texts, err) < 0)
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
