/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for one HTTP request of an errand: what libcurl is told of it. What becomes of the
 * headers and bytes is courier-bytes.c's; whether that is what was wanted, and what to do next,
 * courier-judge.c's.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "registry/courier-internal.h"
#include "registry/url.h"

#define DOCUMENT_BYTES    CLIENT_DOCUMENT_MAX
#define MIN_BYTES_PER_S   1024L
#define BUFFER_BYTES      (256L * 1024)
#define WORTH_ASKING      ((uint64_t)1 << 20) /* a body that is not sent before the server wants it */
#define IDLE_FACTOR_TOTAL 4                   /* of the idle time, for a document as a whole */
#define IDLE_FACTOR_WORK  5 /* for a server that has something to do before it answers */

/* ---- the request ---- */

static const char *method_name(const struct errand *errand)
{
	static const char *const names[] = {
		[CLIENT_GET] = "GET",     [CLIENT_HEAD] = "HEAD", [CLIENT_POST] = "POST",
		[CLIENT_PATCH] = "PATCH", [CLIENT_PUT] = "PUT",   [CLIENT_DELETE] = "DELETE",
	};

	return names[errand->request->method];
}

char *errand_what(const struct errand *errand)
{
	const char *url = errand->url ? errand->url : errand->request->path;

	return str_format("%s '%.*s'", method_name(errand), (int)strcspn(url, "?"), url);
}

static void add_line(struct exchange *exchange, const char *line)
{
	struct curl_slist *longer = curl_slist_append(exchange->lines, line);

	if (!longer)
		mem_exhausted();
	exchange->lines = longer;
}

static bool has_content_type(const struct strlist *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		if (strncasecmp(headers->items[i], "Content-Type:", 13) == 0)
			return true;
	return false;
}

static void add_lines(struct errand *errand, const char *auth)
{
	struct exchange *exchange = &errand->exchange;
	uint64_t from = errand->request->offset + errand->delivered;
	const struct strlist *own = &errand->message.request_headers;

	for (size_t i = 0; i < own->count; i++)
		add_line(exchange, own->items[i]);
	if (exchange->is_at_home && !errand->token)
		for (size_t i = 0; i < errand->endpoint->values->headers.count; i++)
			add_line(exchange, errand->endpoint->values->headers.items[i]);
	if (auth)
		add_line(exchange, auth);
	if (errand->request->method == CLIENT_GET && from > 0 && !errand->no_range) {
		auto_free char *range = str_format("Range: bytes=%" PRIu64 "-", from);

		add_line(exchange, range);
	}
	if (errand->request->body.kind == CLIENT_BODY_FILE &&
	    errand->request->body.length <= WORTH_ASKING)
		add_line(exchange, "Expect:");
	if (!errand->form && !has_content_type(own))
		add_line(exchange, "Content-Type:"); /* none, where libcurl would guess one */
}

static void set_upload(struct errand *errand)
{
	CURL *curl = errand->exchange.curl;
	const struct client_body *body = &errand->request->body;
	bool is_known = body->length != UINT64_MAX;

	if (errand->form || body->kind == CLIENT_BODY_NONE) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, errand->form ? errand->form : "");
	} else {
		curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE,
				 is_known ? (curl_off_t)body->length : (curl_off_t)-1);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, exchange_on_upload);
		curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
	}
	curl_easy_setopt(curl, CURLOPT_READDATA, errand);
	curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, exchange_on_seek);
	curl_easy_setopt(curl, CURLOPT_SEEKDATA, errand);
}

static void set_method(struct errand *errand)
{
	CURL *curl = errand->exchange.curl;

	switch (errand->request->method) {
	case CLIENT_GET:
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
		return;
	case CLIENT_HEAD:
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
		return;
	case CLIENT_POST:
	case CLIENT_PATCH:
	case CLIENT_PUT:
		set_upload(errand);
		break;
	case CLIENT_DELETE:
		break;
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method_name(errand));
}

static void set_limits(struct errand *errand)
{
	CURL *curl = errand->exchange.curl;
	long idle = (long)errand->courier->settings.idle_seconds;
	bool is_reading =
		errand->request->method == CLIENT_GET || errand->request->method == CLIENT_HEAD;

	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, idle);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, MIN_BYTES_PER_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, is_reading ? idle : idle * IDLE_FACTOR_WORK);
	/* a document that comes drop by drop, each in time, must end too */
	if (is_reading && errand->request->max_bytes <= DOCUMENT_BYTES)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, idle * IDLE_FACTOR_TOTAL);
}

static void set_blob(CURL *curl, CURLoption option, const char *pem)
{
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };

	if (!pem)
		return;
	memcpy(&blob.data, &pem, sizeof(blob.data));
	blob.len = strlen(pem);
	curl_easy_setopt(curl, option, &blob);
}

static void set_tls(struct errand *errand)
{
	CURL *curl = errand->exchange.curl;
	const struct client_endpoint *values = errand->endpoint->values;
	const char *trusted = getenv("SSL_CERT_FILE");

	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (values->is_insecure) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (trusted && trusted[0])
		curl_easy_setopt(curl, CURLOPT_CAINFO, trusted);
	set_blob(curl, CURLOPT_CAINFO_BLOB, values->ca_pem);
	/* who we are is the endpoint's business alone */
	if (errand->exchange.is_at_home && values->cert_pem && values->key_pem) {
		set_blob(curl, CURLOPT_SSLCERT_BLOB, values->cert_pem);
		set_blob(curl, CURLOPT_SSLKEY_BLOB, values->key_pem);
	}
}

static const char *environment(const char *upper, const char *lower)
{
	const char *value = getenv(upper);

	if (!value || !value[0])
		value = getenv(lower);
	return value ? value : "";
}

static bool is_loopback_name(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcmp(host, "::1") == 0;
}

/* As programs in Go read the environment, for that is what people have set it for. */
static bool set_proxy(struct errand *errand)
{
	CURL *curl = errand->exchange.curl;
	struct err ignored = ERR_INIT;
	auto_free char *host = url_host(errand->url, &ignored);
	const char *proxy = url_is_https(errand->url) ? environment("HTTPS_PROXY", "https_proxy")
						      : environment("HTTP_PROXY", "http_proxy");

	if (!host || is_loopback_name(host))
		proxy = "";
	curl_easy_setopt(curl, CURLOPT_PROXY, proxy);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, environment("NO_PROXY", "no_proxy"));
	return proxy[0] != '\0';
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct errand *errand = context;

	if (!auth_address_is_fine(errand, &address->addr)) {
		errand->exchange.is_address_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/*
 * Much goes by a connection of its own: with HTTP/2 libcurl keeps what a slow reader has not
 * taken, up to 32 MiB a stream, where else TCP makes the other side wait.
 */
static long http_version(const struct errand *errand)
{
	bool is_much = errand->request->max_bytes > DOCUMENT_BYTES ||
		       errand->request->body.kind != CLIENT_BODY_NONE;

	return is_much ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
}

static void set_options(struct errand *errand)
{
	struct exchange *exchange = &errand->exchange;
	CURL *curl = exchange->curl;

	curl_easy_setopt(curl, CURLOPT_PRIVATE, errand);
	curl_easy_setopt(curl, CURLOPT_URL, errand->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "imgbuild/" PACKAGE_VERSION);
	curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, http_version(errand));
	curl_easy_setopt(curl, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->error);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, exchange_on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, errand);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, exchange_on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, errand);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, exchange->lines);
	/* a proxy is the user's choice, wherever it is */
	if (!set_proxy(errand)) {
		curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open);
		curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, errand);
	}
}

/* The URL of an errand's first exchange. */
static char *first_url(struct errand *errand)
{
	const char *path = errand->request->path;
	const struct courier_endpoint *endpoint = errand->endpoint;

	if (path[0] != '/')
		return url_clean(path, &errand->err);
	errand->tried = endpoint->values->is_insecure && endpoint->scheme == SCHEME_HTTP
				? SCHEME_HTTP
				: SCHEME_HTTPS;
	return str_format("%s://%s%s", errand->tried == SCHEME_HTTP ? "http" : "https",
			  endpoint->values->host, path);
}

/* To the endpoint's own host, by the scheme that it speaks: credentials may go there. */
static int look_where(struct errand *errand)
{
	const struct courier_endpoint *endpoint = errand->endpoint;
	auto_free char *home_url =
		str_format("%s://%s/", errand->tried == SCHEME_HTTP ? "http" : "https",
			   endpoint->values->host);
	auto_free char *home = url_origin(home_url, &errand->err);
	auto_free char *here = home ? url_origin(errand->url, &errand->err) : NULL;

	if (!here)
		return -1;
	if (!url_is_https(errand->url) && !endpoint->values->is_insecure && !errand->token)
		return errand_fail(errand, ERR_REMOTE, "plain http is not allowed for '%s'",
				   endpoint->values->host);
	errand->exchange.is_at_home = strcmp(home, here) == 0;
	return 0;
}

void exchange_begin(struct errand *errand)
{
	struct exchange *exchange = &errand->exchange;
	auto_free char *auth = NULL;

	if (scheme_wait(errand))
		return;
	if (errand->tried == SCHEME_UNKNOWN)
		errand->tried = errand->endpoint->scheme;
	/* an upload of an earlier process, before all else: as the registry wanted it then */
	if (errand->tried == SCHEME_UNKNOWN && errand->request->path[0] != '/')
		errand->tried = url_is_https(errand->request->path) ? SCHEME_HTTPS : SCHEME_HTTP;
	if (!errand->url)
		errand->url = first_url(errand);
	if (!errand->url || look_where(errand) < 0) {
		errand->has_failed = true;
		errand_end(errand);
		return;
	}
	auth = auth_header(errand);
	if (errand->state != ERRAND_READY)
		return;
	exchange->curl = curl_easy_init();
	if (!exchange->curl)
		mem_exhausted();
	add_lines(errand, auth);
	set_options(errand);
	set_tls(errand);
	set_method(errand);
	set_limits(errand);
	errand->state = ERRAND_RUNNING;
	if (curl_multi_add_handle(errand->courier->multi, exchange->curl) != CURLM_OK)
		mem_exhausted();
}

void exchange_end(struct errand *errand)
{
	struct exchange *exchange = &errand->exchange;

	if (!exchange->curl)
		return;
	curl_multi_remove_handle(errand->courier->multi, exchange->curl);
	curl_easy_cleanup(exchange->curl);
	exchange->curl = NULL;
}

void exchange_release(struct exchange *exchange)
{
	curl_slist_free_all(exchange->lines);
	free(exchange->sent_token);
	strlist_release(&exchange->headers);
	strbuf_release(&exchange->refusal);
	*exchange = (struct exchange){ .refusal = STRBUF_INIT };
}
