/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_PULL_H
#define SANDBOX_PULL_H

#include "common/err.h"
#include "storage/store.h"

/*
 * Have imgpull bring the image that a container is to be of: @when "always", "never", or "missing",
 * also NULL. Images of "localhost" come from nowhere.
 */
int pull_image(struct store *store, const char *image, const char *platform, const char *when,
	       struct err *err);

#endif
