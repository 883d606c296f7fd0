/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what follows from the end of an exchange: an answer, another place to ask, another
 * try after a while, or an error.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/mem.h"
#include "registry/courier-internal.h"
#include "registry/http-status.h"
#include "registry/retry.h"
#include "registry/url.h"

#define REDIRECTS_MAX   10
#define PROGRESS_BYTES  ((uint64_t)1 << 20) /* after so many a failure counts as the first */
#define REFUSAL_TEXT_MAX 400

/* ---- again ---- */

static bool can_be_sent_again(const struct errand *errand)
{
	return errand->request->body.kind != CLIENT_BODY_STREAM || errand->exchange.uploaded == 0;
}

/* What was sent, and what is done there already, may do harm when it is done twice. */
static bool is_worth_again(struct errand *errand)
{
	if (errand->delivered - errand->delivered_before >= PROGRESS_BYTES)
		errand->attempts = 0;
	errand->delivered_before = errand->delivered;
	return can_be_sent_again(errand) && !errand->request->no_retry &&
	       errand->attempts < errand->courier->settings.retries;
}

static void again_later(struct errand *errand, const char *why)
{
	auto_free char *what = errand_what(errand);
	const char *after = exchange_header(&errand->exchange, "retry-after");
	uint32_t random = 0;
	uint64_t delay;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)courier_now_ms();
	delay = retry_delay_ms(errand->courier->settings.retry_delay_ms, errand->attempts,
			       after ? retry_after_ms(after, time(NULL)) : -1, random);
	errand->attempts++;
	log_info("%s: %s; try %u of %u in %.1fs", what, why, errand->attempts,
		 errand->courier->settings.retries, (double)delay / 1000);
	errand->auth_rounds = 0;
	errand->redirects = 0;
	/* from the registry again: where it sent us was perhaps good once only */
	free(ptr_steal(&errand->url));
	errand->wake_ms = courier_now_ms() + (int64_t)delay;
	errand->state = ERRAND_SLEEPING;
}

/* ---- no answer ---- */

static bool is_passing(const struct errand *errand, CURLcode code)
{
	static const CURLcode passing[] = {
		CURLE_OPERATION_TIMEDOUT, CURLE_RECV_ERROR,   CURLE_SEND_ERROR,
		CURLE_GOT_NOTHING,        CURLE_PARTIAL_FILE, CURLE_HTTP2,
		CURLE_HTTP2_STREAM,
	};

	/* nobody there: a wrong name or port, unless it was there a moment ago */
	if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
	    code == CURLE_SSL_CONNECT_ERROR)
		return errand->endpoint->has_answered;
	/* with TLS 1.3 a certificate of ours that is not liked, or missing, shows only here */
	if (strstr(errand->exchange.error, " alert "))
		return false;
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (passing[i] == code)
			return true;
	return false;
}

/* The connection stood, and ended: over TLS, where it was agreed on. It may be another request's. */
static bool is_cut(CURLcode code)
{
	return code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING ||
	       code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
}

/* What the user could do, where that is known. */
static const char *hint_for(const struct errand *errand, CURLcode code)
{
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return " (certificates to trust can be given by --cert-dir)";
	if (code == CURLE_SSL_CONNECT_ERROR && strstr(errand->exchange.error, "wrong version"))
		return " (it does not speak https; --tls-verify=false allows http)";
	if (strstr(errand->exchange.error, " alert ") ||
	    (is_cut(code) && url_is_https(errand->url) && !errand->endpoint->has_answered &&
	     !errand->endpoint->values->cert_pem))
		return " (a client's certificate can be given by --cert-dir)";
	return "";
}

static void no_answer(struct errand *errand, CURLcode code)
{
	const char *why = errand->exchange.error[0] ? errand->exchange.error
						    : curl_easy_strerror(code);

	/* which is what libcurl calls a line of a header that exceeds its limit */
	if (code == CURLE_OUT_OF_MEMORY && !errand->has_failed)
		errand_fail(errand, ERR_REMOTE, "a header is too long, or no memory is left");
	if (errand->has_failed) {
		errand_end(errand);
		return;
	}
	if (code != CURLE_OPERATION_TIMEDOUT && scheme_try_plain(errand))
		return;
	if (is_passing(errand, code) && is_worth_again(errand)) {
		again_later(errand, why);
		return;
	}
	if (errand->exchange.is_address_refused)
		errand_fail(errand, ERR_REMOTE,
			    "it is sent on to an address where no registry sends anybody");
	else if (code == CURLE_OPERATION_TIMEDOUT)
		errand_fail(errand, ERR_REMOTE,
			    "nothing, or nearly nothing, came for %" PRIu64 " seconds",
			    errand->courier->settings.idle_seconds);
	else
		errand_fail(errand, ERR_REMOTE, "%s%s", why, hint_for(errand, code));
	errand_end(errand);
}

/* ---- elsewhere ---- */

static void go_elsewhere(struct errand *errand)
{
	char *next = NULL;
	auto_free char *clean = NULL;
	bool is_https = url_is_https(errand->url);

	curl_easy_getinfo(errand->exchange.curl, CURLINFO_REDIRECT_URL, &next);
	if (next)
		clean = url_clean(next, &errand->err);
	if (!clean)
		errand_fail(errand, ERR_REMOTE, "a redirect to nowhere");
	else if (errand->token)
		errand_fail(errand, ERR_REMOTE, "a token server must not send us elsewhere");
	else if (is_https && !url_is_https(clean))
		errand_fail(errand, ERR_REMOTE, "a redirect from https to http ('%.*s')",
			    (int)strcspn(clean, "?"), clean);
	else if (++errand->redirects > REDIRECTS_MAX)
		errand_fail(errand, ERR_REMOTE, "more than %d redirects", REDIRECTS_MAX);
	if (errand->has_failed) {
		errand_end(errand);
		return;
	}
	free(errand->url);
	errand->url = ptr_steal(&clean);
	errand->state = ERRAND_READY;
}

/* ---- an answer ---- */

/* One line that a terminal can be shown. */
static char *printable(const char *text)
{
	size_t len = strnlen(text, REFUSAL_TEXT_MAX);
	char *copy = str_ndup(text, len);

	/* not through the middle of a character */
	while (len > 0 && text[len] && ((unsigned char)text[len] & 0xc0) == 0x80)
		copy[--len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)copy[i] < ' ' || copy[i] == 0x7f)
			copy[i] = ' ';
	return copy;
}

/* {"errors":[{"code":"…","message":"…"}]}, which is only for people to read. */
static void read_refusal(struct errand *errand)
{
	const struct strbuf *body = &errand->exchange.refusal;
	struct err ignored = ERR_INIT;
	auto_json struct json *root = NULL;
	const struct json *first;
	const char *code;
	const char *message;

	if (body->len == 0)
		return;
	root = json_parse(body->data, body->len, "refusal", &ignored);
	first = json_at(json_get(root, "errors"), 0);
	code = json_string(json_get(first, "code"));
	message = json_string(json_get(first, "message"));
	if (code)
		errand->answer.code = printable(code);
	if (message)
		errand->answer.message = printable(message);
}

static void take_answer(struct errand *errand, long status)
{
	errand->answer.status = (int)status;
	strlist_copy(&errand->answer.headers, &errand->exchange.headers);
	read_refusal(errand);
	errand_end(errand);
}

/* Less than there should be, though the server says that this is all. */
static bool is_short(const struct errand *errand, long status)
{
	const struct client_request *request = errand->request;

	return request->method == CLIENT_GET && request->total > 0 &&
	       (status == 200 || status == 206) &&
	       request->offset + errand->delivered < request->total;
}

static void come_up_short(struct errand *errand)
{
	if (is_worth_again(errand)) {
		again_later(errand, "less came than there should be");
		return;
	}
	errand_fail(errand, ERR_REMOTE, "only %" PRIu64 " of %" PRIu64 " bytes came",
		    errand->request->offset + errand->delivered, errand->request->total);
	errand_end(errand);
}

static void note_address(struct errand *errand)
{
	char *address = NULL;

	if (!errand->exchange.is_at_home || errand->token)
		return;
	errand->endpoint->has_answered = true;
	scheme_found(errand);
	curl_easy_getinfo(errand->exchange.curl, CURLINFO_PRIMARY_IP, &address);
	if (address)
		errand->endpoint->is_loopback =
			strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static void judge_answer(struct errand *errand)
{
	long status = 0;

	curl_easy_getinfo(errand->exchange.curl, CURLINFO_RESPONSE_CODE, &status);
	note_address(errand);
	if (http_is_redirect(status) && (errand->request->method == CLIENT_GET ||
					 errand->request->method == CLIENT_HEAD || errand->token)) {
		go_elsewhere(errand);
		return;
	}
	if (errand->exchange.is_at_home && !errand->token && (status == 401 || status == 403) &&
	    can_be_sent_again(errand) && auth_challenged(errand))
		return;
	if (status == 416 && errand->request->method == CLIENT_GET && !errand->no_range) {
		errand->no_range = true;
		errand->state = ERRAND_READY;
		return;
	}
	if (retry_is_worth(status) && is_worth_again(errand)) {
		auto_free char *says = str_format("status %ld%s", status, http_status_meaning(status));

		again_later(errand, says);
		return;
	}
	if (is_short(errand, status)) {
		come_up_short(errand);
		return;
	}
	take_answer(errand, status);
}

void errand_judge(struct errand *errand, CURLcode code)
{
	if (code == CURLE_OK && !errand->has_failed)
		judge_answer(errand);
	else
		no_answer(errand, code);
	exchange_end(errand);
	exchange_release(&errand->exchange);
}
