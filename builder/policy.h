/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_POLICY_H
#define BUILDER_POLICY_H

#include "builder/remote.h"
#include "common/err.h"

/*
 * Which sources a build may use, and what is used instead: BuildKit's source policy.
 *
 *   policy   = { "version": 1, "rules": [ rule … ] }
 *   rule     = { "action": "ALLOW" | "DENY" | "CONVERT", "selector": selector, "updates": updates }
 *   selector = { "identifier": TEXT, "match_type": "WILDCARD" | "EXACT" | "REGEX" }
 *   updates  = { "identifier": TEXT, "attrs": { "http.checksum" | "git.checksum": TEXT } }
 *
 * Identifiers are docker-image://docker.io/library/NAME:TAG, URLs without their fragment,
 * git://HOST/PATH#REF:DIRECTORY, local://context, local://dockerfile and local://NAME of a named
 * context. In a wildcard '*' is any text; regular expressions are POSIX extended ones. "$1" and
 * "${1}" in updates are what '*' or a group stands for. The last ALLOW or DENY that matches counts;
 * a CONVERT that changes something begins anew.
 */
struct policy;

/* NULL with ERR_INPUT when it is none or asks for what is not supported; ERR_SYSTEM. */
struct policy *policy_load(const char *path, struct err *err);
struct policy *policy_parse(const char *data, size_t len, const char *what, struct err *err);
void policy_free(struct policy *policy); /* NULL is fine */

/* ERR_INPUT when the source is denied. @policy may be NULL: all is allowed. */
/* *out_name: what to take instead of image @name, the caller's to free. */
int policy_image(const struct policy *policy, const char *name, char **out_name, struct err *err);
/* Changes url, checksum and commit. */
int policy_remote(const struct policy *policy, struct remote *remote, struct err *err);
int policy_local(const struct policy *policy, const char *name, struct err *err);

#endif
