/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the headers and bytes of one exchange, as libcurl brings them and asks for them:
 * what is kept of them, what goes on to the parent, and which limits they have.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "registry/courier-internal.h"

#define HEADER_BYTES_MAX ((size_t)256 * 1024)
#define HEADER_VALUE_MAX ((size_t)16 * 1024)
#define KEPT_BYTES_MAX   ((size_t)64 * 1024)
#define REFUSAL_MAX      ((size_t)1 << 20)
#define PENDING_MAX      ((size_t)512 * 1024)

/* What of an answer's head anybody here or there reads. */
static const char *const kept_headers[] = {
	"content-length",
	"content-range",
	"content-type",
	"docker-content-digest",
	"docker-upload-uuid",
	"etag",
	"link",
	"location",
	"oci-chunk-min-length",
	"oci-filters-applied",
	"oci-subject",
	"oci-tag",
	"range",
	"retry-after",
	"warning",
	"www-authenticate",
};

/* ---- what comes ---- */

static bool is_kept(const char *name)
{
	for (size_t i = 0; i < sizeof(kept_headers) / sizeof(kept_headers[0]); i++)
		if (strcmp(kept_headers[i], name) == 0)
			return true;
	return false;
}

static void keep_header(struct exchange *exchange, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	char name[64];
	size_t name_len;
	const char *value;
	const char *end = line + len;

	if (!colon)
		return;
	name_len = (size_t)(colon - line);
	if (name_len >= sizeof(name))
		return;
	for (size_t i = 0; i < name_len; i++)
		name[i] = line[i] >= 'A' && line[i] <= 'Z' ? (char)(line[i] - 'A' + 'a') : line[i];
	name[name_len] = '\0';
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
		;
	while (end > value && strchr("\r\n \t", end[-1]))
		end--;
	if (!is_kept(name) || (size_t)(end - value) > HEADER_VALUE_MAX ||
	    exchange->kept_bytes + len > KEPT_BYTES_MAX)
		return;
	exchange->kept_bytes += len;
	strlist_addf(&exchange->headers, "%s: %.*s", name, (int)(end - value), value);
}

const char *exchange_header(const struct exchange *exchange, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < exchange->headers.count; i++)
		if (strncmp(exchange->headers.items[i], name, len) == 0 &&
		    exchange->headers.items[i][len] == ':')
			return exchange->headers.items[i] + len + 2;
	return NULL;
}

size_t exchange_on_header(char *data, size_t size, size_t count, void *context)
{
	struct errand *errand = context;
	struct exchange *exchange = &errand->exchange;
	size_t len = size * count;

	exchange->header_bytes += len;
	if (exchange->header_bytes > HEADER_BYTES_MAX) {
		errand_fail(errand, ERR_REMOTE, "the headers never end");
		return 0;
	}
	/* the answer before it was a proxy's, or a "100 Continue" */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		strlist_release(&exchange->headers);
	/* all of them count: an answer after the other is no way around the limit */
	keep_header(exchange, data, len);
	return len;
}

/* "bytes FROM-TO/TOTAL" from where it was asked for. */
static bool is_range_asked_for(const char *value, uint64_t from, uint64_t total)
{
	uint64_t first;
	uint64_t last;
	char whole[32];
	char expected[32];

	if (!value ||
	    sscanf(value, "bytes %" SCNu64 "-%" SCNu64 "/%31s", &first, &last, whole) != 3)
		return false;
	snprintf(expected, sizeof(expected), "%" PRIu64, total);
	return first == from && last >= first &&
	       (total == 0 ||
		(last < total && (strcmp(whole, "*") == 0 || strcmp(whole, expected) == 0)));
}

/* The first bytes of a body that is wanted: are they those that were asked for? */
static int begin_body(struct errand *errand, long status)
{
	struct exchange *exchange = &errand->exchange;
	uint64_t total = errand->request->total;
	uint64_t from = errand->request->offset + errand->delivered;
	curl_off_t length = -1;

	exchange->is_begun = true;
	curl_easy_getinfo(exchange->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (status == 206) {
		if (!is_range_asked_for(exchange_header(exchange, "content-range"), from, total))
			return errand_fail(errand, ERR_REMOTE,
					   "answers with a range that was not asked for");
		return 0;
	}
	exchange->skip = from;
	if (total > 0 && length >= 0 && (uint64_t)length != total)
		return errand_fail(errand, ERR_REMOTE,
				   "the answer has %lld bytes, where %" PRIu64 " are expected",
				   (long long)length, total);
	return 0;
}

static bool is_delivered(const struct errand *errand, long status)
{
	if (errand->request->method == CLIENT_GET)
		return status == 200 || status == 206;
	return status >= 200 && status < 300;
}

/* Bytes that the parent has not. */
static size_t deliver(struct errand *errand, const char *data, size_t len)
{
	struct exchange *exchange = &errand->exchange;
	size_t skipped = len < exchange->skip ? len : (size_t)exchange->skip;
	size_t left = len - skipped;

	/* a token's answer stays here, and has a limit of its own */
	if (left > 0 && !errand->token &&
	    errand->pending.len - errand->pending_done >= PENDING_MAX) {
		errand->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	exchange->body_bytes += len;
	errand->received += len;
	exchange->skip -= skipped;
	if (errand->delivered + left > errand->request->max_bytes) {
		errand_fail(errand, ERR_REMOTE, "more than %" PRIu64 " bytes come",
			    errand->request->max_bytes);
		return 0;
	}
	errand->delivered += left;
	strbuf_add(&errand->pending, data + skipped, left);
	return len;
}

size_t exchange_on_body(char *data, size_t size, size_t count, void *context)
{
	struct errand *errand = context;
	struct exchange *exchange = &errand->exchange;
	size_t len = size * count;
	long status = 0;

	curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
	if (is_delivered(errand, status)) {
		if (!exchange->is_begun && begin_body(errand, status) < 0)
			return 0;
		return deliver(errand, data, len);
	}
	exchange->body_bytes += len;
	errand->received += len;
	if (exchange->body_bytes > REFUSAL_MAX) {
		errand_fail(errand, ERR_REMOTE, "status %ld with more than %zu bytes", status,
			    REFUSAL_MAX);
		return 0;
	}
	strbuf_add(&exchange->refusal, data, len);
	return len;
}

void exchange_resume_body(struct errand *errand)
{
	errand->is_paused = false;
	if (errand->exchange.curl)
		curl_easy_pause(errand->exchange.curl,
				errand->is_upload_paused ? CURLPAUSE_SEND : CURLPAUSE_CONT);
}

/* ---- what goes ---- */

size_t exchange_on_upload(char *data, size_t size, size_t count, void *context)
{
	struct errand *errand = context;
	struct exchange *exchange = &errand->exchange;
	const struct client_body *body = &errand->request->body;
	size_t len = size * count;
	ssize_t n;

	if (body->kind == CLIENT_BODY_FILE) {
		uint64_t left = body->length - exchange->uploaded;

		len = len < left ? len : (size_t)left;
		n = pread(errand->upload_fd, data, len, (off_t)(body->offset + exchange->uploaded));
	} else {
		n = read(errand->upload_fd, data, len);
		if (n < 0 && errno == EAGAIN) {
			errand->is_upload_paused = true;
			return CURL_READFUNC_PAUSE;
		}
	}
	if (n < 0) {
		errand_fail(errand, ERR_SYSTEM, "read what is to be sent: %s", strerror(errno));
		return CURL_READFUNC_ABORT;
	}
	exchange->uploaded += (uint64_t)n;
	errand->sent += (uint64_t)n;
	return (size_t)n;
}

/* libcurl sends it from the beginning: a kept connection was dead. */
int exchange_on_seek(void *context, curl_off_t offset, int origin)
{
	struct errand *errand = context;

	if (origin != SEEK_SET || (errand->request->body.kind == CLIENT_BODY_STREAM &&
				   (uint64_t)offset != errand->exchange.uploaded))
		return CURL_SEEKFUNC_CANTSEEK;
	errand->exchange.uploaded = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

void exchange_resume_upload(struct errand *errand)
{
	errand->is_upload_paused = false;
	if (errand->exchange.curl)
		curl_easy_pause(errand->exchange.curl,
				errand->is_paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}
