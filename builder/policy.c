/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what the rules of a source policy say of one source. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "builder/policy-internal.h"
#include "common/mem.h"
#include "layers/ref.h"

#define CONVERTS_MAX 20
#define GROUPS_MAX   32
#define IMAGE_SCHEME "docker-image://"
#define GIT_SCHEME   "git://"

/* One source, on its way through the rules. */
struct policy_source {
	char *identifier;
	char *checksum; /* or NULL */
};

static void policy_source_release(struct policy_source *source)
{
	free(source->identifier);
	free(source->checksum);
}
#define auto_policy_source __attribute__((cleanup(policy_source_release)))

/* ---- what it says ---- */

static bool is_match(const struct rule *rule, const char *identifier, regmatch_t *groups)
{
	if (rule->has_regex && regexec(&rule->regex, identifier, GROUPS_MAX, groups, 0) == 0)
		return true;
	groups[0] = (regmatch_t){ .rm_so = -1, .rm_eo = -1 };
	return strcmp(rule->identifier, identifier) == 0;
}

/* The number of the group that *at stands for, "$1" or "${1}", past which it is put; else -1. */
static int take_group(const char **at)
{
	const char *digits = *at + 1 + ((*at)[1] == '{');
	char *end;
	long number = strtol(digits, &end, 10);

	if (**at != '$' || !isdigit((unsigned char)*digits) || number >= GROUPS_MAX)
		return -1;
	if ((*at)[1] == '{' && *end++ != '}')
		return -1;
	*at = end;
	return (int)number;
}

static void expand(const char *format, const char *identifier, const regmatch_t *groups,
		   struct strbuf *out)
{
	while (*format) {
		int group = take_group(&format);

		if (group < 0)
			strbuf_putc(out, *format++);
		else if (groups[group].rm_so >= 0)
			strbuf_add(out, identifier + groups[group].rm_so,
				   (size_t)(groups[group].rm_eo - groups[group].rm_so));
	}
}

/* Of an expression only what it matches is replaced; a wildcard matches all. */
static char *converted(const struct rule *rule, const char *identifier, const regmatch_t *groups)
{
	struct strbuf out = STRBUF_INIT;

	if (!rule->to)
		return str_dup(identifier);
	if (!rule->has_regex || groups[0].rm_so < 0)
		return str_dup(rule->to);
	strbuf_add(&out, identifier, (size_t)groups[0].rm_so);
	expand(rule->to, identifier, groups, &out);
	strbuf_puts(&out, identifier + groups[0].rm_eo);
	return strbuf_steal(&out);
}

/* True when that changed something. */
static bool convert(const struct rule *rule, const regmatch_t *groups, struct policy_source *source)
{
	auto_free char *to = converted(rule, source->identifier, groups);
	bool changed = strcmp(to, source->identifier) != 0;

	if (rule->checksum &&
	    (!source->checksum || strcmp(source->checksum, rule->checksum) != 0)) {
		free(source->checksum);
		source->checksum = str_dup(rule->checksum);
		changed = true;
	}
	free(source->identifier);
	source->identifier = ptr_steal(&to);
	return changed;
}

/* All rules in order. *out_changed: they have to be asked again. */
static int ask(const struct policy *policy, struct policy_source *source, bool *out_changed,
	       struct err *err)
{
	bool denied = false;

	*out_changed = false;
	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];
		regmatch_t groups[GROUPS_MAX];

		if (!is_match(rule, source->identifier, groups))
			continue;
		if (rule->action == ACTION_CONVERT) {
			*out_changed = convert(rule, groups, source);
			if (*out_changed)
				return 0;
		} else {
			denied = rule->action == ACTION_DENY;
		}
	}
	return denied ? err_set(err, ERR_INPUT, "the source policy denies '%s'", source->identifier)
		      : 0;
}

static int evaluate(const struct policy *policy, struct policy_source *source, struct err *err)
{
	for (int i = 0; i <= CONVERTS_MAX; i++) {
		bool changed;

		if (ask(policy, source, &changed, err) < 0)
			return -1;
		if (!changed)
			return 0;
	}
	return err_set(err, ERR_INPUT, "the source policy converts '%s' without end",
		       source->identifier);
}

static int cannot(const char *from, const char *to, struct err *err)
{
	return err_set(err, ERR_INPUT, "the source policy makes '%s' of '%s', which cannot be", to,
		       from);
}

/* ---- images ---- */

int policy_image(const struct policy *policy, const char *name, char **out_name, struct err *err)
{
	auto_policy_source struct policy_source source = { .identifier = NULL };
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strbuf struct strbuf before = STRBUF_INIT;
	struct err ignored = ERR_INIT;

	if (!policy) {
		*out_name = str_dup(name);
		return 0;
	}
	strbuf_puts(&before, IMAGE_SCHEME);
	/* an ID is no name */
	if (strncmp(name, "sha256:", 7) != 0 && image_ref_parse(name, &ref, &ignored) == 0)
		image_ref_format(&ref, &before);
	else
		strbuf_puts(&before, name);
	source.identifier = str_dup(before.data);
	if (evaluate(policy, &source, err) < 0)
		return -1;
	if (strcmp(source.identifier, before.data) == 0)
		*out_name = str_dup(name);
	else if (strncmp(source.identifier, IMAGE_SCHEME, strlen(IMAGE_SCHEME)) == 0)
		*out_name = str_dup(source.identifier + strlen(IMAGE_SCHEME));
	else
		return cannot(before.data, source.identifier, err);
	return 0;
}

/* ---- what is fetched ---- */

static int take_url(struct remote *remote, const struct policy_source *source, struct err *err)
{
	auto_remote struct remote *other = NULL;

	if (source->checksum) {
		if (digest_parse(source->checksum, &remote->checksum, err) < 0)
			return err_prefix(err, "the source policy");
		remote->has_checksum = true;
	}
	if (strcmp(source->identifier, remote->url) == 0)
		return 0;
	if (!remote_is(source->identifier))
		return cannot(remote->url, source->identifier, err);
	other = remote_parse(source->identifier, err);
	if (!other)
		return err_prefix(err, "the source policy");
	if (other->kind != REMOTE_URL)
		return cannot(remote->url, source->identifier, err);
	/* the file keeps the name that the Buildfile gives it; a password was for the other server
	 */
	free(remote->url);
	free(remote->user);
	free(remote->password);
	remote->url = ptr_steal(&other->url);
	remote->user = ptr_steal(&other->user);
	remote->password = ptr_steal(&other->password);
	return 0;
}

/* "git://HOST/PATH", whatever the way there. */
static char *git_identifier(const struct remote *remote)
{
	const char *scheme = strstr(remote->url, "://");
	const char *authority = scheme ? scheme + 3 : remote->url;
	const char *at = memchr(authority, '@', strcspn(authority, "/"));
	auto_free char *place = str_dup(at ? at + 1 : authority);
	char *colon = scheme ? NULL : strchr(place, ':');

	if (colon)
		*colon = '/';
	if (!remote->ref && !remote->subdir)
		return str_format(GIT_SCHEME "%s", place);
	return str_format(GIT_SCHEME "%s#%s%s%s", place, remote->ref ? remote->ref : "",
			  remote->subdir ? ":" : "", remote->subdir ? remote->subdir : "");
}

/* Another branch, tag, commit or directory of it. */
static int take_git(struct remote *remote, const char *before, const struct policy_source *source,
		    struct err *err)
{
	size_t len = strcspn(before, "#");
	auto_remote struct remote *other = NULL;

	if (strcmp(before, source->identifier) != 0) {
		if (strncmp(before, source->identifier, len) != 0 ||
		    !strchr("#", source->identifier[len]))
			return cannot(before, source->identifier, err);
		other = remote_parse(source->identifier, err);
		if (!other)
			return err_prefix(err, "the source policy");
		free(remote->ref);
		free(remote->subdir);
		remote->ref = ptr_steal(&other->ref);
		remote->subdir = ptr_steal(&other->subdir);
	}
	return source->checksum ? remote_set_commit(remote, source->checksum, err) : 0;
}

int policy_remote(const struct policy *policy, struct remote *remote, struct err *err)
{
	auto_policy_source struct policy_source source = { .identifier = NULL };
	auto_free char *before = NULL;

	if (!policy)
		return 0;
	before = remote->kind == REMOTE_GIT ? git_identifier(remote) : str_dup(remote->url);
	source.identifier = str_dup(before);
	if (evaluate(policy, &source, err) < 0)
		return -1;
	return remote->kind == REMOTE_GIT ? take_git(remote, before, &source, err)
					  : take_url(remote, &source, err);
}

/* ---- what is here ---- */

int policy_local(const struct policy *policy, const char *name, struct err *err)
{
	auto_policy_source struct policy_source source = { .identifier = NULL };
	auto_free char *before = str_format("local://%s", name);

	if (!policy)
		return 0;
	source.identifier = str_dup(before);
	if (evaluate(policy, &source, err) < 0)
		return -1;
	return strcmp(source.identifier, before) == 0 ? 0 : cannot(before, source.identifier, err);
}
