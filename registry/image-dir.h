/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_IMAGE_DIR_H
#define REGISTRY_IMAGE_DIR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "layers/descriptor.h"
#include "layers/stream.h"
#include "registry/archive-tar.h"

/* A place that is a directory with images in files, or a tar of one, to be read; whoever made it.
 */
struct image_dir {
	const char *kind;              /* for messages: "OCI layout" */
	const char *path;              /* as the user wrote it */
	int fd;                        /* borrowed */
	const struct archive_tar *tar; /* borrowed; NULL: it is fd */
};

/* A small one, whole. *out_found false, and no error, when it is not there. */
int image_dir_load_file(const struct image_dir *dir, const char *name, size_t limit,
			bool *out_found, struct strbuf *out, struct err *err);
/* The file @name as @blob, whose size is compared, the digest not. */
struct source *image_dir_open_blob(const struct image_dir *dir, const char *name,
				   const struct descriptor *blob, struct err *err);

#endif
