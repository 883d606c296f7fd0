/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how the config of an image and the options of imgrun become what
 * a container runs. Pure values, but for --env-file.
 */
#include "sandbox/run-plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/lines.h"
#include "common/mem.h"

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
	/* a bundle is there to be changed by hand */
	if (out->count == 0 && options->bundle)
		strlist_add(out, "sh");
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

static int take_env_line(void *out, char *line, struct err *err)
{
	line += strspn(line, " \t");
	return *line && *line != '#' ? run_env_add(line, out, err) : 0;
}

int run_env_file(const char *path, struct strlist *out, struct err *err)
{
	return lines_each(path, ENV_FILE_MAX_BYTES, take_env_line, out, err);
}
