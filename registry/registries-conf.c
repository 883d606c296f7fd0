/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what registries.conf means for an image: its rules, mirrors and short names.
 * Reading the files is registries-read's.
 */
#include "registry/registries-conf.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"

static void rule_release(struct registry_rule *rule)
{
	free(rule->prefix);
	free(rule->location);
	for (size_t i = 0; i < rule->mirror_count; i++)
		free(rule->mirrors[i].location);
	free(rule->mirrors);
}

void registries_conf_release(struct registries_conf *conf)
{
	for (size_t i = 0; i < conf->rule_count; i++)
		rule_release(&conf->rules[i]);
	free(conf->rules);
	strlist_release(&conf->search);
	strlist_release(&conf->aliases);
	*conf = (struct registries_conf)REGISTRIES_CONF_INIT;
}

void registry_locations_release(struct registry_locations *locations)
{
	for (size_t i = 0; i < locations->count; i++) {
		free(locations->items[i].host);
		free(locations->items[i].repository);
	}
	free(locations->items);
	*locations = (struct registry_locations){ .items = NULL };
}

/* How much of @name a prefix covers: 0 when it does not. "*.DOMAIN" covers a whole host. */
static size_t covered(const char *prefix, const char *name)
{
	size_t len = strlen(prefix);

	if (strncmp(prefix, "*.", 2) == 0) {
		size_t host_len = strcspn(name, "/");
		size_t domain_len = len - 1; /* with the dot */

		return host_len > domain_len && strncmp(name + host_len - domain_len, prefix + 1,
							domain_len) == 0
			       ? host_len
			       : 0;
	}
	if (strncmp(prefix, name, len) != 0)
		return 0;
	return name[len] == '\0' || name[len] == '/' ? len : 0;
}

static const struct registry_rule *find_rule(const struct registries_conf *conf, const char *name,
					     size_t *out_len)
{
	const struct registry_rule *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < conf->rule_count; i++) {
		size_t len = covered(conf->rules[i].prefix, name);

		/* of two that cover the same, the one that says more */
		if (len > best_len || (len > 0 && len == best_len && best->prefix[0] == '*' &&
				       strlen(conf->rules[i].prefix) > strlen(best->prefix))) {
			best = &conf->rules[i];
			best_len = len;
		}
	}
	*out_len = best_len;
	return best;
}

/* @location with what of @name is behind the prefix, as host and repository. */
static int add_location(struct registry_locations *out, const char *location, const char *rest,
			bool is_insecure, bool is_mirror, struct err *err)
{
	auto_free char *text = str_format("%s%s", location, rest);
	const char *slash = strchr(text, '/');
	struct registry_location *item;

	if (!slash || slash == text || slash[1] == '\0')
		return err_set(err, ERR_INPUT,
			       "registries.conf makes '%s' of the name, which is no HOST/PATH", text);
	out->items = mem_resize(out->items, out->count + 1, sizeof(out->items[0]));
	item = &out->items[out->count++];
	*item = (struct registry_location){
		.host = str_ndup(text, (size_t)(slash - text)),
		.repository = str_dup(slash + 1),
		.is_insecure = is_insecure,
		.is_mirror = is_mirror,
	};
	return 0;
}

static bool is_mirror_used(const struct registry_rule *rule, const struct registry_mirror *mirror,
			   bool by_digest)
{
	if (rule->mirrors_by_digest_only)
		return by_digest;
	switch (mirror->use) {
	case MIRROR_ALL:
		return true;
	case MIRROR_DIGEST_ONLY:
		return by_digest;
	case MIRROR_TAG_ONLY:
		return !by_digest;
	}
	return false;
}

int registries_conf_locate(const struct registries_conf *conf, const struct image_ref *ref,
			   bool is_pull, struct registry_locations *out, struct err *err)
{
	auto_registry_locations struct registry_locations found = { .items = NULL };
	auto_free char *name = str_format("%s/%s", ref->host, ref->path);
	size_t len = 0;
	const struct registry_rule *rule = find_rule(conf, name, &len);

	if (rule && rule->is_blocked)
		return err_set(err, ERR_INPUT, "registries.conf blocks '%s'", rule->prefix);
	for (size_t i = 0; rule && is_pull && i < rule->mirror_count; i++) {
		const struct registry_mirror *mirror = &rule->mirrors[i];

		if (is_mirror_used(rule, mirror, ref->has_digest) &&
		    add_location(&found, mirror->location, name + len, mirror->is_insecure, true,
				 err) < 0)
			return -1;
	}
	if (add_location(&found, rule && rule->location ? rule->location : "",
			 rule && rule->location ? name + len : name, rule && rule->is_insecure,
			 false, err) < 0)
		return -1;
	*out = found;
	found = (struct registry_locations){ .items = NULL };
	return 0;
}

/* ---- short names ---- */

/* Whether the name begins with a host, by the rule of image_ref_parse. */
static bool has_host(const char *text)
{
	size_t len = strcspn(text, "/");

	if (text[len] != '/')
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '.' || text[i] == ':' || (text[i] >= 'A' && text[i] <= 'Z'))
			return true;
	return len == strlen("localhost") && strncmp(text, "localhost", len) == 0;
}

int registries_conf_short_name(const struct registries_conf *conf, const char *text, char **out,
			       struct err *err)
{
	size_t name_len = strcspn(text, "@");
	auto_free char *name = str_ndup(text, name_len);
	char *tag = strchr(name, ':');
	const char *alias;

	*out = NULL;
	if (has_host(text))
		return 0;
	if (tag) {
		name_len = (size_t)(tag - name);
		*tag = '\0';
	}
	alias = strlist_env_get(&conf->aliases, name);
	if (alias && alias[0] != '\0') {
		*out = str_format("%s%s", alias, text + name_len);
		return 0;
	}
	if (conf->search.count > 1) {
		auto_strbuf struct strbuf all = STRBUF_INIT;

		for (size_t i = 0; i < conf->search.count; i++)
			strbuf_printf(&all, "%s%s/%s", i ? ", " : "", conf->search.items[i], text);
		return err_set(err, ERR_INPUT,
			       "'%.200s' is a short name of several registries; write one: %s", text,
			       all.data);
	}
	if (conf->search.count == 1)
		*out = str_format("%s/%s%s", conf->search.items[0],
				  strcmp(conf->search.items[0], "docker.io") == 0 &&
						  !strchr(name, '/')
					  ? "library/"
					  : "",
				  text);
	return 0;
}
