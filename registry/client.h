/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CLIENT_H
#define REGISTRY_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/stream.h"

/*
 * Requests to registries. They are carried by a program of its own, "courier", started once:
 * it alone links libcurl, parses what servers say, and does so without capabilities and
 * with the file system shut. It knows how one shows a registry who one is (none, Basic,
 * Bearer tokens, identity tokens), tries again what is worth it, goes on with a download
 * where it broke off, follows redirects without credentials, and keeps to limits. Who
 * calls sees one request and its last answer.
 *
 * All functions may be called by several threads at once; each waits for its own
 * request. A signal that asks to stop (registry/interrupt.h) ends every wait.
 */
struct client;

struct client_options {
	uint64_t idle_seconds;   /* give up when so long nearly nothing came; 0: 60 */
	unsigned retries;        /* after the first try; see CLIENT_RETRIES */
	uint64_t retry_delay_ms; /* before the first of them, doubled each time; 0: 2000 */
};
#define CLIENT_RETRIES 5

/* NULL @options: the defaults. */
int client_start(const struct client_options *options, struct client **out, struct err *err);
void client_free(struct client *client);
#define auto_client __attribute__((cleanup(client_auto_free)))
void client_auto_free(struct client **client);

/* Where requests go, and what one needs there: values only, no paths. Borrowed. */
struct client_endpoint {
	const char *host;           /* "registry-1.docker.io", "localhost:5000" */
	bool is_insecure;           /* certificates are not verified; http where no https is spoken */
	const char *user;           /* or NULL */
	const char *password;       /* or NULL */
	const char *identity_token; /* a refresh token; or NULL */
	const char *registry_token; /* a bearer token that is sent as it is; or NULL */
	const char *ca_pem;         /* certificates to trust besides the system's; or NULL */
	const char *cert_pem;       /* a client's certificate (and chain); or NULL */
	const char *key_pem;        /* and its key */
	struct strlist headers;     /* "Name: value", with every request to this host */
};

/* *out_id goes into requests. ERR_USAGE for what cannot be (a host with a space in it). */
int client_add_endpoint(struct client *client, const struct client_endpoint *endpoint,
			unsigned *out_id, struct err *err);

enum client_method {
	CLIENT_GET,
	CLIENT_HEAD,
	CLIENT_POST,
	CLIENT_PATCH,
	CLIENT_PUT,
	CLIENT_DELETE,
};

/* What is sent as a body. All zero but fd: none. */
enum client_body_kind {
	CLIENT_BODY_NONE,
	CLIENT_BODY_MEMORY, /* data, length */
	CLIENT_BODY_FILE,   /* length bytes of fd from offset; sent again when it is tried again */
	CLIENT_BODY_STREAM, /* fd is a pipe, read to its end: can be sent once only */
};

struct client_body {
	enum client_body_kind kind;
	const void *data;
	int fd; /* borrowed; the caller closes its copy of a pipe's end after client_begin */
	uint64_t offset;
	uint64_t length; /* of a stream: UINT64_MAX when not known (sent in chunks) */
};

struct client_request {
	unsigned endpoint;
	enum client_method method;
	/* "/v2/a/b/…", or a whole URL (a Location): credentials go to the endpoint's host only */
	const char *path;
	const char *repository;        /* "library/debian": what a token is asked for; or NULL */
	bool is_push;                  /* and whether to push there too */
	bool no_retry;                 /* who asks knows better what to do when it fails */
	const char *from_repository;   /* also to pull from this one (mounts); or NULL */
	const struct strlist *headers; /* "Name: value"; or NULL */
	struct client_body body;
	uint64_t max_bytes; /* of the answer's body; 0: CLIENT_DOCUMENT_MAX */
	/* a GET from this byte on (Range), of a whole that has total bytes (0: not known); what
	 * comes is from here on, whether or not the server knows ranges */
	uint64_t offset;
	uint64_t total;
	/* a body of a FILE is sent to its end even when we die meanwhile (for at most half a minute),
	 * and the answer written over what note_fd holds: client_note_parse */
	bool has_note;
	int note_fd; /* borrowed */
};
#define CLIENT_DOCUMENT_MAX ((uint64_t)4 << 20)

struct client_response {
	int status;
	struct strlist headers; /* "name: value", names in lower case */
	struct strbuf body;
	char *code;    /* of a refusal, what the registry calls it: "MANIFEST_UNKNOWN"; or NULL */
	char *message; /* and says of it, printable; or NULL */
	uint64_t received_bytes; /* of bodies, over all tries */
	uint64_t sent_bytes;
};
#define CLIENT_RESPONSE_INIT          \
	{                             \
		.body = STRBUF_INIT   \
	}
#define auto_client_response __attribute__((cleanup(client_response_release)))
void client_response_release(struct client_response *response);
/* The first header of that name (lower case), or NULL. Borrowed. */
const char *client_response_header(const struct client_response *response, const char *name);

/*
 * Ask and wait. Whatever status came at last (a redirect, a missing token and what is
 * worth another try are seen to before), 0 is returned: the caller judges.
 * ERR_REMOTE when there is no answer, ERR_INTERRUPTED. *out is filled from the beginning.
 */
int client_perform(struct client *client, const struct client_request *request,
		   struct client_response *out, struct err *err);

/* The same in two halves, for a body that is made meanwhile. client_call_release gives up. */
struct client_call {
	struct client *client;
	int answer_fd;
	int body_fd;
	uint64_t max_bytes;
};
#define CLIENT_CALL_INIT                     \
	{                                    \
		.answer_fd = -1, .body_fd = -1 \
	}
#define auto_client_call __attribute__((cleanup(client_call_release)))
void client_call_release(struct client_call *call);
int client_begin(struct client *client, const struct client_request *request,
		 struct client_call *out, struct err *err);
int client_finish(struct client_call *call, struct client_response *out, struct err *err);

/*
 * The body of a GET as it comes, of a status 200 (or 206 with an offset); whatever else
 * comes is an ERR_REMOTE of a read. @what names it there (copied). What is not read is not
 * fetched.
 */
struct source *client_get(struct client *client, const struct client_request *request,
			  const char *what, struct err *err);

/*
 * The answer that an earlier process did not live to hear, from a file that was its note_fd; the
 * body is left out. -1 when the text is none.
 */
int client_note_parse(const char *data, size_t len, struct client_response *out, struct err *err);

/*
 * "WHAT: the registry HOST says 404: manifest unknown": -1 and ERR_REMOTE for a status that the
 * caller did not want.
 */
int client_refused(const struct client_response *response, const char *what, struct err *err);

#endif
