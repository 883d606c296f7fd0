/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_METADATA_H
#define BUILDER_METADATA_H

#include "builder/build.h"

/*
 * What --metadata-file tells of what was built, as docker buildx does: one JSON object with
 * containerimage.digest and containerimage.descriptor of the manifest or index,
 * containerimage.config.digest of one image, and image.name. The manifest of an image is made
 * for that, and with it the compressed layers that a push would make. @id NULL: no image
 * was recorded, and there is nothing to tell.
 */
int metadata_write(const char *path, const struct build_request *request, const struct digest *id,
		   struct err *err);

#endif
