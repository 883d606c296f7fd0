/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the command line changes in a plan: labels, variables and proxies, and the
 * stages whose steps are done although they were done before.
 */
#include "builder/plan-changes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/plan-internal.h"
#include "common/mem.h"

static const char *const proxy_names[] = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY",
					   "NO_PROXY",   "ALL_PROXY",   NULL };

void plan_changes_release(struct plan_changes *changes)
{
	strlist_release(&changes->uncached);
	strlist_release(&changes->env);
	strlist_release(&changes->unset_env);
	strlist_release(&changes->unset_labels);
	strlist_release(&changes->proxies);
	*changes = (struct plan_changes){ .from = NULL };
}

/* ---- as they are given ---- */

/* It becomes a line of the Buildfile's language. */
int plan_changes_add_env(struct plan_changes *changes, const char *text, struct err *err)
{
	size_t len = strcspn(text, "=");
	auto_free char *name = str_ndup(text, len);
	const char *value = text[len] == '=' ? text + len + 1 : getenv(name);

	if (len == 0 || strcspn(name, " \t\r\n\"'\\$") != len)
		return err_set(err, ERR_USAGE, "--env '%s' has no name of a variable", text);
	if (!value)
		return 0;
	if (strpbrk(value, "\r\n"))
		return err_set(err, ERR_USAGE, "--env '%s': its value has a line end", name);
	strlist_env_set(&changes->env, name, value);
	return 0;
}

int plan_changes_add_uncached(struct plan_changes *changes, const char *text, struct err *err)
{
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		auto_free char *name = str_ndup(at, len);

		if (len == 0)
			return err_set(err, ERR_USAGE,
				       "--no-cache-filter '%s': a stage has no name", text);
		strlist_add(&changes->uncached, name);
		at += len;
		if (*at == '\0')
			return 0;
	}
}

static void lower(const char *name, char out[16])
{
	size_t i = 0;

	for (; name[i]; i++)
		out[i] = (char)tolower((unsigned char)name[i]);
	out[i] = '\0';
}

/* Programs ask for either case: where only one is set, it stands for the other too. */
void plan_changes_take_proxies(struct plan_changes *changes)
{
	for (size_t i = 0; proxy_names[i]; i++) {
		char small[16];
		const char *in_small;
		const char *in_large = getenv(proxy_names[i]);

		lower(proxy_names[i], small);
		in_small = getenv(small);
		if (!in_small || !*in_small)
			in_small = in_large;
		if (!in_large || !*in_large)
			in_large = in_small;
		if (!in_large || !*in_large)
			continue;
		strlist_env_set(&changes->proxies, proxy_names[i], in_large);
		strlist_env_set(&changes->proxies, small, in_small);
	}
}

/* ---- in the plan ---- */

bool plan_is_proxy(const char *name)
{
	for (size_t i = 0; proxy_names[i]; i++)
		if (strcasecmp(name, proxy_names[i]) == 0)
			return true;
	return false;
}

/* Proxies need no ARG; programs ask for either case, so both are set. */
void plan_set_proxies(struct planner *planner)
{
	const struct strlist *given = planner->input->build_args;

	strlist_copy(&planner->plan->proxy_env, &planner->input->changes.proxies);
	for (size_t i = 0; i < given->count; i++) {
		const char *equals = strchr(given->items[i], '=');
		size_t len = equals ? (size_t)(equals - given->items[i]) : 0;

		for (size_t k = 0; proxy_names[k]; k++) {
			char small[16];

			if (len != strlen(proxy_names[k]) ||
			    strncasecmp(given->items[i], proxy_names[k], len) != 0)
				continue;
			lower(proxy_names[k], small);
			strlist_env_set(&planner->plan->proxy_env, proxy_names[k], equals + 1);
			strlist_env_set(&planner->plan->proxy_env, small, equals + 1);
		}
	}
}

static void put_quoted(struct strbuf *out, const char *text)
{
	strbuf_putc(out, '"');
	for (; *text; text++) {
		if (strchr("\"\\$", *text))
			strbuf_putc(out, '\\');
		strbuf_putc(out, *text);
	}
	strbuf_putc(out, '"');
}

char *plan_changes_env_text(const struct plan_changes *changes)
{
	struct strbuf out = STRBUF_INIT;

	if (changes->env.count == 0)
		return NULL;
	strbuf_puts(&out, "ENV");
	for (size_t i = 0; i < changes->env.count; i++) {
		const char *item = changes->env.items[i];
		size_t len = strcspn(item, "=");

		strbuf_printf(&out, " %.*s=", (int)len, item);
		put_quoted(&out, item + len + 1);
	}
	return strbuf_steal(&out);
}

static void set_labels(const struct plan_input *input, struct run_config *config)
{
	for (size_t i = 0; input->labels && i < input->labels->count; i++) {
		const char *item = input->labels->items[i];
		const char *equals = strchr(item, '=');
		auto_free char *key = str_ndup(item, strcspn(item, "="));

		strlist_env_set(&config->labels, key, equals ? equals + 1 : "");
	}
	for (size_t i = 0; i < input->changes.unset_labels.count; i++)
		strlist_env_unset(&config->labels, input->changes.unset_labels.items[i]);
	strlist_sort(&config->labels);
}

void plan_change_image(const struct planner *planner, struct plan_stage *target)
{
	const struct strlist *unset = &planner->input->changes.unset_env;
	struct run_config *config = &target->image.config;

	set_labels(planner->input, config);
	for (size_t i = 0; i < unset->count; i++)
		strlist_env_unset(&config->env, unset->items[i]);
}

int plan_set_uncached(struct planner *planner, struct err *err)
{
	const struct strlist *names = &planner->input->changes.uncached;
	size_t number;

	planner->uncached = mem_array(planner->ast->stage_count, sizeof(bool));
	for (size_t i = 0; i < names->count; i++) {
		if (!plan_find_stage(planner->ast, names->items[i], &number))
			return err_set(err, ERR_INPUT,
				       "--no-cache-filter: there is no stage '%s' in %s",
				       names->items[i], planner->ast->source.name);
		planner->uncached[number] = true;
	}
	return 0;
}
