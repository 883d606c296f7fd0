/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the image configuration as a document: members, their order, and
 * what is left out when empty. What the values mean to a build or a container
 * is decided by who uses them.
 *
 * The order of writing is that of the image specification's members, docker's
 * own after them:
 *
 *   created author architecture os os.version variant config rootfs history
 *   config: User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels
 *           StopSignal ArgsEscaped Healthcheck OnBuild Shell
 *
 * Empty members are left out, but for architecture, os, config, rootfs.
 */
#include "layers/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "layers/manifest.h"
#include "layers/pairs.h"

static void healthcheck_release(struct healthcheck *healthcheck)
{
	strlist_release(&healthcheck->test);
}

static void run_config_release(struct run_config *run)
{
	free(run->user);
	strlist_release(&run->exposed_ports);
	strlist_release(&run->env);
	strlist_release(&run->entrypoint);
	strlist_release(&run->cmd);
	healthcheck_release(&run->healthcheck);
	strlist_release(&run->volumes);
	free(run->working_dir);
	strlist_release(&run->labels);
	free(run->stop_signal);
	strlist_release(&run->on_build);
	strlist_release(&run->shell);
	*run = (struct run_config){ .user = NULL };
}

static void history_entry_release(struct history_entry *entry)
{
	free(entry->created);
	free(entry->created_by);
	free(entry->author);
	free(entry->comment);
}

void image_config_release(struct image_config *config)
{
	free(config->created);
	free(config->author);
	platform_release(&config->platform);
	run_config_release(&config->config);
	free(config->diff_ids);
	for (size_t i = 0; i < config->history_count; i++)
		history_entry_release(&config->history[i]);
	free(config->history);
	*config = (struct image_config){ .created = NULL };
}

static void run_config_copy(struct run_config *to, const struct run_config *from)
{
	to->user = str_dup(from->user);
	strlist_copy(&to->exposed_ports, &from->exposed_ports);
	strlist_copy(&to->env, &from->env);
	to->has_entrypoint = from->has_entrypoint;
	strlist_copy(&to->entrypoint, &from->entrypoint);
	to->has_cmd = from->has_cmd;
	strlist_copy(&to->cmd, &from->cmd);
	to->args_escaped = from->args_escaped;
	to->has_healthcheck = from->has_healthcheck;
	to->healthcheck = from->healthcheck;
	to->healthcheck.test = (struct strlist)STRLIST_INIT;
	strlist_copy(&to->healthcheck.test, &from->healthcheck.test);
	strlist_copy(&to->volumes, &from->volumes);
	to->working_dir = str_dup(from->working_dir);
	strlist_copy(&to->labels, &from->labels);
	to->stop_signal = str_dup(from->stop_signal);
	strlist_copy(&to->on_build, &from->on_build);
	to->has_shell = from->has_shell;
	strlist_copy(&to->shell, &from->shell);
}

void image_config_copy(struct image_config *to, const struct image_config *from)
{
	struct image_config fresh = {
		.created = str_dup(from->created),
		.author = str_dup(from->author),
	};

	platform_copy(&fresh.platform, &from->platform);
	run_config_copy(&fresh.config, &from->config);
	for (size_t i = 0; i < from->diff_id_count; i++)
		image_config_add_layer(&fresh, &from->diff_ids[i]);
	for (size_t i = 0; i < from->history_count; i++)
		image_config_add_history(&fresh, &from->history[i]);
	image_config_release(to);
	*to = fresh;
}

void image_config_add_layer(struct image_config *config, const struct digest *diff_id)
{
	config->diff_ids =
		mem_resize(config->diff_ids, config->diff_id_count + 1, sizeof(*config->diff_ids));
	config->diff_ids[config->diff_id_count++] = *diff_id;
}

void image_config_add_history(struct image_config *config, const struct history_entry *entry)
{
	config->history =
		mem_resize(config->history, config->history_count + 1, sizeof(*config->history));
	config->history[config->history_count++] = (struct history_entry){
		.created = str_dup(entry->created),
		.created_by = str_dup(entry->created_by),
		.author = str_dup(entry->author),
		.comment = str_dup(entry->comment),
		.empty_layer = entry->empty_layer,
	};
}

/* ---- reading ---- */

static int take_time(const struct json *object, const char *member, char **out, const char *what,
		     struct err *err)
{
	struct timespec when;

	if (text_take(object, member, out, what, err) < 0)
		return -1;
	if (*out && image_time_parse(*out, &when, err) < 0)
		return err_prefix(err, "%s: '%s'", what, member);
	return 0;
}

/* A list for which null and [] are different things. */
static int take_list(const struct json *object, const char *member, bool *out_has,
		     struct strlist *out, const char *what, struct err *err)
{
	*out_has = json_is_array(json_get(object, member));
	return json_take_strlist(object, member, out, what, err);
}

/* The member @name as an object; *out is NULL when it is absent or null. */
static int take_object(const struct json *object, const char *name, const struct json **out,
		       const char *what, struct err *err)
{
	const struct json *value = json_get(object, name);

	if (value && !json_is_null(value) && !json_is_object(value))
		return err_set(err, ERR_INPUT, "%s: '%s' is not an object", what, name);
	*out = json_is_object(value) ? value : NULL;
	return 0;
}

static int take_healthcheck(const struct json *object, struct run_config *run, const char *what,
			    struct err *err)
{
	struct healthcheck *check = &run->healthcheck;
	const struct json *json = NULL;

	if (take_object(object, "Healthcheck", &json, what, err) < 0)
		return -1;
	run->has_healthcheck = json != NULL;
	if (json_take_strlist(json, "Test", &check->test, what, err) < 0 ||
	    json_take_int(json, "Interval", &check->interval_ns, what, err) < 0 ||
	    json_take_int(json, "Timeout", &check->timeout_ns, what, err) < 0 ||
	    json_take_int(json, "StartPeriod", &check->start_period_ns, what, err) < 0 ||
	    json_take_int(json, "StartInterval", &check->start_interval_ns, what, err) < 0 ||
	    json_take_int(json, "Retries", &check->retries, what, err) < 0)
		return -1;
	return 0;
}

static int take_run_config(const struct json *document, struct run_config *run, const char *what,
			   struct err *err)
{
	const struct json *json = NULL;

	if (take_object(document, "config", &json, what, err) < 0)
		return -1;
	if (text_take(json, "User", &run->user, what, err) < 0 ||
	    names_take(json, "ExposedPorts", &run->exposed_ports, what, err) < 0 ||
	    json_take_strlist(json, "Env", &run->env, what, err) < 0 ||
	    take_list(json, "Entrypoint", &run->has_entrypoint, &run->entrypoint, what, err) < 0 ||
	    take_list(json, "Cmd", &run->has_cmd, &run->cmd, what, err) < 0 ||
	    json_take_bool(json, "ArgsEscaped", &run->args_escaped, what, err) < 0 ||
	    names_take(json, "Volumes", &run->volumes, what, err) < 0 ||
	    text_take(json, "WorkingDir", &run->working_dir, what, err) < 0 ||
	    pairs_take(json, "Labels", &run->labels, what, err) < 0 ||
	    text_take(json, "StopSignal", &run->stop_signal, what, err) < 0 ||
	    json_take_strlist(json, "OnBuild", &run->on_build, what, err) < 0 ||
	    take_list(json, "Shell", &run->has_shell, &run->shell, what, err) < 0)
		return -1;
	return take_healthcheck(json, run, what, err);
}

static int take_rootfs(const struct json *document, struct image_config *config, const char *what,
		       struct err *err)
{
	auto_free char *type = NULL;
	const struct json *rootfs = NULL;
	const struct json *diff_ids;

	if (take_object(document, "rootfs", &rootfs, what, err) < 0)
		return -1;
	if (!rootfs)
		return err_set(err, ERR_INPUT,
			       "%s has no 'rootfs': it is not an image configuration", what);
	if (json_take_string(rootfs, "type", &type, what, err) < 0)
		return -1;
	if (!type || strcmp(type, "layers") != 0)
		return err_set(err, ERR_INPUT, "%s: the type of 'rootfs' is not 'layers'", what);
	diff_ids = json_get(rootfs, "diff_ids");
	if (diff_ids && !json_is_null(diff_ids) && !json_is_array(diff_ids))
		return err_set(err, ERR_INPUT, "%s: 'diff_ids' is not a list", what);
	if (json_count(diff_ids) > MANIFEST_MAX_LAYERS)
		return err_set(err, ERR_INPUT, "%s has more than %d layers", what,
			       MANIFEST_MAX_LAYERS);
	for (size_t i = 0; i < json_count(diff_ids); i++) {
		const char *text = json_string(json_at(diff_ids, i));
		struct digest diff_id;

		if (!text)
			return err_set(err, ERR_INPUT, "%s: diff ID %zu is not a string", what,
				       i + 1);
		if (digest_parse(text, &diff_id, err) < 0)
			return err_prefix(err, "%s: diff ID %zu", what, i + 1);
		image_config_add_layer(config, &diff_id);
	}
	return 0;
}

static int take_history_entry(const struct json *json, struct image_config *config,
			      const char *what, struct err *err)
{
	struct history_entry entry = { .created = NULL };
	int result = 0;

	if (!json_is_object(json))
		return err_set(err, ERR_INPUT, "%s: an entry of 'history' is not an object", what);
	if (take_time(json, "created", &entry.created, what, err) < 0 ||
	    text_take(json, "created_by", &entry.created_by, what, err) < 0 ||
	    text_take(json, "author", &entry.author, what, err) < 0 ||
	    text_take(json, "comment", &entry.comment, what, err) < 0 ||
	    json_take_bool(json, "empty_layer", &entry.empty_layer, what, err) < 0)
		result = -1;
	else
		image_config_add_history(config, &entry);
	history_entry_release(&entry);
	return result;
}

static int take_history(const struct json *document, struct image_config *config, const char *what,
			struct err *err)
{
	const struct json *history = json_get(document, "history");

	if (history && !json_is_null(history) && !json_is_array(history))
		return err_set(err, ERR_INPUT, "%s: 'history' is not a list", what);
	for (size_t i = 0; i < json_count(history); i++)
		if (take_history_entry(json_at(history, i), config, what, err) < 0)
			return -1;
	return 0;
}

int image_config_parse(const char *data, size_t len, const char *what, struct image_config *out,
		       struct err *err)
{
	auto_image_config struct image_config config = { .created = NULL };
	auto_json struct json *document = NULL;

	if (len > CONFIG_MAX_BYTES)
		return err_set(err, ERR_INPUT, "%s has more than %zu bytes", what,
			       CONFIG_MAX_BYTES);
	document = json_parse(data, len, what, err);
	if (!document)
		return -1;
	if (!json_is_object(document))
		return err_set(err, ERR_INPUT, "%s is not a JSON object", what);
	if (take_time(document, "created", &config.created, what, err) < 0 ||
	    text_take(document, "author", &config.author, what, err) < 0 ||
	    platform_from_json(document, &config.platform, what, err) < 0 ||
	    take_run_config(document, &config.config, what, err) < 0 ||
	    take_rootfs(document, &config, what, err) < 0 ||
	    take_history(document, &config, what, err) < 0)
		return -1;

	*out = config;
	config = (struct image_config){ .created = NULL };
	return 0;
}

/* ---- writing ---- */

static void set_list(struct json *object, const char *member, const struct strlist *list)
{
	if (list->count > 0)
		json_set_strlist(object, member, list);
}

static void set_number(struct json *object, const char *member, int64_t number)
{
	if (number != 0)
		json_set_int(object, member, number);
}

static void set_text(struct json *object, const char *member, const char *text)
{
	if (text && text[0] != '\0')
		json_set_string(object, member, text);
}

static struct json *healthcheck_to_json(const struct healthcheck *check)
{
	struct json *json = json_object();

	set_list(json, "Test", &check->test);
	set_number(json, "Interval", check->interval_ns);
	set_number(json, "Timeout", check->timeout_ns);
	set_number(json, "StartPeriod", check->start_period_ns);
	set_number(json, "StartInterval", check->start_interval_ns);
	set_number(json, "Retries", check->retries);
	return json;
}

static struct json *run_config_to_json(const struct run_config *run)
{
	struct json *json = json_object();

	set_text(json, "User", run->user);
	names_set(json, "ExposedPorts", &run->exposed_ports);
	set_list(json, "Env", &run->env);
	set_list(json, "Entrypoint", &run->entrypoint);
	set_list(json, "Cmd", &run->cmd);
	names_set(json, "Volumes", &run->volumes);
	set_text(json, "WorkingDir", run->working_dir);
	pairs_set(json, "Labels", &run->labels);
	set_text(json, "StopSignal", run->stop_signal);
	if (run->args_escaped)
		json_set_bool(json, "ArgsEscaped", true);
	if (run->has_healthcheck)
		json_set(json, "Healthcheck", healthcheck_to_json(&run->healthcheck));
	set_list(json, "OnBuild", &run->on_build);
	set_list(json, "Shell", &run->shell);
	return json;
}

static struct json *rootfs_to_json(const struct image_config *config)
{
	struct json *json = json_object();
	struct json *diff_ids = json_array();
	char name[DIGEST_NAME_MAX];

	for (size_t i = 0; i < config->diff_id_count; i++)
		json_append(diff_ids, json_new_string(digest_name(&config->diff_ids[i], name)));
	json_set_string(json, "type", "layers");
	json_set(json, "diff_ids", diff_ids);
	return json;
}

static struct json *history_to_json(const struct image_config *config)
{
	struct json *history = json_array();

	for (size_t i = 0; i < config->history_count; i++) {
		const struct history_entry *entry = &config->history[i];
		struct json *json = json_object();

		set_text(json, "created", entry->created);
		set_text(json, "created_by", entry->created_by);
		set_text(json, "author", entry->author);
		set_text(json, "comment", entry->comment);
		if (entry->empty_layer)
			json_set_bool(json, "empty_layer", true);
		json_append(history, json);
	}
	return history;
}

void image_config_format(const struct image_config *config, struct strbuf *out)
{
	auto_json struct json *document = json_object();

	set_text(document, "created", config->created);
	set_text(document, "author", config->author);
	platform_to_json(&config->platform, document);
	json_set(document, "config", run_config_to_json(&config->config));
	json_set(document, "rootfs", rootfs_to_json(config));
	if (config->history_count > 0)
		json_set(document, "history", history_to_json(config));
	json_format(document, out);
}
