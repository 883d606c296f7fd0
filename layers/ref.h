/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_REF_H
#define LAYERS_REF_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strbuf.h"

/*
 * Names of images, as docker's distribution/reference reads them:
 *
 *   [host[:port]/]path[:tag][@sha256:<hex>]
 *
 * The first part is a host if it holds '.' or ':' or is "localhost"; else the
 * host is docker.io, and a path of one word there gets "library/" in front.
 * Name with host ≤ 255 bytes, path [a-z0-9]+ with separators . _ __ -* and '/', tag
 * [A-Za-z0-9_][A-Za-z0-9._-]{0,127}.
 */
struct image_ref {
	char *host; /* "docker.io", "localhost", "127.0.0.1:5000" */
	char *path; /* "library/debian" */
	char *tag;  /* NULL when none was written */
	bool has_digest;
	struct digest digest;
};

#define IMAGE_REF_INIT       \
	{                    \
		.host = NULL \
	}
#define auto_image_ref __attribute__((cleanup(image_ref_release)))
void image_ref_release(struct image_ref *ref);

int image_ref_parse(const char *text, struct image_ref *out, struct err *err);

/* "docker.io/library/debian:latest": the key in the store; the tag is "latest" when there is
 * neither tag nor digest. */
void image_ref_format(const struct image_ref *ref, struct strbuf *out);
/* "debian:latest": what people write and docker shows. */
void image_ref_format_familiar(const struct image_ref *ref, struct strbuf *out);

/* Tags alone: for "oci:DIR:TAG". */
bool image_ref_is_tag(const char *text);

#endif
