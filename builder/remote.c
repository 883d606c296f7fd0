/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a source that is not a file here is called: where it is fetched from,
 * which part of it is meant, and how it is shown without its password.
 */
#include "builder/remote.h"

#include <strings.h>
#include <string.h>

#include "builder/value.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "registry/disposition.h"

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_http(const char *text)
{
	return begins(text, "http://") || begins(text, "https://");
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* "git@host:path", as scp writes it: the length of all before the path, or 0. */
static size_t scp_length(const char *text)
{
	size_t user = strspn(text, ALNUM "-_");
	size_t host = text[user] == '@' ? strspn(text + user + 1, ALNUM "-.") : 0;

	return user > 0 && host > 0 && text[user + 1 + host] == ':' ? user + host + 2 : 0;
}

static bool is_ssh(const char *text)
{
	return begins(text, "ssh://") || scp_length(text) > 0;
}

bool remote_is(const char *text)
{
	return is_http(text) || is_ssh(text) || begins(text, "git://");
}

void remote_free(struct remote *remote)
{
	if (!remote)
		return;
	free(remote->shown);
	free(remote->url);
	free(remote->user);
	free(remote->password);
	free(remote->name);
	free(remote->ref);
	free(remote->subdir);
	free(remote->commit);
	free(remote);
}

/* Length of "user:password@" at the beginning of an authority, or 0. */
static size_t userinfo_length(const char *authority)
{
	size_t len = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', len);

	return at ? (size_t)(at - authority) + 1 : 0;
}

/* The text without "user:password@", which are kept apart. */
static int take_userinfo(struct remote *remote, const char *text, struct err *err)
{
	const char *authority = strstr(text, "://") + 3;
	size_t len = userinfo_length(authority);
	auto_free char *info = NULL;
	char *colon;

	remote->shown = str_format("%.*s%s", (int)(authority - text), text, authority + len);
	if (len == 0)
		return 0;
	info = str_ndup(authority, len - 1);
	colon = strchr(info, ':');
	if (colon)
		*colon = '\0';
	remote->user = disposition_percent_decode(info);
	remote->password = colon ? disposition_percent_decode(colon + 1) : NULL;
	if (!remote->user || (colon && !remote->password))
		return err_set(err, ERR_INPUT, "'%s': its user or password has a NUL",
			       remote->shown);
	if (strcspn(remote->user, "\r\n") != strlen(remote->user) ||
	    (remote->password && strcspn(remote->password, "\r\n") != strlen(remote->password)))
		return err_set(err, ERR_INPUT, "'%s': its user or password has a line end",
			       remote->shown);
	return 0;
}

static int check_printable(const struct remote *remote, struct err *err)
{
	for (const char *p = remote->shown; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(err, ERR_INPUT,
				       "the URL '%.*s...' has a blank or a control character",
				       (int)(p - remote->shown), remote->shown);
	return 0;
}

static int check_characters(const struct remote *remote, struct err *err)
{
	if (check_printable(remote, err) < 0)
		return -1;
	if (strchr("/?#", strstr(remote->shown, "://")[3]))
		return err_set(err, ERR_INPUT, "'%s' names no host", remote->shown);
	return 0;
}

/* "https://host/a/b?c#d" → "/a/b" */
static char *path_of(const char *url)
{
	const char *authority = strstr(url, "://") + 3;
	const char *path = authority + strcspn(authority, "/?#");

	return str_ndup(path, strcspn(path, "?#"));
}

static void name_of_path(struct remote *remote)
{
	auto_free char *path = path_of(remote->shown);
	auto_free char *decoded = NULL;
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		path[--len] = '\0';
	decoded = disposition_percent_decode(path);
	remote->name = decoded ? disposition_clean_name(decoded) : NULL;
}

static int set_once(char **to, const char *value, const struct remote *remote, const char *what,
		    struct err *err)
{
	if (value[0] == '\0')
		return 0;
	if (*to && strcmp(*to, value) != 0)
		return err_set(err, ERR_INPUT, "'%s' says its %s twice", remote->shown, what);
	free(*to);
	*to = str_dup(value);
	return 0;
}

static int set_ref(struct remote *remote, const char *prefix, const char *value, struct err *err)
{
	auto_free char *ref = str_format("%s%s", prefix, value);

	if (value[0] == '\0')
		return 0;
	if (strpbrk(value, ":^~?*[\\") || strstr(value, "..") || value[0] == '-')
		return err_set(err, ERR_INPUT, "'%s': '%s' is no name of a branch, tag or commit",
			       remote->shown, value);
	return set_once(&remote->ref, ref, remote, "branch, tag or commit", err);
}

/* Which nobody can use to leave the checkout, however it is resolved. */
static int set_subdir(struct remote *remote, const char *value, struct err *err)
{
	for (const char *part = value; *part;) {
		size_t len = strcspn(part, "/");

		if (len == 2 && memcmp(part, "..", 2) == 0)
			return err_set(err, ERR_INPUT,
				       "'%s': the directory '%s' would leave the repository",
				       remote->shown, value);
		if (len == 4 && strncasecmp(part, ".git", 4) == 0)
			return err_set(err, ERR_INPUT,
				       "'%s': '.git' is not a directory of the repository",
				       remote->shown);
		part += len;
		part += strspn(part, "/");
	}
	return set_once(&remote->subdir, value, remote, "directory", err);
}

int remote_set_commit(struct remote *remote, const char *value, struct err *err)
{
	size_t len = strlen(value);

	if (len < 7 || len > 64 || strspn(value, "0123456789abcdef") != len)
		return err_set(err, ERR_INPUT,
			       "'%s': '%s' is not a commit, 7 to 64 lower-case hex digits",
			       remote->shown, value);
	return set_once(&remote->commit, value, remote, "commit", err);
}

static int set_key(struct remote *remote, const char *key, const char *value, struct err *err)
{
	bool flag = true;

	if (strcmp(key, "ref") == 0)
		return set_ref(remote, "", value, err);
	if (strcmp(key, "branch") == 0)
		return set_ref(remote, "refs/heads/", value, err);
	if (strcmp(key, "tag") == 0)
		return set_ref(remote, "refs/tags/", value, err);
	if (strcmp(key, "subdir") == 0)
		return set_subdir(remote, value, err);
	if (strcmp(key, "commit") == 0 || strcmp(key, "checksum") == 0)
		return remote_set_commit(remote, value, err);
	if (strcmp(key, "keep-git-dir") != 0 && strcmp(key, "submodules") != 0)
		return err_set(err, ERR_INPUT,
			       "'%s': unknown key '%s' (known: ref, branch, tag, subdir, commit, "
			       "checksum, keep-git-dir, submodules)",
			       remote->shown, key);
	if (value[0] && value_bool(value, &flag, err) < 0)
		return err_prefix(err, "'%s': %s", remote->shown, key);
	if (strcmp(key, "submodules") == 0)
		remote->has_submodules = flag;
	else
		remote->keeps_git_dir = flag ? TRISTATE_TRUE : TRISTATE_FALSE;
	return 0;
}

static int take_query(struct remote *remote, const char *query, struct err *err)
{
	for (const char *at = query; *at;) {
		size_t len = strcspn(at, "&");
		auto_free char *pair = str_ndup(at, len);
		char *equals = strchr(pair, '=');
		auto_free char *value = disposition_percent_decode(equals ? equals + 1 : "");

		if (equals)
			*equals = '\0';
		if (!value)
			return err_set(err, ERR_INPUT, "'%s' has a NUL", remote->shown);
		if (pair[0] && set_key(remote, pair, value, err) < 0)
			return -1;
		at += len;
		at += *at == '&';
	}
	return 0;
}

static int take_fragment(struct remote *remote, const char *fragment, struct err *err)
{
	size_t len = strcspn(fragment, ":");
	auto_free char *ref = str_ndup(fragment, len);

	if (set_ref(remote, "", ref, err) < 0)
		return -1;
	return fragment[len] ? set_subdir(remote, fragment + len + 1, err) : 0;
}

static int parse_git(struct remote *remote, struct err *err)
{
	size_t len = strcspn(remote->shown, "?#");
	const char *hash = strchr(remote->shown, '#');

	remote->kind = REMOTE_GIT;
	remote->has_submodules = true;
	remote->url = str_ndup(remote->shown, len);
	if (remote->shown[len] == '?') {
		const char *query = remote->shown + len + 1;
		auto_free char *text = str_ndup(query, strcspn(query, "#"));

		if (take_query(remote, text, err) < 0)
			return -1;
	}
	if (hash && take_fragment(remote, hash + 1, err) < 0)
		return -1;
	/* a whole commit needs no name that leads to it */
	if (!remote->ref && remote->commit &&
	    (strlen(remote->commit) == 40 || strlen(remote->commit) == 64))
		remote->ref = str_dup(remote->commit);
	if (begins(remote->url, "git://") && remote->user)
		return err_set(err, ERR_INPUT, "'%s': the git protocol knows no user",
			       remote->shown);
	return 0;
}

static bool is_git(const struct remote *remote)
{
	auto_free char *path = path_of(remote->shown);
	size_t len = strlen(path);

	return begins(remote->shown, "git://") || (len >= 4 && strcmp(path + len - 4, ".git") == 0);
}

/* "ssh://user@host:port/path": no part may be an option to ssh, and there is a path. */
static int check_ssh_url(const struct remote *remote, struct err *err)
{
	const char *authority = remote->shown + strlen("ssh://");
	size_t userinfo = userinfo_length(authority);
	size_t len = strcspn(authority, "/?#");

	if (memchr(authority, ':', userinfo))
		return err_set(err, ERR_INPUT,
			       "'ssh://%s': ssh takes no password: lend it an agent that has a key",
			       authority + userinfo);
	if (authority[0] == '-' || authority[userinfo] == '-' ||
	    strchr(":/?#", authority[userinfo]))
		return err_set(err, ERR_INPUT, "'%s' names no host", remote->shown);
	if (authority[len] != '/' || strchr("-/?#", authority[len + 1]))
		return err_set(err, ERR_INPUT, "'%s' names no repository", remote->shown);
	return 0;
}

static int check_scp(const struct remote *remote, struct err *err)
{
	const char *path = remote->shown + scp_length(remote->shown);
	const char *host = strchr(remote->shown, '@') + 1;

	if (remote->shown[0] == '-' || host[0] == '-')
		return err_set(err, ERR_INPUT, "'%s' names no host", remote->shown);
	if (strchr("-?#", path[0]))
		return err_set(err, ERR_INPUT, "'%s' names no repository", remote->shown);
	return 0;
}

/* The user is part of where it is, and nothing to hide. */
static int parse_ssh(struct remote *remote, const char *text, struct err *err)
{
	remote->is_ssh = true;
	remote->shown = str_dup(text);
	if (check_printable(remote, err) < 0 ||
	    (begins(text, "ssh://") ? check_ssh_url(remote, err) : check_scp(remote, err)) < 0)
		return -1;
	return parse_git(remote, err);
}

struct remote *remote_parse(const char *text, struct err *err)
{
	auto_remote struct remote *remote = mem_alloc(sizeof(*remote));

	if (is_ssh(text)) {
		if (parse_ssh(remote, text, err) < 0)
			return NULL;
		return ptr_steal(&remote);
	}
	if (take_userinfo(remote, text, err) < 0 || check_characters(remote, err) < 0)
		return NULL;
	if (is_git(remote)) {
		if (parse_git(remote, err) < 0)
			return NULL;
		return ptr_steal(&remote);
	}
	remote->kind = REMOTE_URL;
	remote->url = str_ndup(remote->shown, strcspn(remote->shown, "#"));
	name_of_path(remote);
	return ptr_steal(&remote);
}
