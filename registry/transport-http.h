/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_TRANSPORT_HTTP_H
#define REGISTRY_TRANSPORT_HTTP_H

#include <stdint.h>

#include "common/err.h"
#include "layers/stream.h"

/*
 * GET over http and https. Redirects are followed here, one by one: at most ten,
 * never from https to http, and user and password go to no scheme, host or port but those
 * of the first URL. Proxies are those of the environment; SSL_CERT_FILE names other
 * certificates to trust than the system's.
 *
 * A URL in a message has neither user nor password, wherever it came from.
 */
struct http_request {
	const char *url;
	const char *user;     /* or NULL */
	const char *password; /* or NULL */
	const char *etag;     /* If-None-Match; or NULL */
	const char *last_modified;
	uint64_t max_bytes;    /* of the body */
	uint64_t idle_seconds; /* ERR_REMOTE when so long less than 16 bytes a second came */
};

struct http_response {
	long status; /* 200, or 304 if one of the two conditions was asked for */
	char *etag;
	char *last_modified;
	int64_t mtime;     /* last_modified in seconds, 0 when it is none */
	char *disposition; /* Content-Disposition */
};
void http_response_release(struct http_response *response);
#define auto_http_response __attribute__((cleanup(http_response_release)))

/* Only the body of a 200 goes to @body, which is finished then; any other end is an error. */
int http_get(const struct http_request *request, struct sink *body, struct http_response *out,
	     struct err *err);

#endif
