/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what one file of credentials says about a registry. Writing such files is
 * authfile-write's; in what order files are asked is credentials'.
 */
#include "registry/authfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base64.h"
#include "common/fd.h"
#include "common/mem.h"
#include "registry/authfile-internal.h"
#include "registry/credential-helper.h"

void authfile_release(struct authfile *file)
{
	free(file->path);
	json_unref(file->document);
	*file = (struct authfile)AUTHFILE_INIT;
}

int authfile_parse(const char *data, size_t len, const char *path, bool is_legacy,
		   struct authfile *out, struct err *err)
{
	auto_json struct json *document = json_parse(data, len, path, err);

	if (!document)
		return -1;
	if (!json_is_object(document))
		return err_set(err, ERR_INPUT, "'%s' is no file of credentials: no JSON object",
			       path);
	*out = (struct authfile){ .path = str_dup(path),
				  .is_legacy = is_legacy,
				  .document = ptr_steal(&document) };
	return 0;
}

int authfile_load(const char *path, bool is_legacy, bool *out_found, struct authfile *out,
		  struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	*out_found = false;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fd_read_all(fd, AUTHFILE_MAX_BYTES, &text, path, err) < 0)
		return -1;
	/* podman makes an empty file for those who are logged in nowhere yet */
	*out_found = text.len > 0;
	result = text.len > 0 ? authfile_parse(text.data, text.len, path, is_legacy, out, err) : 0;
	explicit_bzero(text.data, text.len);
	return result;
}

/* ---- one entry ---- */

/* "user:password" in base 64. docker ends passwords with NULs at times. */
static int decode_pair(const char *auth, struct credentials *out, struct err *err)
{
	auto_strbuf struct strbuf pair = STRBUF_INIT;
	const char *colon;
	int result = 0;

	if (base64_parse(auth, &pair, err) < 0)
		return -1;
	while (pair.len > 0 && pair.data[pair.len - 1] == '\0')
		strbuf_truncate(&pair, pair.len - 1);
	colon = strchr(pair.data, ':');
	if (!colon || strlen(pair.data) != pair.len)
		result = err_set(err, ERR_INPUT, "not user and password");
	if (result == 0) {
		out->user = str_ndup(pair.data, (size_t)(colon - pair.data));
		out->password = str_dup(colon + 1);
	}
	explicit_bzero(pair.data, pair.len);
	return result;
}

/* A token is sent in a header as it is. */
static bool is_header_text(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static int read_entry(const struct json *entry, struct credentials *out, struct err *err)
{
	auto_credentials struct credentials found = CREDENTIALS_INIT;
	auto_free char *auth = NULL;
	int result = 0;

	if (!json_is_object(entry))
		return err_set(err, ERR_INPUT, "no JSON object");
	if (json_take_string(entry, "username", &found.user, "entry", err) < 0 ||
	    json_take_string(entry, "password", &found.password, "entry", err) < 0 ||
	    json_take_string(entry, "identitytoken", &found.identity_token, "entry", err) < 0 ||
	    json_take_string(entry, "registrytoken", &found.registry_token, "entry", err) < 0 ||
	    json_take_string(entry, "auth", &auth, "entry", err) < 0)
		return -1;
	if (auth && auth[0] != '\0') {
		free(ptr_steal(&found.user));
		free(ptr_steal(&found.password));
		result = decode_pair(auth, &found, err) < 0 ? err_prefix(err, "\"auth\"") : 0;
		explicit_bzero(auth, strlen(auth));
	}
	if (result < 0)
		return -1;
	if (found.registry_token && !is_header_text(found.registry_token))
		return err_set(err, ERR_INPUT, "\"registrytoken\" has blanks or control characters");
	if (found.user && found.user[0] == '\0')
		free(ptr_steal(&found.user));
	*out = found;
	found = (struct credentials)CREDENTIALS_INIT;
	return 0;
}

/* ---- which entry ---- */

const struct json *authfile_entries(const struct authfile *file)
{
	return file->is_legacy ? file->document : json_get(file->document, "auths");
}

/* The name under which all names of one registry meet. */
static const char *common_host(const char *host)
{
	if (strcmp(host, "index.docker.io") == 0 || strcmp(host, "registry-1.docker.io") == 0)
		return "docker.io";
	return host;
}

/* The host that a key is about: "https://index.docker.io/v1/" is docker.io's. The caller's. */
static char *key_host(const char *key, bool is_legacy)
{
	const char *rest = key;
	auto_free char *host = NULL;

	if (strncmp(rest, "http://", 7) == 0)
		rest += 7;
	else if (strncmp(rest, "https://", 8) == 0)
		rest += 8;
	host = is_legacy || rest != key ? str_ndup(rest, strcspn(rest, "/")) : str_dup(rest);
	return str_dup(common_host(host));
}

/* The entry whose key is @host/@repository or the longest beginning of it at a slash. */
static const struct json *find_exact(const struct json *entries, const char *host,
				     const char *repository)
{
	auto_free char *key = repository ? str_format("%s/%s", host, repository) : str_dup(host);

	for (;;) {
		const struct json *entry = json_get(entries, key);
		char *slash = strrchr(key, '/');

		if (entry || !slash)
			return entry;
		*slash = '\0';
	}
}

static const struct json *find_entry(const struct authfile *file, const char *host,
				     const char *repository)
{
	const struct json *entries = authfile_entries(file);
	const struct json *entry = find_exact(entries, host, file->is_legacy ? NULL : repository);

	for (size_t i = 0; !entry && i < json_count(entries); i++) {
		auto_free char *of = key_host(json_key_at(entries, i), file->is_legacy);

		if (strcmp(of, common_host(host)) == 0)
			entry = json_value_at(entries, i);
	}
	return entry;
}

int authfile_helper(const struct authfile *file, const char *host, bool is_last, char **out,
		    struct err *err)
{
	const struct json *helpers = json_get(file->document, "credHelpers");
	const struct json *suffix = NULL;

	if (file->is_legacy)
		return 0;
	for (size_t i = 0; !is_last && !suffix && i < json_count(helpers); i++) {
		auto_free char *of = json_is_object(helpers)
					     ? key_host(json_key_at(helpers, i), true)
					     : NULL;

		if (of && strcmp(of, common_host(host)) == 0)
			suffix = json_value_at(helpers, i);
	}
	if (is_last)
		suffix = json_get(file->document, "credsStore");
	if (!suffix || (json_string(suffix) && json_string(suffix)[0] == '\0'))
		return 0;
	if (!json_string(suffix) || !credential_helper_is_suffix(json_string(suffix)))
		return err_set(err, ERR_INPUT, "'%s': the credential helper for %s is no name",
			       file->path, host);
	*out = str_dup(json_string(suffix));
	return 0;
}

int authfile_find(const struct authfile *file, const char *host, const char *repository,
		  struct credentials *out, char **out_helper, struct err *err)
{
	const struct json *entry;

	if (authfile_helper(file, host, false, out_helper, err) < 0)
		return -1;
	if (*out_helper)
		return 0;
	entry = json_is_object(authfile_entries(file)) ? find_entry(file, host, repository) : NULL;
	if (entry && read_entry(entry, out, err) < 0)
		return err_prefix(err, "'%s': credentials for %s", file->path, host);
	if (credentials_are_there(out))
		return 0;
	return authfile_helper(file, host, true, out_helper, err);
}

/* ---- headers ---- */

static bool is_header_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789!#$%&'*+-.^_`|~";

	return name[strspn(name, allowed)] == '\0';
}

static bool is_header_value(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return false;
	return true;
}

int authfile_headers(const struct authfile *file, struct strlist *out, struct err *err)
{
	const struct json *headers =
		file->is_legacy ? NULL : json_get(file->document, "HttpHeaders");
	auto_strlist struct strlist found = STRLIST_INIT;

	if (!headers)
		return 0;
	if (!json_is_object(headers))
		return err_set(err, ERR_INPUT, "'%s': \"HttpHeaders\" is no JSON object",
			       file->path);
	for (size_t i = 0; i < json_count(headers); i++) {
		const char *name = json_key_at(headers, i);
		const char *value = json_string(json_get(headers, name));

		if (strncasecmp(name, "X-Meta-", strlen("X-Meta-")) != 0)
			continue;
		if (!is_header_name(name) || !value || !is_header_value(value))
			return err_set(err, ERR_INPUT,
				       "'%s': \"HttpHeaders\": '%.60s' is no header", file->path,
				       name);
		strlist_addf(&found, "%s: %s", name, value);
	}
	*out = found;
	found = (struct strlist)STRLIST_INIT;
	return 0;
}
