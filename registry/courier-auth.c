/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for who we are: which header a request carries, what a registry's challenge asks for,
 * and tokens: for which scopes, from whom, for how long. Credentials go to the endpoint's own
 * host and to the token server that it names, and there only if that is a place that may be
 * told.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/mem.h"
#include "registry/courier-internal.h"
#include "registry/url.h"

#define AUTH_ROUNDS_MAX     2     /* a token of old, and one with more scopes */
#define RENEW_BEFORE_MS     10000 /* a request may take its time to be sent */
#define TOKEN_BYTES_MAX     ((uint64_t)1 << 20)
#define CLIENT_ID           "imgbuild"

/* ---- scopes ---- */

static void add_scope(struct strlist *scopes, const char *scope)
{
	if (scope[0] && !strlist_has(scopes, scope))
		strlist_add(scopes, scope);
}

static void add_scopes(struct strlist *scopes, const char *text)
{
	while (*(text += strspn(text, " "))) {
		auto_free char *scope = str_ndup(text, strcspn(text, " "));

		add_scope(scopes, scope);
		text += strlen(scope);
	}
}

static char *join_scopes(struct strlist *scopes)
{
	auto_strbuf struct strbuf joined = STRBUF_INIT;

	strlist_sort(scopes);
	for (size_t i = 0; i < scopes->count; i++)
		strbuf_printf(&joined, "%s%s", i > 0 ? " " : "", scopes->items[i]);
	return strbuf_steal(&joined);
}

/* What a request needs by itself. */
static char *scopes_of(const struct client_request *request)
{
	auto_strlist struct strlist scopes = STRLIST_INIT;

	if (request->repository)
		strlist_addf(&scopes, "repository:%s:pull%s", request->repository,
			     request->is_push ? ",push" : "");
	if (request->from_repository)
		strlist_addf(&scopes, "repository:%s:pull", request->from_repository);
	return join_scopes(&scopes);
}

/* With what the registry says is missing; *out_is_more: it was not asked for before. */
static void widen_scopes(struct errand *errand, const char *asked, bool *out_is_more)
{
	auto_strlist struct strlist scopes = STRLIST_INIT;
	char *wider;

	add_scopes(&scopes, errand->scopes);
	if (asked)
		add_scopes(&scopes, asked);
	wider = join_scopes(&scopes);
	*out_is_more = strcmp(wider, errand->scopes) != 0;
	free(errand->scopes);
	errand->scopes = wider;
}

/* ---- tokens ---- */

static struct token *token_for(struct courier_endpoint *endpoint, const char *scopes)
{
	struct token *token;

	for (token = endpoint->tokens; token; token = token->next)
		if (strcmp(token->scopes, scopes) == 0)
			return token;
	token = mem_alloc(sizeof(*token));
	token->scopes = str_dup(scopes);
	token->next = endpoint->tokens;
	endpoint->tokens = token;
	return token;
}

static bool is_usable(const struct token *token)
{
	return token->text && token->expires_ms - RENEW_BEFORE_MS > courier_now_ms();
}

void endpoint_free(struct courier_endpoint *endpoint)
{
	struct token *next;

	for (struct token *token = endpoint->tokens; token; token = next) {
		next = token->next;
		free(token->scopes);
		free(token->text);
		free(token);
	}
	wire_message_release(&endpoint->message);
	free(endpoint->realm);
	free(endpoint->service);
	free(endpoint);
}

static void add_field(struct strbuf *out, const char *name, const char *value)
{
	char *escaped = curl_easy_escape(NULL, value, 0);

	if (!escaped)
		mem_exhausted();
	strbuf_printf(out, "%s%s=%s", out->len > 0 ? "&" : "", name, escaped);
	curl_free(escaped);
}

static void add_scope_fields(struct strbuf *out, const char *scopes)
{
	auto_strlist struct strlist list = STRLIST_INIT;

	add_scopes(&list, scopes);
	for (size_t i = 0; i < list.count; i++)
		add_field(out, "scope", list.items[i]);
}

/* What is asked of the token server: a query, or a form with an identity token. */
static void prepare_token_request(struct errand *errand, const char *scopes)
{
	const struct courier_endpoint *endpoint = errand->endpoint;
	const struct client_endpoint *values = endpoint->values;
	auto_strbuf struct strbuf fields = STRBUF_INIT;

	if (endpoint->service)
		add_field(&fields, "service", endpoint->service);
	if (values->identity_token) {
		add_field(&fields, "grant_type", "refresh_token");
		add_field(&fields, "client_id", CLIENT_ID);
		add_field(&fields, "refresh_token", values->identity_token);
		if (scopes[0])
			add_field(&fields, "scope", scopes);
		errand->form = strbuf_steal(&fields);
		errand->request->method = CLIENT_POST;
		errand->url = str_dup(endpoint->realm);
		return;
	}
	if (values->user)
		add_field(&fields, "account", values->user);
	add_scope_fields(&fields, scopes);
	errand->request->method = CLIENT_GET;
	errand->url = str_format("%s%s%s", endpoint->realm,
				 strchr(endpoint->realm, '?') ? "&" : "?", fields.data);
}

static void fetch_token(struct courier *courier, struct courier_endpoint *endpoint, struct token *token)
{
	struct errand *errand = errand_new(courier, endpoint);

	token->is_being_fetched = true;
	free(ptr_steal(&token->text));
	errand->token = token;
	errand->request->path = endpoint->realm;
	errand->request->max_bytes = TOKEN_BYTES_MAX;
	prepare_token_request(errand, token->scopes);
}

static void wait_for_token(struct errand *errand, struct token *token)
{
	errand->token_wanted = token;
	errand->state = ERRAND_WAITING;
	if (!token->is_being_fetched)
		fetch_token(errand->courier, errand->endpoint, token);
}

/* All that waited for it go on, or fail as it did. */
void auth_token_came(struct errand *errand)
{
	struct token *token = errand->token;

	token->is_being_fetched = false;
	for (struct errand *other = errand->courier->errands; other; other = other->next) {
		if (other->state != ERRAND_WAITING || other->token_wanted != token)
			continue;
		other->token_wanted = NULL;
		other->state = ERRAND_READY;
		if (token->text)
			continue;
		other->err = errand->err;
		other->has_failed = true;
		errand_end(other);
	}
}

/* ---- headers ---- */

static char *basic_header(const struct client_endpoint *values)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	auto_free char *pair =
		str_format("%s:%s", values->user, values->password ? values->password : "");
	const unsigned char *in = (const unsigned char *)pair;
	auto_strbuf struct strbuf out = STRBUF_INIT;
	size_t len = strlen(pair);

	strbuf_puts(&out, "Authorization: Basic ");
	for (size_t i = 0; i < len; i += 3) {
		unsigned second = i + 1 < len ? in[i + 1] : 0;
		unsigned third = i + 2 < len ? in[i + 2] : 0;

		strbuf_putc(&out, digits[in[i] >> 2]);
		strbuf_putc(&out, digits[(in[i] & 3) << 4 | second >> 4]);
		strbuf_putc(&out, i + 1 < len ? digits[(second & 15) << 2 | third >> 6] : '=');
		strbuf_putc(&out, i + 2 < len ? digits[third & 63] : '=');
	}
	return strbuf_steal(&out);
}

static char *bearer_header(const char *token)
{
	return str_format("Authorization: Bearer %s", token);
}

static char *token_header(struct errand *errand)
{
	struct token *token;

	if (!errand->scopes)
		errand->scopes = scopes_of(errand->request);
	/* without a scope there is no token before it is asked for */
	token = token_for(errand->endpoint, errand->scopes);
	if (!is_usable(token)) {
		wait_for_token(errand, token);
		return NULL;
	}
	errand->exchange.sent_token = str_dup(token->text);
	return bearer_header(token->text);
}

char *auth_header(struct errand *errand)
{
	const struct client_endpoint *values = errand->endpoint->values;

	if (errand->token)
		return values->user && !values->identity_token ? basic_header(values) : NULL;
	if (!errand->exchange.is_at_home)
		return NULL;
	if (values->registry_token) {
		errand->exchange.sent_token = str_dup(values->registry_token);
		return bearer_header(values->registry_token);
	}
	switch (errand->endpoint->auth) {
	case AUTH_UNKNOWN:
		break;
	case AUTH_BASIC:
		errand->exchange.sent_basic = true;
		return basic_header(values);
	case AUTH_BEARER:
		return token_header(errand);
	}
	return NULL;
}

/* ---- challenges ---- */

/* May the token server that a registry names be asked at all, and told who we are? */
static int check_realm(struct errand *errand, const char *realm)
{
	struct err err = ERR_INIT;
	auto_free char *clean = url_clean(realm, &err);

	if (!clean)
		return errand_fail(errand, ERR_REMOTE, "its token server '%.100s' is no URL", realm);
	if (!url_is_https(clean) && !errand->endpoint->values->is_insecure)
		return errand_fail(errand, ERR_REMOTE,
				   "its token server '%.100s' is not reached by https", clean);
	return 0;
}

static bool take_bearer(struct errand *errand, const struct challenge *challenge)
{
	struct courier_endpoint *endpoint = errand->endpoint;
	struct token *token;
	bool is_more = false;

	if (endpoint->values->registry_token || ++errand->auth_rounds > AUTH_ROUNDS_MAX)
		return false;
	if (!challenge->realm || check_realm(errand, challenge->realm) < 0) {
		if (!challenge->realm)
			errand_fail(errand, ERR_REMOTE, "it wants a token, and names no server");
		errand_end(errand);
		return true;
	}
	if (!errand->scopes)
		errand->scopes = scopes_of(errand->request);
	widen_scopes(errand, challenge->scope, &is_more);
	endpoint->auth = AUTH_BEARER;
	/* those that ask for it at this moment go on with what they have */
	if (!endpoint->realm || strcmp(endpoint->realm, challenge->realm) != 0) {
		free(endpoint->realm);
		endpoint->realm = str_dup(challenge->realm);
	}
	free(endpoint->service);
	endpoint->service = str_dup(challenge->service);
	token = token_for(endpoint, errand->scopes);
	/* refused, unless another has come meanwhile */
	if (token->text && errand->exchange.sent_token &&
	    strcmp(token->text, errand->exchange.sent_token) == 0)
		token->expires_ms = 0;
	errand->state = ERRAND_READY;
	if (!is_usable(token))
		wait_for_token(errand, token);
	return true;
}

static bool take_basic(struct errand *errand)
{
	const struct client_endpoint *values = errand->endpoint->values;

	if (!values->user || errand->exchange.sent_basic)
		return false;
	errand->endpoint->auth = AUTH_BASIC;
	errand->state = ERRAND_READY;
	return true;
}

static bool is_refusal_for_good(const struct errand *errand, const struct challenge *bearer)
{
	long status = 0;

	curl_easy_getinfo(errand->exchange.curl, CURLINFO_RESPONSE_CODE, &status);
	return status == 403 &&
	       (!bearer || !bearer->error || strcmp(bearer->error, "insufficient_scope") != 0);
}

bool auth_challenged(struct errand *errand)
{
	auto_challenges struct challenges list = { .items = NULL };
	const struct challenge *bearer;

	for (size_t i = 0; i < errand->exchange.headers.count; i++)
		if (strncmp(errand->exchange.headers.items[i], "www-authenticate: ", 18) == 0)
			challenges_parse(errand->exchange.headers.items[i] + 18, &list);
	bearer = challenges_find(&list, CHALLENGE_BEARER);
	if (is_refusal_for_good(errand, bearer))
		return false;
	if (bearer)
		return take_bearer(errand, bearer);
	return challenges_find(&list, CHALLENGE_BASIC) && take_basic(errand);
}

/* ---- addresses ---- */

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return v6->sin6_addr.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* 169.254/16 and fe80::/10, where clouds answer questions about the machine's own secrets. */
static bool is_link_local(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 16 == 0xa9fe;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return v6->sin6_addr.s6_addr[12] == 169 && v6->sin6_addr.s6_addr[13] == 254;
	return IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

/*
 * Where the user said is where the user said. Where a registry sends us, and on whose word we
 * would go there, must not be this machine (unless the registry is), nor such an address.
 */
bool auth_address_is_fine(const struct errand *errand, const struct sockaddr *address)
{
	if (errand->exchange.is_at_home && !errand->token)
		return true;
	if (is_link_local(address))
		return false;
	return errand->endpoint->is_loopback || !is_loopback(address);
}
