/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_LISTING_H
#define REGISTRY_LISTING_H

#include <stddef.h>

#include "common/err.h"
#include "common/json.h"
#include "common/strlist.h"
#include "layers/ref.h"
#include "registry/client.h"
#include "registry/endpoint.h"

/*
 * What a registry knows of a repository: the tags that are there, and the manifests that are about
 * another one (signatures, SBOMs). Asked page by page: to where the registry's "Link" leads, else
 * from the last name on. Its mirrors are not asked.
 */

/* In the registry's order. @ref's tag and digest do not count. */
int listing_tags(const struct image_ref *ref, const struct access_options *access,
		 const struct client_options *options, struct strlist *out, struct err *err);

/*
 * *out: an array of descriptors, the caller's, of those that are about what @ref names; with
 * @artifact_type (or NULL) those of that type. Where the registry keeps no list it is the one
 * under the tag sha256-HEX (registry/referrers.h).
 */
int listing_referrers(const struct image_ref *ref, const char *artifact_type,
		      const struct access_options *access, const struct client_options *options,
		      struct json **out, struct err *err);

/* ---- what comes ---- */

/* {"tags": [NAME…]}: appended. ERR_REMOTE unless all are names of tags. */
int listing_parse_tags(const char *data, size_t len, struct strlist *out, struct err *err);
/* An index: its descriptors of @artifact_type (NULL: all) are appended to the array @out. */
int listing_parse_referrers(const char *data, size_t len, const char *artifact_type,
			    struct json *out, struct err *err);
/*
 * Where the header Link, <URL>; rel="next", leads from @path: a path or a whole URL, the caller's;
 * NULL when it does not.
 */
char *listing_next(const char *link, const char *path);

#endif
