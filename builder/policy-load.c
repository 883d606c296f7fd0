/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the reading of a source policy. Rules that cannot be followed to the letter are
 * refused, for a policy that is half followed is none.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "builder/policy-internal.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"

#define POLICY_MAX_BYTES ((size_t)1 << 20)

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->count; i++) {
		struct rule *rule = &policy->rules[i];

		free(rule->identifier);
		free(rule->to);
		free(rule->checksum);
		if (rule->has_regex)
			regfree(&rule->regex);
	}
	free(policy->rules);
	free(policy);
}

/* No member that nobody looks at. */
static int check_members(const struct json *object, const char *const *known, const char *what,
			 struct err *err)
{
	if (!json_is_object(object))
		return err_set(err, ERR_INPUT, "%s is not an object", what);
	for (size_t i = 0; i < json_count(object); i++) {
		const char *key = json_key_at(object, i);
		size_t k = 0;

		while (known[k] && strcmp(known[k], key) != 0)
			k++;
		if (!known[k])
			return err_set(err, ERR_INPUT, "'%s' in %s is not supported", key, what);
	}
	return 0;
}

/* By name, or by its number in @names; absent is the first one. */
static int take_enum(const struct json *value, const char *const *names, const char *what,
		     unsigned *out, struct err *err)
{
	const char *text = json_string(value);

	*out = 0;
	if (!value)
		return 0;
	for (unsigned i = 0; names[i]; i++) {
		if (text ? strcmp(text, names[i]) == 0 : json_int(value, -1) == i) {
			*out = i;
			return 0;
		}
	}
	return err_set(err, ERR_INPUT, "%s: '%s' is not known", what, text ? text : "(no text)");
}

/* "a*b" as "^a(.*)b$". */
static char *wildcard_regex(const char *text)
{
	struct strbuf out = STRBUF_INIT;

	strbuf_putc(&out, '^');
	for (; *text; text++) {
		if (*text == '*') {
			strbuf_puts(&out, "(.*)");
			continue;
		}
		if (strchr(".[]()+?{}|^$\\", *text))
			strbuf_putc(&out, '\\');
		strbuf_putc(&out, *text);
	}
	strbuf_putc(&out, '$');
	return strbuf_steal(&out);
}

/* What Go's expressions have and POSIX's have not, or have with another meaning. */
static bool is_portable_regex(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && isalnum((unsigned char)p[1]))
			return false;
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '(' && p[1] == '?')
			return false;
		else if (strchr("*+?}", *p) && p[1] == '?')
			return false;
	}
	return true;
}

static int compile(struct rule *rule, struct err *err)
{
	auto_free char *text = NULL;

	if (rule->match == MATCH_EXACT)
		return 0;
	if (rule->match == MATCH_WILDCARD && strstr(rule->identifier, "**"))
		return err_set(err, ERR_INPUT, "'**' in the wildcard '%s'", rule->identifier);
	if (rule->match == MATCH_REGEX && !is_portable_regex(rule->identifier))
		return err_set(err, ERR_INPUT,
			       "the expression '%s' is more than a POSIX extended one",
			       rule->identifier);
	text = rule->match == MATCH_REGEX ? str_dup(rule->identifier)
					  : wildcard_regex(rule->identifier);
	if (regcomp(&rule->regex, text, REG_EXTENDED) != 0)
		return err_set(err, ERR_INPUT, "'%s' is no regular expression", rule->identifier);
	rule->has_regex = true;
	return 0;
}

static int take_selector(const struct json *selector, struct rule *rule, struct err *err)
{
	static const char *const known[] = { "identifier", "match_type", "matchType", NULL };
	static const char *const names[] = { "WILDCARD", "EXACT", "REGEX", NULL };
	const struct json *type = json_get(selector, "match_type");
	unsigned match;

	if (check_members(selector, known, "'selector'", err) < 0 ||
	    json_take_string(selector, "identifier", &rule->identifier, "'selector'", err) < 0 ||
	    take_enum(type ? type : json_get(selector, "matchType"), names, "'match_type'", &match,
		      err) < 0)
		return -1;
	if (!rule->identifier || !*rule->identifier)
		return err_set(err, ERR_INPUT, "'selector' has no 'identifier'");
	rule->match = (enum match)match;
	return compile(rule, err);
}

static int take_updates(const struct json *updates, struct rule *rule, struct err *err)
{
	static const char *const known[] = { "identifier", "attrs", NULL };
	static const char *const known_attrs[] = { "http.checksum", "git.checksum", NULL };
	const struct json *attrs = json_get(updates, "attrs");

	if (check_members(updates, known, "'updates'", err) < 0 ||
	    json_take_string(updates, "identifier", &rule->to, "'updates'", err) < 0)
		return -1;
	if (rule->to && !*rule->to) {
		free(rule->to);
		rule->to = NULL;
	}
	if (!attrs)
		return 0;
	if (check_members(attrs, known_attrs, "'attrs'", err) < 0)
		return -1;
	for (size_t i = 0; known_attrs[i]; i++)
		if (json_take_string(attrs, known_attrs[i], &rule->checksum, "'attrs'", err) < 0)
			return -1;
	return 0;
}

static int take_rule(const struct json *json, struct rule *rule, struct err *err)
{
	static const char *const known[] = { "action", "selector", "updates", NULL };
	static const char *const names[] = { "ALLOW", "DENY", "CONVERT", NULL };
	const struct json *updates = json_get(json, "updates");
	unsigned action;

	if (check_members(json, known, "a rule", err) < 0 ||
	    take_enum(json_get(json, "action"), names, "'action'", &action, err) < 0 ||
	    take_selector(json_get(json, "selector"), rule, err) < 0)
		return -1;
	rule->action = (enum action)action;
	if (rule->action == ACTION_CONVERT && !updates)
		return err_set(err, ERR_INPUT, "CONVERT has no 'updates'");
	return updates ? take_updates(updates, rule, err) : 0;
}

static int take_rules(const struct json *root, struct policy *policy, struct err *err)
{
	static const char *const known[] = { "version", "rules", NULL };
	const struct json *rules = json_get(root, "rules");
	int64_t version = json_int(json_get(root, "version"), 1);

	if (check_members(root, known, "the policy", err) < 0)
		return -1;
	if (version < 0 || version > 1)
		return err_set(err, ERR_INPUT, "version %lld is not supported", (long long)version);
	if (!json_is_array(rules))
		return err_set(err, ERR_INPUT, "there is no list 'rules'");
	policy->rules = mem_array(json_count(rules) + 1, sizeof(*policy->rules));
	for (size_t i = 0; i < json_count(rules); i++) {
		policy->count++;
		if (take_rule(json_at(rules, i), &policy->rules[i], err) < 0)
			return err_prefix(err, "rule %zu", i + 1);
	}
	return 0;
}

struct policy *policy_parse(const char *data, size_t len, const char *what, struct err *err)
{
	auto_json struct json *root = json_parse(data, len, what, err);
	struct policy *policy;

	if (!root)
		return NULL;
	policy = mem_alloc(sizeof(*policy));
	if (take_rules(root, policy, err) == 0)
		return policy;
	err_prefix(err, "%s", what);
	policy_free(policy);
	return NULL;
}

struct policy *policy_load(const char *path, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd < 0)
		err_sys(err, "open '%s'", path);
	if (fd < 0 || fd_read_all(fd, POLICY_MAX_BYTES, &text, path, err) < 0)
		return NULL;
	return policy_parse(text.data, text.len, path, err);
}
