/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for HTTP as ADD needs it: one GET with its redirects, its limits and its errors.
 */
#include <config.h>

#include "registry/transport-http.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "registry/http-status.h"
#include "registry/url.h"

#define MAX_REDIRECTS    10
#define MAX_HEADER_BYTES ((size_t)256 * 1024)
#define MIN_BYTES_PER_S  16L
#define BUFFER_BYTES     (256L * 1024)

/* One exchange; a redirect begins the next. */
struct exchange {
	const struct http_request *request;
	struct http_response *response;
	struct sink *body;
	CURL *curl;
	char *url; /* without credentials */
	char error[CURL_ERROR_SIZE];
	size_t header_bytes;
	uint64_t body_bytes;
	struct err *err;
	bool has_failed; /* err is set by a callback */
};

void http_response_release(struct http_response *response)
{
	free(response->etag);
	free(response->last_modified);
	free(response->disposition);
	*response = (struct http_response){ .status = 0 };
}

static void take_header(const char *line, size_t len, const char *name, char **out)
{
	size_t name_len = strlen(name);
	const char *value = line + name_len + 1;
	const char *end = line + len;

	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && strchr("\r\n \t", end[-1]))
		end--;
	free(*out);
	*out = str_ndup(value, (size_t)(end - value));
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	size_t len = size * count;

	exchange->header_bytes += len;
	if (exchange->header_bytes > MAX_HEADER_BYTES) {
		exchange->has_failed = true;
		err_set(exchange->err, ERR_REMOTE, "get '%s': the headers never end",
			exchange->url);
		return 0;
	}
	/* the answer before it was a proxy's, or a "100 Continue" */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		http_response_release(exchange->response);
	take_header(data, len, "ETag", &exchange->response->etag);
	take_header(data, len, "Last-Modified", &exchange->response->last_modified);
	take_header(data, len, "Content-Disposition", &exchange->response->disposition);
	return len;
}

static int too_large(struct exchange *exchange)
{
	return err_set(exchange->err, ERR_REMOTE, "get '%s': more than %llu bytes", exchange->url,
		       (unsigned long long)exchange->request->max_bytes);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	size_t len = size * count;
	long status = 0;

	curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
	exchange->body_bytes += len;
	if (exchange->body_bytes > exchange->request->max_bytes) {
		exchange->has_failed = true;
		too_large(exchange);
		return 0;
	}
	/* the page of an error or of a redirect is read to its end, and forgotten */
	if (status != 200)
		return len;
	if (sink_write(exchange->body, data, len, exchange->err) < 0) {
		exchange->has_failed = true;
		return 0;
	}
	return len;
}

static void add_condition(struct curl_slist **headers, const char *name, const char *value)
{
	auto_free char *line = NULL;
	struct curl_slist *longer;

	if (!value)
		return;
	line = str_format("%s: %s", name, value);
	longer = curl_slist_append(*headers, line);
	if (!longer)
		mem_exhausted();
	*headers = longer;
}

static void set_options(struct exchange *exchange, struct curl_slist *headers, bool with_user)
{
	const struct http_request *request = exchange->request;
	const char *trusted = getenv("SSL_CERT_FILE");
	CURL *curl = exchange->curl;

	curl_easy_setopt(curl, CURLOPT_URL, exchange->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "imgbuild/" PACKAGE_VERSION);
	curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)request->idle_seconds);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, MIN_BYTES_PER_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)request->idle_seconds);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->error);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (trusted && trusted[0])
		curl_easy_setopt(curl, CURLOPT_CAINFO, trusted);
	if (with_user && request->user) {
		curl_easy_setopt(curl, CURLOPT_USERNAME, request->user);
		curl_easy_setopt(curl, CURLOPT_PASSWORD,
				 request->password ? request->password : "");
	}
}

static int transfer_error(struct exchange *exchange, CURLcode code)
{
	const char *why = exchange->error[0] ? exchange->error : curl_easy_strerror(code);

	if (exchange->has_failed)
		return -1;
	/* which is what libcurl calls a line of a header that exceeds its limit */
	if (code == CURLE_OUT_OF_MEMORY)
		return err_set(exchange->err, ERR_REMOTE,
			       "get '%s': a header is too long, or no memory is left",
			       exchange->url);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return err_set(exchange->err, ERR_REMOTE,
			       "get '%s': nothing, or nearly nothing, came for %llu seconds",
			       exchange->url, (unsigned long long)exchange->request->idle_seconds);
	return err_set(exchange->err, ERR_REMOTE, "get '%s': %s", exchange->url, why);
}

/* What came: the end, an error, or the next URL in *out_next. */
static int judge(struct exchange *exchange, char **out_next, struct err *err)
{
	bool is_conditional = exchange->request->etag || exchange->request->last_modified;
	long status = 0;
	char *next = NULL;

	curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
	exchange->response->status = status;
	if (status == 200 || (status == 304 && is_conditional))
		return 0;
	if (!http_is_redirect(status))
		return err_set(err, ERR_REMOTE, "get '%s': HTTP status %ld%s", exchange->url,
			       status, http_status_meaning(status));
	curl_easy_getinfo(exchange->curl, CURLINFO_REDIRECT_URL, &next);
	if (!next)
		return err_set(err, ERR_REMOTE, "get '%s': a redirect to nowhere", exchange->url);
	*out_next = url_clean(next, err);
	if (!*out_next)
		return err_prefix(err, "get '%s': redirected", exchange->url);
	if (url_is_https(exchange->url) && !url_is_https(*out_next))
		return err_set(err, ERR_REMOTE,
			       "get '%s': a redirect from https to '%s', which is not",
			       exchange->url, *out_next);
	return 0;
}

static int perform(struct exchange *exchange, bool with_user, char **out_next, struct err *err)
{
	struct curl_slist *headers = NULL;
	CURLcode code;
	int result;

	exchange->curl = curl_easy_init();
	if (!exchange->curl)
		mem_exhausted();
	exchange->err = err;
	add_condition(&headers, "If-None-Match", exchange->request->etag);
	add_condition(&headers, "If-Modified-Since", exchange->request->last_modified);
	set_options(exchange, headers, with_user);
	code = curl_easy_perform(exchange->curl);
	result = code == CURLE_OK ? judge(exchange, out_next, err) : transfer_error(exchange, code);
	curl_easy_cleanup(exchange->curl);
	curl_slist_free_all(headers);
	return result;
}

static int follow(const struct http_request *request, struct sink *body, const char *origin,
		  char **url, struct http_response *response, struct err *err)
{
	for (unsigned hop = 0; hop <= MAX_REDIRECTS; hop++) {
		struct exchange exchange = {
			.request = request,
			.response = response,
			.body = body,
			.url = *url,
		};
		auto_free char *here = url_origin(*url, err);
		auto_free char *next = NULL;

		if (!here || perform(&exchange, strcmp(here, origin) == 0, &next, err) < 0)
			return -1;
		if (!next)
			return 0;
		free(*url);
		*url = ptr_steal(&next);
	}
	return err_set(err, ERR_REMOTE, "get '%s': more than %d redirects", request->url,
		       MAX_REDIRECTS);
}

int http_get(const struct http_request *request, struct sink *body, struct http_response *out,
	     struct err *err)
{
	auto_http_response struct http_response response = { .status = 0 };
	auto_free char *url = url_clean(request->url, err);
	auto_free char *origin = url ? url_origin(url, err) : NULL;
	time_t when;

	if (!origin || follow(request, body, origin, &url, &response, err) < 0)
		return -1;
	if (sink_finish(body, err) < 0)
		return -1;
	when = response.last_modified ? curl_getdate(response.last_modified, NULL) : -1;
	response.mtime = when > 0 ? when : 0;
	*out = response;
	response = (struct http_response){ .status = 0 };
	return 0;
}
