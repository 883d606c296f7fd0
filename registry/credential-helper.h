/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CREDENTIAL_HELPER_H
#define REGISTRY_CREDENTIAL_HELPER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "registry/credentials.h"

/*
 * The programs docker-credential-SUFFIX, which keep credentials elsewhere: "get", "store" and
 * "erase" as argument, the question on standard input, the answer on standard output.
 */

/* Letters, digits, '.', '_' and '-': nothing that leads out of PATH. */
bool credential_helper_is_suffix(const char *suffix);

/* *out stays empty when the helper knows none for @server. ERR_SYSTEM when it fails. */
int credential_helper_get(const char *suffix, const char *server, struct credentials *out,
			  struct err *err);
int credential_helper_store(const char *suffix, const char *server,
			    const struct credentials *credentials, struct err *err);
int credential_helper_erase(const char *suffix, const char *server, struct err *err);

/* {"ServerURL", "Username", "Secret"}; the user "<token>" makes the secret an identity token. */
int credential_helper_parse(const char *data, size_t len, const char *what,
			    struct credentials *out, struct err *err);

#endif
