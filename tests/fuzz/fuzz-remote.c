/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs and git repositories: what is fetched has no password in it, no way out
 * of the checkout, and nothing that git(1) would take for an option.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/remote.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_plain(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			abort();
}

/* No ".." and no ".git" among the components. */
static void must_stay_inside(const char *path)
{
	while (path && *path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0)
			abort();
		if (len == 4 && memcmp(path, ".git", 4) == 0)
			abort();
		path += len;
		path += strspn(path, "/");
	}
}

static void must_have_no_password(const char *url)
{
	const char *authority = strstr(url, "://");

	if (!authority || memchr(authority + 3, '@', strcspn(authority + 3, "/?#")))
		abort();
}

/* user@host:path or ssh://user@host:port/path: no password, and no part that is an option. */
static void must_be_fit_for_ssh(const char *url)
{
	const char *authority = strncmp(url, "ssh://", 6) == 0 ? url + 6 : url;
	size_t len = strcspn(authority, authority == url ? ":" : "/");
	const char *at = memrchr(authority, '@', len);
	const char *host = at ? at + 1 : authority;

	if (authority[0] == '-' || host[0] == '-' || host == authority + len)
		abort();
	if (at && memchr(authority, ':', (size_t)(at - authority)))
		abort();
	if (!authority[len] || !authority[len + 1] || authority[len + 1] == '-')
		abort();
}

static void must_be_safe(const struct remote *remote)
{
	must_be_plain(remote->url);
	must_be_plain(remote->shown);
	if (remote->is_ssh) {
		must_be_fit_for_ssh(remote->url);
	} else {
		must_have_no_password(remote->url);
		must_have_no_password(remote->shown);
	}
	must_stay_inside(remote->subdir);
	if (remote->name && (strchr(remote->name, '/') || !strcmp(remote->name, "..")))
		abort();
	if (remote->ref && (remote->ref[0] == '-' || strstr(remote->ref, "..")))
		abort();
	if (remote->commit && remote->commit[strspn(remote->commit, "0123456789abcdef")])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);
	auto_remote struct remote *remote = NULL;
	struct err err = ERR_INIT;

	if (!remote_is(text))
		return 0;
	remote = remote_parse(text, &err);
	if (remote)
		must_be_safe(remote);
	else if (err.kind != ERR_INPUT || !err.text[0])
		abort();
	return 0;
}
