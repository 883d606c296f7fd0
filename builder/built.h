/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_BUILT_H
#define BUILDER_BUILT_H

#include "builder/build.h"
#include "builder/step.h"
#include "layers/config.h"
#include "storage/layer.h"

/* What a build comes to: all its layers are in the store, the images are not recorded yet. */
struct built_image {
	struct image_config config;
	struct layer *layers; /* lowest first */
	size_t layer_count;
};

struct built {
	struct built_image *images; /* for each platform */
	size_t image_count;
	struct layer *others; /* of the other stages, and those that were squashed */
	size_t other_count;
};

#define BUILT_INIT             \
	{                      \
		.images = NULL \
	}
#define auto_built __attribute__((cleanup(built_release)))
void built_release(struct built *built);

/* Of stages that are done. */
int built_take(struct built *out, struct build *build, struct err *err);

/* The image, or the index of several, named by the request's tags; nothing if it is_unrecorded. */
int built_record(const struct built *built, const struct build_request *request,
		 struct digest *out_id, struct err *err);

#endif
