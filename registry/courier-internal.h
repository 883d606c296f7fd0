/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_COURIER_INTERNAL_H
#define REGISTRY_COURIER_INTERNAL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "registry/challenge.h"
#include "registry/client-wire.h"

/*
 * The program "courier": one thread, one loop, and errands. An errand is a request of the
 * parent's, or one for a token that others wait for; it makes one exchange after the other
 * until there is a last answer:
 *
 *   READY → RUNNING → judged: READY (redirect, other scheme) | SLEEPING (again later)
 *                             | WAITING (for a token) | DRAINING (the parent is slow) → DONE
 */
enum errand_state {
	ERRAND_READY,
	ERRAND_RUNNING,
	ERRAND_SLEEPING, /* until wake_ms */
	ERRAND_WAITING,  /* for token_wanted, or without one for the endpoint's prober */
	ERRAND_DRAINING, /* all is there; what is pending goes to the parent */
	ERRAND_DONE,
};

struct courier;

/* What is known of a token for one set of scopes. */
struct token {
	struct token *next;
	char *scopes; /* "repository:a:pull repository:b:pull", sorted */
	char *text;   /* NULL: none, or not any more */
	int64_t expires_ms;
	bool is_being_fetched;
};

enum auth_kind {
	AUTH_UNKNOWN, /* nothing was asked for yet */
	AUTH_BASIC,
	AUTH_BEARER,
};

enum scheme {
	SCHEME_UNKNOWN, /* insecure: https is tried first */
	SCHEME_HTTPS,
	SCHEME_HTTP,
};

struct courier_endpoint {
	struct wire_message message; /* holds the strings */
	const struct client_endpoint *values;
	enum scheme scheme;
	struct errand *prober; /* finds out the scheme; or NULL */
	enum auth_kind auth;
	char *realm;
	char *service;
	struct token *tokens;
	bool has_answered;
	bool is_loopback; /* as its address showed */
};

/* One HTTP request and its answer. */
struct exchange {
	CURL *curl;
	struct curl_slist *lines;
	char error[CURL_ERROR_SIZE];
	bool is_at_home;  /* goes to the endpoint itself: credentials may go with it */
	char *sent_token; /* a copy, to tell whether it was this one that was refused */
	bool sent_basic;
	bool is_address_refused;
	size_t header_bytes;
	size_t kept_bytes;
	struct strlist headers; /* "name: value" */
	struct strbuf refusal;  /* body of an answer that is not delivered */
	uint64_t body_bytes;    /* of it that came, skipped ones too */
	uint64_t skip;          /* of the body that the parent has already */
	bool is_begun;          /* the body's first bytes were looked at */
	uint64_t uploaded;
};

struct errand {
	struct courier *courier;
	struct errand *next;
	enum errand_state state;
	struct courier_endpoint *endpoint;

	/* the parent's; or, when token is set, ours */
	struct wire_message message;
	struct client_request *request; /* of the message */
	struct token *token;            /* this errand fetches it */
	char *form;                     /* body of a token request; or NULL */
	int answer_fd;
	int body_fd;
	int upload_fd;
	int note_fd;    /* for the answer, should the parent die; or -1 */
	bool is_orphan; /* it did */

	char *url; /* of the exchange; NULL: from the request */
	enum scheme tried;
	unsigned redirects;
	unsigned attempts; /* without progress */
	unsigned auth_rounds;
	bool no_range; /* the server does not like it */
	char *scopes;  /* what a token is wanted for */
	struct token *token_wanted;
	int64_t wake_ms;
	uint64_t delivered;        /* of the body, to the parent */
	uint64_t delivered_before; /* at the last failure */
	uint64_t received;
	uint64_t sent;
	struct strbuf pending; /* what the parent's pipe did not take yet */
	size_t pending_done;   /* of it, it took these */
	bool is_paused;        /* for that; or, with upload_fd, for the parent to send more */
	bool is_upload_paused;

	struct exchange exchange;
	struct client_response answer;
	bool has_failed;
	struct err err; /* when it has */
};

struct courier {
	CURLM *multi;
	int socket_fd;
	bool has_settings;
	struct client_options settings;
	struct courier_endpoint **endpoints;
	size_t endpoint_count;
	struct errand *errands;
	int64_t alone_ms; /* since when there is no parent; 0: there is one */
};

/* ---- courier.c ---- */
int64_t courier_now_ms(void);
/* A new errand, first of the list. */
struct errand *errand_new(struct courier *courier, struct courier_endpoint *endpoint);
void errand_free(struct errand *errand);
/* It ends: with errand->err when has_failed, else with its answer. */
void errand_end(struct errand *errand);
int errand_fail(struct errand *errand, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- courier-exchange.c: what libcurl is told, and what it tells ---- */
/* Begin the exchange of a READY errand. */
void exchange_begin(struct errand *errand);
/* Let go of it; what it found out is in errand->exchange until exchange_release. */
void exchange_end(struct errand *errand);
void exchange_release(struct exchange *exchange);
/* For messages: "GET https://host/v2/…", without a query, which may hold secrets. */
char *errand_what(const struct errand *errand);

/* ---- courier-bytes.c: what comes and goes ---- */
/* The parent can take, or has, more. */
void exchange_resume_body(struct errand *errand);
void exchange_resume_upload(struct errand *errand);
/* The header of that name (lower case), or NULL. Borrowed. */
const char *exchange_header(const struct exchange *exchange, const char *name);
/* For libcurl; @context is the errand. */
size_t exchange_on_header(char *data, size_t size, size_t count, void *context);
size_t exchange_on_body(char *data, size_t size, size_t count, void *context);
size_t exchange_on_upload(char *data, size_t size, size_t count, void *context);
int exchange_on_seek(void *context, curl_off_t offset, int origin);

/* ---- courier-judge.c: what comes of it ---- */
void errand_judge(struct errand *errand, CURLcode code);

/* ---- courier-scheme.c: whether an insecure registry speaks https ---- */
/* Whether a READY errand must wait until another has found it out; it does then. */
bool scheme_wait(struct errand *errand);
/* The registry answered, or another scheme is the one left: errand->tried it is. */
void scheme_found(struct errand *errand);
/* The errand ends; when it was to find out, another is. */
void scheme_give_up(struct errand *errand);
/* There was no answer: whether it is worth asking without https, which is arranged for then. */
bool scheme_try_plain(struct errand *errand);

/* ---- courier-auth.c: who we are ---- */
/* A header line for the exchange, or NULL; ERRAND_WAITING when a token must be had first. */
char *auth_header(struct errand *errand);
/* After a 401: whether it is worth another try, which is arranged for then. */
bool auth_challenged(struct errand *errand);
/* The errand that fetched a token has ended. */
void auth_token_came(struct errand *errand);
void endpoint_free(struct courier_endpoint *endpoint);
/* Whether an address may be talked to on behalf of this errand. */
bool auth_address_is_fine(const struct errand *errand, const struct sockaddr *address);

#endif
