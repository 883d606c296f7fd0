/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_EXPORT_H
#define STORAGE_EXPORT_H

#include "common/err.h"
#include "layers/stream.h"
#include "storage/image.h"
#include "storage/store.h"

/*
 * The root file system of an image, or of a stopped container, as one tar: the same bytes for the
 * same tree. What is deleted in a layer is not in it. Finishes @sink.
 */
int export_image(struct store *store, const struct image *image, struct sink *sink,
		 struct err *err);
/* By name or ID; ERR_INPUT when there is none, or it is running. */
int export_container(struct store *store, const char *text, struct sink *sink, struct err *err);

#endif
