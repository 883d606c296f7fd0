/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how the config of an image and the options of imgrun become what
 * a container runs. Pure values, but for the sources of volumes and --env-file.
 */
#include "sandbox/run-plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"
#include "sandbox/caps.h"
#include "sandbox/description.h"

#define DEFAULT_PATH       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ENV_FILE_MAX_BYTES ((size_t)1024 * 1024)

static void append(struct strlist *to, const struct strlist *from)
{
	for (size_t i = 0; i < from->count; i++)
		strlist_add(to, from->items[i]);
}

int run_plan_argv(const struct run_config *config, const struct run_options *options,
		  struct strlist *out, struct err *err)
{
	if (options->entrypoint && *options->entrypoint)
		strlist_add(out, options->entrypoint);
	if (!options->entrypoint)
		append(out, &config->entrypoint);
	if (options->command.count)
		append(out, &options->command);
	else if (!options->entrypoint)
		append(out, &config->cmd);
	if (out->count == 0)
		return err_set(err, ERR_INPUT,
			       "no command was given, and the image '%s' names none",
			       options->image);
	for (size_t i = 0; i < out->count; i++)
		if (json_has_nul(out->items[i]))
			return err_set(err, ERR_INPUT, "an argument of '%s' holds a NUL",
				       options->image);
	return 0;
}

static void set_all(struct strlist *to, const struct strlist *from)
{
	for (size_t i = 0; i < from->count; i++) {
		const char *equals = strchr(from->items[i], '=');
		auto_free char *key = NULL;

		if (!equals || equals == from->items[i] || json_has_nul(from->items[i]))
			continue; /* no variable: an image may hold anything */
		key = str_ndup(from->items[i], (size_t)(equals - from->items[i]));
		strlist_env_set(to, key, equals + 1);
	}
}

void run_plan_env(const struct run_config *config, const struct run_options *options,
		  const char *hostname, const char *home, struct strlist *out)
{
	strlist_env_set(out, "PATH", DEFAULT_PATH);
	strlist_env_set(out, "HOSTNAME", hostname);
	if (options->terminal)
		strlist_env_set(out, "TERM", "xterm");
	set_all(out, &config->env);
	set_all(out, &options->env);
	if (!strlist_env_get(out, "HOME"))
		strlist_env_set(out, "HOME", home ? home : "/");
}

/* "ALL" among the names, or all of them together. */
static int sum(const struct strlist *names, bool *out_all, uint64_t *out, struct err *err)
{
	*out_all = false;
	*out = 0;
	for (size_t i = 0; i < names->count; i++) {
		uint64_t one;

		if (caps_parse(names->items[i], &one, err) < 0)
			return -1;
		if (one == CAPS_ALL)
			*out_all = true;
		else
			*out |= one;
	}
	return 0;
}

int run_plan_capabilities(const struct run_options *options, uint64_t *out, struct err *err)
{
	uint64_t added, dropped;
	bool add_all, drop_all;

	if (sum(&options->cap_add, &add_all, &added, err) < 0 ||
	    sum(&options->cap_drop, &drop_all, &dropped, err) < 0)
		return -1;
	*out = add_all ? CAPS_ALL : drop_all ? 0 : SANDBOX_CAPS_DEFAULT;
	*out = (*out | added) & ~dropped;
	return 0;
}

/* ---- volumes ---- */

void volumes_release(struct volumes *volumes)
{
	for (size_t i = 0; i < volumes->count; i++) {
		free(volumes->items[i].source);
		free(volumes->items[i].target);
		fd_close(&volumes->items[i].fd);
	}
	free(volumes->items);
	*volumes = (struct volumes)VOLUMES_INIT;
}

static int parse_mode(const char *text, const char *mode, struct volume *out, struct err *err)
{
	if (strcmp(mode, "ro") == 0)
		out->read_only = true;
	else if (strcmp(mode, "rw") != 0)
		return err_set(err, ERR_USAGE,
			       "--volume '%s': '%s' is not supported (supported: ro, rw)", text,
			       mode);
	return 0;
}

static int volume_parse(const char *text, struct volume *out, struct err *err)
{
	auto_free char *copy = str_dup(text);
	char *rest = copy;
	char *source = strsep(&rest, ":");
	char *target = rest ? strsep(&rest, ":") : NULL;

	if (!target)
		return err_set(err, ERR_USAGE, "--volume '%s': not of the form HOST:CONTAINER",
			       text);
	if (*source != '/' && *source != '.')
		return err_set(err, ERR_USAGE,
			       "--volume '%s': '%s' is no path; volumes with names are not "
			       "supported",
			       text, source);
	if (*target != '/' || target[strspn(target, "/")] == '\0')
		return err_set(err, ERR_USAGE, "--volume '%s': '%s' is no absolute path below '/'",
			       text, target);
	if (rest && parse_mode(text, rest, out, err) < 0)
		return -1;
	out->source = str_dup(source);
	out->target = str_dup(target);
	return 0;
}

int volumes_parse(const struct strlist *texts, struct volumes *out, struct err *err)
{
	out->items = mem_array(texts->count + 1, sizeof(out->items[0]));
	for (size_t i = 0; i < texts->count; i++) {
		out->items[i] = (struct volume){ .fd = -1 };
		if (volume_parse(texts->items[i], &out->items[i], err) < 0)
			return -1;
		out->count++;
	}
	return 0;
}

/* The user's own paths: links in them are the user's too. */
int volumes_open(struct volumes *volumes, struct err *err)
{
	for (size_t i = 0; i < volumes->count; i++) {
		struct volume *volume = &volumes->items[i];
		struct stat st;

		volume->fd = open(volume->source, O_PATH | O_CLOEXEC);
		if (volume->fd < 0)
			return err_sys(err, "--volume: open '%s'", volume->source);
		if (fstat(volume->fd, &st) < 0)
			return err_sys(err, "--volume: stat '%s'", volume->source);
		volume->is_file = !S_ISDIR(st.st_mode);
	}
	return 0;
}

/* ---- environment ---- */

int run_env_add(const char *text, struct strlist *out, struct err *err)
{
	const char *ours;

	if (!*text || *text == '=')
		return err_set(err, ERR_USAGE, "'%s' is not of the form KEY=VALUE", text);
	if (strchr(text, '=')) {
		strlist_add(out, text);
		return 0;
	}
	ours = getenv(text);
	if (ours)
		strlist_addf(out, "%s=%s", text, ours);
	return 0;
}

int run_env_file(const char *path, struct strlist *out, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_strbuf struct strbuf text = STRBUF_INIT;
	char *rest;
	char *line;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fd_read_all(fd, ENV_FILE_MAX_BYTES, &text, path, err) < 0)
		return -1;
	if (strlen(text.data) != text.len)
		return err_set(err, ERR_INPUT, "'%s' holds a NUL byte", path);
	rest = text.data;
	for (size_t number = 1; (line = strsep(&rest, "\n")); number++) {
		line += strspn(line, " \t");
		line[strcspn(line, "\r")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (run_env_add(line, out, err) < 0)
			return err_prefix(err, "%s:%zu", path, number);
	}
	return 0;
}
