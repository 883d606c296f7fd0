/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for reading registries.conf and its drop-ins: which files, and what is in them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "registry/registries-conf.h"
#include "registry/toml.h"

#define CONF_MAX_BYTES ((size_t)1 << 20)
#define SYSTEM_DIR     "/etc/containers/"
#define CONF_NAME      "registries.conf"

/* One file on its way in. */
struct reading {
	struct registries_conf *conf;
	struct registries_conf file; /* what it says */
	const char *what;
	enum { IN_ROOT, IN_REGISTRY, IN_MIRROR, IN_ALIASES, IN_OTHER } where;
};

/* A place is written without scheme and without a slash at the end. */
static int check_location(const char *key, char *text, struct err *err)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '/')
		text[--len] = '\0';
	if (len == 0)
		return err_set(err, ERR_INPUT, "'%s' is empty", key);
	if (strstr(text, "://") || strpbrk(text, " @?#"))
		return err_set(err, ERR_INPUT,
			       "'%s' is written HOST[:PORT][/PATH], without http:// or anything else",
			       key);
	return 0;
}

static int take_location(const char *key, struct toml_value *value, char **out, struct err *err)
{
	if (toml_demand(value, TOML_STRING, key, err) < 0 ||
	    check_location(key, value->string, err) < 0)
		return -1;
	free(*out);
	*out = ptr_steal(&value->string);
	return 0;
}

static int take_bool(const char *key, const struct toml_value *value, bool *out, struct err *err)
{
	if (toml_demand(value, TOML_BOOL, key, err) < 0)
		return -1;
	*out = value->boolean;
	return 0;
}

static int take_use(const char *key, const struct toml_value *value, enum mirror_use *out,
		    struct err *err)
{
	static const char *const names[] = { "all", "digest-only", "tag-only" };

	if (toml_demand(value, TOML_STRING, key, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(value->string, names[i]) == 0) {
			*out = (enum mirror_use)i;
			return 0;
		}
	return err_set(err, ERR_INPUT, "'%s' is all, digest-only or tag-only", key);
}

/* ---- what is in which table ---- */

static int unknown(const struct reading *reading, const char *key)
{
	log_debug("%s: '%s' is passed over", reading->what, key);
	return 0;
}

static int root_value(struct reading *reading, const char *key, struct toml_value *value,
		      struct err *err)
{
	if (strcmp(key, "unqualified-search-registries") != 0)
		return unknown(reading, key);
	if (toml_demand(value, TOML_LIST, key, err) < 0)
		return -1;
	for (size_t i = 0; i < value->list.count; i++)
		if (check_location(key, value->list.items[i], err) < 0)
			return -1;
	strlist_copy(&reading->conf->search, &value->list);
	return 0;
}

static int registry_value(struct reading *reading, const char *key, struct toml_value *value,
			  struct err *err)
{
	struct registry_rule *rule = &reading->file.rules[reading->file.rule_count - 1];

	if (strcmp(key, "prefix") == 0)
		return take_location(key, value, &rule->prefix, err);
	if (strcmp(key, "location") == 0)
		return take_location(key, value, &rule->location, err);
	if (strcmp(key, "insecure") == 0)
		return take_bool(key, value, &rule->is_insecure, err);
	if (strcmp(key, "blocked") == 0)
		return take_bool(key, value, &rule->is_blocked, err);
	if (strcmp(key, "mirror-by-digest-only") == 0)
		return take_bool(key, value, &rule->mirrors_by_digest_only, err);
	return unknown(reading, key);
}

static int mirror_value(struct reading *reading, const char *key, struct toml_value *value,
			struct err *err)
{
	struct registry_rule *rule = &reading->file.rules[reading->file.rule_count - 1];
	struct registry_mirror *mirror = &rule->mirrors[rule->mirror_count - 1];

	if (strcmp(key, "location") == 0)
		return take_location(key, value, &mirror->location, err);
	if (strcmp(key, "insecure") == 0)
		return take_bool(key, value, &mirror->is_insecure, err);
	if (strcmp(key, "pull-from-mirror") == 0)
		return take_use(key, value, &mirror->use, err);
	return unknown(reading, key);
}

static int alias_value(struct reading *reading, const char *key, struct toml_value *value,
		       struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;

	if (toml_demand(value, TOML_STRING, key, err) < 0)
		return -1;
	/* an empty one takes an earlier one away */
	if (value->string[0] != '\0' && image_ref_parse(value->string, &ref, err) < 0)
		return -1;
	if (ref.tag || ref.has_digest || strchr(key, '='))
		return err_set(err, ERR_INPUT, "an alias is for a name without tag and digest");
	strlist_env_set(&reading->conf->aliases, key, value->string);
	return 0;
}

static int any_value(void *context, const char *key, struct toml_value *value, struct err *err)
{
	struct reading *reading = context;

	switch (reading->where) {
	case IN_ROOT:
		return root_value(reading, key, value, err);
	case IN_REGISTRY:
		return registry_value(reading, key, value, err);
	case IN_MIRROR:
		return mirror_value(reading, key, value, err);
	case IN_ALIASES:
		return alias_value(reading, key, value, err);
	case IN_OTHER:
		break;
	}
	return unknown(reading, key);
}

static int begin_registry(struct reading *reading, bool is_element, struct err *err)
{
	struct registries_conf *file = &reading->file;

	if (!is_element)
		return err_set(err, ERR_INPUT, "write [[registry]], with two brackets each");
	file->rules = mem_resize(file->rules, file->rule_count + 1, sizeof(file->rules[0]));
	file->rules[file->rule_count++] = (struct registry_rule){ .prefix = NULL };
	reading->where = IN_REGISTRY;
	return 0;
}

static int begin_mirror(struct reading *reading, bool is_element, struct err *err)
{
	struct registries_conf *file = &reading->file;
	struct registry_rule *rule;

	if (!is_element)
		return err_set(err, ERR_INPUT, "write [[registry.mirror]], with two brackets each");
	if (file->rule_count == 0)
		return err_set(err, ERR_INPUT, "there is no [[registry]] that it is a mirror of");
	rule = &file->rules[file->rule_count - 1];
	rule->mirrors = mem_resize(rule->mirrors, rule->mirror_count + 1, sizeof(rule->mirrors[0]));
	rule->mirrors[rule->mirror_count++] = (struct registry_mirror){ .location = NULL };
	reading->where = IN_MIRROR;
	return 0;
}

static int any_table(void *context, const char *name, bool is_element, struct err *err)
{
	struct reading *reading = context;

	if (strcmp(name, "registry") == 0)
		return begin_registry(reading, is_element, err);
	if (strcmp(name, "registry.mirror") == 0)
		return begin_mirror(reading, is_element, err);
	if (strncmp(name, "registries.", 11) == 0)
		return err_set(err, ERR_INPUT,
			       "[%s] is the form of version 1; write [[registry]] tables", name);
	reading->where = strcmp(name, "aliases") == 0 && !is_element ? IN_ALIASES : IN_OTHER;
	if (reading->where == IN_OTHER)
		return unknown(reading, name);
	return 0;
}

/* ---- what a file adds ---- */

static int check_rule(struct registry_rule *rule, const char *what, struct err *err)
{
	if (!rule->prefix && !rule->location)
		return err_set(err, ERR_INPUT, "%s: a [[registry]] has neither prefix nor location",
			       what);
	if (!rule->prefix)
		rule->prefix = str_dup(rule->location);
	if (strchr(rule->prefix, '*') &&
	    (strncmp(rule->prefix, "*.", 2) != 0 || strpbrk(rule->prefix + 2, "*/") ||
	     rule->prefix[2] == '\0'))
		return err_set(err, ERR_INPUT, "%s: the prefix '%s' is not of the form *.DOMAIN",
			       what, rule->prefix);
	for (size_t i = 0; i < rule->mirror_count; i++) {
		if (!rule->mirrors[i].location)
			return err_set(err, ERR_INPUT, "%s: a mirror of '%s' has no location", what,
				       rule->prefix);
		if (rule->mirrors_by_digest_only && rule->mirrors[i].use != MIRROR_ALL)
			return err_set(err, ERR_INPUT,
				       "%s: '%s' has mirror-by-digest-only and a mirror with "
				       "pull-from-mirror: one of them",
				       what, rule->prefix);
	}
	return 0;
}

/* In place of an earlier one of that prefix, or at the end. */
static void add_rule(struct registries_conf *conf, struct registry_rule *rule)
{
	for (size_t i = 0; i < conf->rule_count; i++)
		if (strcmp(conf->rules[i].prefix, rule->prefix) == 0) {
			struct registry_rule old = conf->rules[i];

			conf->rules[i] = *rule;
			*rule = old; /* released with the file's */
			return;
		}
	conf->rules = mem_resize(conf->rules, conf->rule_count + 1, sizeof(conf->rules[0]));
	conf->rules[conf->rule_count++] = *rule;
	*rule = (struct registry_rule){ .prefix = NULL };
}

int registries_conf_parse(const char *text, size_t len, const char *what,
			  struct registries_conf *conf, struct err *err)
{
	struct reading reading = { .conf = conf, .file = REGISTRIES_CONF_INIT, .what = what };
	const struct toml_reader reader = { any_table, any_value, &reading };
	int result = toml_parse(text, len, what, &reader, err);

	for (size_t i = 0; result == 0 && i < reading.file.rule_count; i++) {
		result = check_rule(&reading.file.rules[i], what, err);
		if (result == 0)
			add_rule(conf, &reading.file.rules[i]);
	}
	registries_conf_release(&reading.file);
	return result;
}

/* ---- which files ---- */

static int load_file(const char *path, bool is_demanded, bool *out_found,
		     struct registries_conf *conf, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	*out_found = fd >= 0;
	if (fd < 0 && !is_demanded && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fd_read_all(fd, CONF_MAX_BYTES, &text, path, err) < 0)
		return -1;
	return registries_conf_parse(text.data, text.len, path, conf, err);
}

/* The *.conf in @path, in order of their names. */
static int load_dir(const char *path, struct registries_conf *conf, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool found;

	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!dir)
		return err_sys(err, "read '%s'", path);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0)
			strlist_add(&names, entry->d_name);
	}
	closedir(dir);
	strlist_sort(&names);
	for (size_t i = 0; i < names.count; i++) {
		auto_free char *file = str_format("%s/%s", path, names.items[i]);

		if (load_file(file, false, &found, conf, err) < 0)
			return -1;
	}
	return 0;
}

/* "~/.config/containers/registries.conf"; NULL where there is no home. */
static char *user_file(void)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (config && config[0] != '\0')
		return str_format("%s/containers/" CONF_NAME, config);
	return home && home[0] != '\0' ? str_format("%s/.config/containers/" CONF_NAME, home)
				       : NULL;
}

static int load_all(struct registries_conf *conf, struct err *err)
{
	const char *given = getenv("CONTAINERS_REGISTRIES_CONF");
	auto_free char *user = user_file();
	auto_free char *user_dir = user ? str_format("%s.d", user) : NULL;
	bool found = false;

	if (given && given[0] != '\0')
		return load_file(given, true, &found, conf, err);
	if (user && load_file(user, false, &found, conf, err) < 0)
		return -1;
	if (!found && (load_file(SYSTEM_DIR CONF_NAME, false, &found, conf, err) < 0 ||
		       load_dir(SYSTEM_DIR CONF_NAME ".d", conf, err) < 0))
		return -1;
	return user_dir ? load_dir(user_dir, conf, err) : 0;
}

int registries_conf_load(struct registries_conf *out, struct err *err)
{
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;

	if (load_all(&conf, err) < 0)
		return -1;
	*out = conf;
	conf = (struct registries_conf)REGISTRIES_CONF_INIT;
	return 0;
}
