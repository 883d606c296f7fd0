/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CREDENTIALS_H
#define REGISTRY_CREDENTIALS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * Who we are to a registry, as the files and helper programs of docker and of podman, skopeo and
 * buildah know it. The first of these that has something for it:
 *
 *   user:password given on the command line
 *   the file given (--authfile, or REGISTRY_AUTH_FILE), and then no other one
 *   $XDG_RUNTIME_DIR/containers/auth.json (without it /run/containers/UID/auth.json)
 *   $XDG_CONFIG_HOME/containers/auth.json (~/.config)
 *   $DOCKER_CONFIG/config.json (~/.docker)
 *   ~/.dockercfg
 *
 * What the files hold: registry/authfile.h. Secrets are in no error and in no argument.
 */
struct credentials {
	char *user;
	char *password;
	char *identity_token; /* to be changed for tokens, in place of a password */
	char *registry_token; /* sent to the registry as it is */
};
#define CREDENTIALS_INIT     \
	{                    \
		.user = NULL \
	}
void credentials_release(struct credentials *credentials); /* wipes them first */
#define auto_credentials __attribute__((cleanup(credentials_release)))

bool credentials_are_there(const struct credentials *credentials);

/* Command line and environment. uid: of the user outside of any user namespace. */
struct credentials_options {
	const char *creds;    /* "user[:password]", or NULL */
	const char *authfile; /* or NULL */
	uid_t uid;
};

/* "user:password" or "user". ERR_USAGE without a user. */
int credentials_parse(const char *text, struct credentials *out, struct err *err);

/*
 * For @repository of @host ("docker.io"); @repository NULL: for the host as a whole. None is
 * success with nothing set. ERR_USAGE when the file given is not there; ERR_INPUT for
 * a file that cannot be understood, ERR_SYSTEM for a helper that fails.
 */
int credentials_find(const struct credentials_options *options, const char *host,
		     const char *repository, struct credentials *out, struct err *err);

/* What docker's config.json has registries told with each request: authfile_headers. */
int credentials_headers(struct strlist *out, struct err *err);

/* Where a login is written: the file given, or the first of the list. The caller's. */
char *credentials_login_file(const struct credentials_options *options);

#endif
