/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_FLAGS_H
#define REGISTRY_FLAGS_H

#include "common/cmdline.h"
#include "common/err.h"
#include "registry/client.h"
#include "registry/endpoint.h"

/* The options that commands have which speak to registries, with the names that podman and skopeo
 * gave them. */
struct registry_flags {
	const char *authfile;
	const char *creds;
	const char *cert_dir;
	const char *tls_verify;
	const char *retry;
	const char *retry_delay;
};

/* Their rows in a command's table. */
#define REGISTRY_FLAG_ROWS(flags)                                                          \
	{ 0, "authfile", OPTION_STRING, &(flags)->authfile, "FILE",                        \
	  "credentials (default: $REGISTRY_AUTH_FILE, else podman's and docker's)", NULL }, \
	{ 0, "creds", OPTION_STRING, &(flags)->creds, "USER[:PASSWORD]",                   \
	  "who to be at the registry", NULL },                                             \
	{ 0, "cert-dir", OPTION_STRING, &(flags)->cert_dir, "DIR",                         \
	  "certificates to trust (*.crt) and to show (*.cert, *.key)", NULL },             \
	{ 0, "tls-verify", OPTION_SWITCH, &(flags)->tls_verify, NULL,                      \
	  "check the registry's certificate, and speak https only", NULL },                \
	{ 0, "retry", OPTION_STRING, &(flags)->retry, "NUMBER",                            \
	  "how often to try again what a registry does not answer (default: 5)", NULL },   \
	{ 0, "retry-delay", OPTION_STRING, &(flags)->retry_delay, "TIME",                  \
	  "before the first of these tries: 500ms, 2s, 1m (default: 2s)", NULL }

/*
 * What they say, with the environment's IMGBUILD_REGISTRY_TIMEOUT (seconds). Call before
 * userns_enter. ERR_USAGE names the option. *out_access borrows from @flags.
 */
int registry_flags_take(const struct registry_flags *flags, struct access_options *out_access,
			struct client_options *out_client, struct err *err);

/* ERR_USAGE when one of them is given, for a @place that is in no registry. */
int registry_flags_refuse(const struct registry_flags *flags, const char *place, struct err *err);

/* The same options for another of our commands that is started: appended to its arguments. */
void registry_flags_arguments(const struct registry_flags *flags, struct strlist *out);

/* A number from 1 (or @least) to @most, or ERR_USAGE that names @what. */
int registry_flags_number(const char *text, const char *what, unsigned least, unsigned most,
			  unsigned *out, struct err *err);

#endif
