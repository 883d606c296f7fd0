/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_AUTHFILE_H
#define REGISTRY_AUTHFILE_H

#include <stdbool.h>

#include "common/err.h"
#include "common/json.h"
#include "registry/credentials.h"

/*
 * One file of credentials, docker's config.json or containers' auth.json:
 *
 *   { "auths": { KEY: ENTRY… }, "credHelpers": { HOST: SUFFIX… }, "credsStore": SUFFIX,
 *     "HttpHeaders": { NAME: VALUE… } }
 *   KEY    = HOST [ "/" NAMESPACE… ] | "http" ["s"] "://" HOST "/v1/"
 *   ENTRY  = { "auth": base64 of "user:password", or "username" and "password";
 *              "identitytoken", "registrytoken" }
 *
 * .dockercfg is the object "auths" alone. A helper for the host goes first, then the entry with
 * the longest key, then credsStore. "docker.io" is also known as index.docker.io and
 * registry-1.docker.io.
 */
struct authfile {
	char *path;
	bool is_legacy; /* .dockercfg */
	struct json *document;
};
#define AUTHFILE_INIT            \
	{                        \
		.document = NULL \
	}
void authfile_release(struct authfile *file);
#define auto_authfile __attribute__((cleanup(authfile_release)))

#define AUTHFILE_MAX_BYTES ((size_t)1 << 20)

int authfile_parse(const char *data, size_t len, const char *path, bool is_legacy,
		   struct authfile *out, struct err *err);
/* *out_found false when there is no such file. */
int authfile_load(const char *path, bool is_legacy, bool *out_found, struct authfile *out,
		  struct err *err);

/*
 * What it says about @repository (may be NULL) of @host: *out, or the suffix of the helper
 * that is to be asked in *out_helper (the caller's), or neither.
 */
int authfile_find(const struct authfile *file, const char *host, const char *repository,
		  struct credentials *out, char **out_helper, struct err *err);

/*
 * "NAME: VALUE" for each of its headers that docker passes on to registries: those whose
 * names begin with "X-Meta-". ERR_INPUT for what is no header.
 */
int authfile_headers(const struct authfile *file, struct strlist *out, struct err *err);

/*
 * Write or take away the entry of @key ("host" or "host/namespace") in the file @path, which is
 * made with mode 0600, with directories of 0700, when there is none. All else in it stays; who
 * reads meanwhile sees the old or the new one. A helper that the file names for the
 * host is told instead. *out_found false: there was nothing to take away.
 */
int authfile_set(const char *path, const char *key, const struct credentials *credentials,
		 struct err *err);
int authfile_unset(const char *path, const char *key, bool *out_found, struct err *err);
/* All entries; helpers are left alone. */
int authfile_unset_all(const char *path, struct err *err);

#endif
