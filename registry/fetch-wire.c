/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the form of what the builder and the program "fetch" say to each other. */
#include "registry/fetch-wire.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "registry/disposition.h"

#define REQUEST "fetch request"
#define RESULT  "fetch result"

void fetch_request_release(struct fetch_request *request)
{
	free(request->url);
	free(request->user);
	free(request->password);
	free(request->etag);
	free(request->last_modified);
	free(request->ref);
	free(request->agent);
	free(request->known_hosts);
	free(request->commit);
	*request = (struct fetch_request){ .url = NULL };
}

void fetch_result_release(struct fetch_result *result)
{
	free(result->etag);
	free(result->last_modified);
	free(result->filename);
	free(result->commit);
	free(result->ref);
	*result = (struct fetch_result){ .etag = NULL };
}

bool fetch_is_commit(const char *text)
{
	size_t len = strlen(text);

	return (len == 40 || len == 64) && strspn(text, "0123456789abcdef") == len;
}

void fetch_request_format(const struct fetch_request *request, struct strbuf *out)
{
	auto_json struct json *root = json_object();

	json_set_int(root, "kind", request->kind);
	json_set_string(root, "url", request->url);
	json_set_string(root, "user", request->user);
	json_set_string(root, "password", request->password);
	json_set_string(root, "etag", request->etag);
	json_set_string(root, "lastModified", request->last_modified);
	json_set_string(root, "ref", request->ref);
	json_set_string(root, "agent", request->agent);
	json_set_string(root, "knownHosts", request->known_hosts);
	json_set_string(root, "commit", request->commit);
	json_set_bool(root, "submodules", request->has_submodules);
	json_set_bool(root, "keepGitDir", request->keeps_git_dir);
	json_set_int(root, "maxBytes", (int64_t)request->max_bytes);
	json_set_int(root, "idleSeconds", (int64_t)request->idle_seconds);
	json_format(root, out);
}

static int take_kind(const struct json *root, enum fetch_kind *out, struct err *err)
{
	int64_t kind = json_int(json_get(root, "kind"), -1);

	if (kind < FETCH_HTTP || kind > FETCH_GIT)
		return err_set(err, ERR_INPUT, REQUEST ": unknown kind %lld", (long long)kind);
	*out = (enum fetch_kind)kind;
	return 0;
}

int fetch_request_parse(const char *data, size_t len, struct fetch_request *out, struct err *err)
{
	auto_json struct json *root = json_parse(data, len, REQUEST, err);
	auto_fetch_request struct fetch_request request = { .url = NULL };

	if (!root || take_kind(root, &request.kind, err) < 0 ||
	    json_take_string(root, "url", &request.url, REQUEST, err) < 0 ||
	    json_take_string(root, "user", &request.user, REQUEST, err) < 0 ||
	    json_take_string(root, "password", &request.password, REQUEST, err) < 0 ||
	    json_take_string(root, "etag", &request.etag, REQUEST, err) < 0 ||
	    json_take_string(root, "lastModified", &request.last_modified, REQUEST, err) < 0 ||
	    json_take_string(root, "ref", &request.ref, REQUEST, err) < 0 ||
	    json_take_string(root, "agent", &request.agent, REQUEST, err) < 0 ||
	    json_take_string(root, "knownHosts", &request.known_hosts, REQUEST, err) < 0 ||
	    json_take_string(root, "commit", &request.commit, REQUEST, err) < 0 ||
	    json_take_bool(root, "submodules", &request.has_submodules, REQUEST, err) < 0 ||
	    json_take_bool(root, "keepGitDir", &request.keeps_git_dir, REQUEST, err) < 0)
		return -1;
	request.max_bytes = (uint64_t)json_int(json_get(root, "maxBytes"), 0);
	request.idle_seconds = (uint64_t)json_int(json_get(root, "idleSeconds"), 0);
	if (!request.url || (request.kind == FETCH_GIT && !request.commit))
		return err_set(err, ERR_INPUT, REQUEST ": something is missing");
	*out = request;
	request = (struct fetch_request){ .url = NULL };
	return 0;
}

void fetch_result_format(const struct fetch_result *result, struct strbuf *out)
{
	auto_json struct json *root = json_object();
	char name[DIGEST_NAME_MAX];

	json_set_bool(root, "notModified", result->not_modified);
	json_set_string(root, "etag", result->etag);
	json_set_string(root, "lastModified", result->last_modified);
	json_set_int(root, "mtime", result->mtime);
	json_set_string(root, "filename", result->filename);
	json_set_string(root, "digest", digest_name(&result->digest, name));
	json_set_int(root, "size", (int64_t)result->size_bytes);
	json_set_string(root, "commit", result->commit);
	json_set_string(root, "ref", result->ref);
	json_format(root, out);
}

void fetch_error_format(const struct err *error, struct strbuf *out)
{
	auto_json struct json *root = json_object();

	json_set_int(root, "kind", error->kind);
	json_set_int(root, "errno", error->sys_errno);
	json_set_string(root, "error", error->text);
	json_format(root, out);
}

static int take_error(const struct json *root, struct err *err)
{
	const char *text = json_string(json_get(root, "error"));
	int64_t kind = json_int(json_get(root, "kind"), ERR_SYSTEM);

	if (!text)
		return 0;
	if (kind <= ERR_NONE || kind > ERR_INTERRUPTED)
		kind = ERR_SYSTEM;
	err_set(err, (enum err_kind)kind, "%s", text);
	err->sys_errno = (int)json_int(json_get(root, "errno"), 0);
	return -1;
}

/* It becomes a name in the image; whoever wrote this has read what a server sent. */
static bool is_clean(const char *name)
{
	auto_free char *clean = disposition_clean_name(name);

	return clean && strcmp(clean, name) == 0;
}

int fetch_result_parse(const char *data, size_t len, struct fetch_result *out, struct err *err)
{
	auto_json struct json *root = json_parse(data, len, RESULT, err);
	auto_fetch_result struct fetch_result result = { .etag = NULL };
	auto_free char *digest = NULL;
	int64_t size = 0;

	if (!root || take_error(root, err) < 0 ||
	    json_take_bool(root, "notModified", &result.not_modified, RESULT, err) < 0 ||
	    json_take_string(root, "etag", &result.etag, RESULT, err) < 0 ||
	    json_take_string(root, "lastModified", &result.last_modified, RESULT, err) < 0 ||
	    json_take_int(root, "mtime", &result.mtime, RESULT, err) < 0 ||
	    json_take_string(root, "filename", &result.filename, RESULT, err) < 0 ||
	    json_take_string(root, "digest", &digest, RESULT, err) < 0 ||
	    json_take_int(root, "size", &size, RESULT, err) < 0 ||
	    json_take_string(root, "commit", &result.commit, RESULT, err) < 0 ||
	    json_take_string(root, "ref", &result.ref, RESULT, err) < 0)
		return -1;
	if (digest && digest_parse(digest, &result.digest, err) < 0)
		return err_prefix(err, RESULT);
	if (result.commit && !fetch_is_commit(result.commit))
		return err_set(err, ERR_REMOTE, RESULT ": '%s' is no commit", result.commit);
	if (result.filename && !is_clean(result.filename))
		return err_set(err, ERR_REMOTE, RESULT ": '%s' is no file name", result.filename);
	if (size < 0)
		return err_set(err, ERR_REMOTE, RESULT ": a size below 0");
	result.size_bytes = (uint64_t)size;
	*out = result;
	result = (struct fetch_result){ .etag = NULL };
	return 0;
}
