/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CERTS_H
#define REGISTRY_CERTS_H

#include "common/err.h"
#include "common/strlist.h"

/*
 * Certificates for one registry, as files in a directory that is named after it:
 *
 *   *.crt            authorities to trust besides the system's
 *   X.cert, X.key    ours, for a registry that asks for one
 *
 * in the first of ~/.config/containers/certs.d, /etc/containers/certs.d and /etc/docker/certs.d
 * that has a directory HOST[:PORT]; or in one that is given.
 */
struct certs {
	char *ca;   /* PEM, or NULL */
	char *cert; /* PEM, or NULL */
	char *key;
};
#define CERTS_INIT         \
	{                  \
		.ca = NULL \
	}
void certs_release(struct certs *certs); /* wipes the key */
#define auto_certs __attribute__((cleanup(certs_release)))

/*
 * @dir NULL: the ones above; none there is success with nothing set. ERR_USAGE when @dir cannot be
 * read, ERR_INPUT when one of a pair is missing or a file is no PEM.
 */
int certs_load(const char *dir, const char *host, struct certs *out, struct err *err);

/*
 * Add authorities, and ours in place of another (NULL: none), from files that hosts.toml names.
 * ERR_INPUT when one is no PEM.
 */
int certs_add(const struct strlist *ca, const char *cert, const char *key, struct certs *certs,
	      struct err *err);

#endif
