/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_ENDPOINT_H
#define REGISTRY_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "layers/ref.h"
#include "registry/certs.h"
#include "registry/client.h"
#include "registry/credentials.h"

/*
 * Where an image is, with all that one needs there: the registry and its mirrors by
 * registries.conf, or where that says nothing of the name by hosts.toml, credentials, certificates.
 * A registry on this very machine (localhost, 127.0.0.0/8, [::1]) need not have certificates that
 * can be verified, or any, as with docker.
 */
struct access_options {
	const char *creds;      /* --creds: for the registry named, not for its mirrors; or NULL */
	const char *authfile;   /* --authfile; or NULL */
	const char *cert_dir;   /* --cert-dir; or NULL */
	const char *tls_verify; /* --tls-verify: "true", "false", NULL: as configured */
	uid_t uid;              /* of the user, as the outside of any user namespace sees it */
};

struct endpoint {
	char *host;       /* to talk to: "registry-1.docker.io" */
	char *repository; /* there */
	char *base;       /* what paths begin with: "/v2" */
	char *ns;         /* whose mirror it is, when it is told: "docker.io"; or NULL */
	char *place;      /* "docker://docker.io/library/debian", as storage/origin.h wants it */
	bool is_mirror;
	bool by_digest_only; /* it is not asked what a tag is */
	bool is_insecure;
	struct credentials credentials;
	struct strlist headers; /* "Name: value", with every request to it */
	struct certs certs;
};
struct endpoints {
	struct endpoint *items;
	size_t count; /* at least one: the registry itself is the last */
};
void endpoints_release(struct endpoints *endpoints);
#define auto_endpoints __attribute__((cleanup(endpoints_release)))

enum endpoint_use {
	ENDPOINT_PULL, /* mirrors first */
	ENDPOINT_PUSH,
};

/*
 * Reads the user's files and asks helpers: best before userns_enter. ERR_INPUT for a blocked
 * registry, and for files that cannot be understood.
 */
int endpoints_find(const struct image_ref *ref, const struct access_options *options,
		   enum endpoint_use use, struct endpoints *out, struct err *err);

/* The path of a request there, for the image's repository, @fmt what follows: "/tags/list". */
char *endpoint_path(const struct endpoint *endpoint, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* For a registry alone, to log in: repository and place are NULL. */
int endpoint_of_host(const char *host, const struct access_options *options, struct endpoint *out,
		     struct err *err);
void endpoint_release(struct endpoint *endpoint);
#define auto_endpoint __attribute__((cleanup(endpoint_release)))

/* The same values, borrowed. */
struct client_endpoint endpoint_for_client(const struct endpoint *endpoint);

/*
 * Parse what a user wrote for an image in a registry, with or without "docker://": a short
 * name is looked up in registries.conf, and is docker.io's when that says nothing.
 */
int endpoint_parse_ref(const char *text, struct image_ref *out, struct err *err);

#endif
