/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REFERRERS_H
#define REGISTRY_REFERRERS_H

#include <stdbool.h>

#include "common/err.h"
#include "registry/repository.h"

/*
 * Manifests that say what they are about ("subject": a signature, an SBOM). A registry that knows
 * them lists them itself, and says so by the header OCI-Subject; for one that does not, the
 * pusher keeps the list, as an index under the tag "sha256-HEX" of the subject's digest.
 */

/* The subject of a manifest; *out_has false when it has none. ERR_INPUT for what is no descriptor.
 */
int referrers_subject(const struct strbuf *manifest, const char *what, bool *out_has,
		      struct digest *out, struct err *err);

/*
 * Put the manifest @digest, which is in @repository now, on its subject's list. Who changes the
 * list at the same time is noticed where the registry has ETags.
 */
int referrers_add(const struct repository *repository, const struct digest *subject,
		  const struct strbuf *manifest, const char *media_type,
		  const struct digest *digest, struct err *err);

/* The same without the registry: @list is the index as it is, or empty. *out_is_new false when it
 * is on it. */
int referrers_format(const struct strbuf *list, const struct strbuf *manifest,
		     const char *media_type, const struct digest *digest, bool *out_is_new,
		     struct strbuf *out, struct err *err);

#endif
