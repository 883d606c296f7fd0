/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SQUASH_H
#define BUILDER_SQUASH_H

#include "builder/step.h"

/*
 * Put layers of stage @target, which is done, into one, as the request says, and have
 * @config (the target's, settled) speak of it: its entries of history stay and have no layer any
 * more, one that has it is added. *out_chain gets the layers that there are then. Of a single
 * layer nothing is made, and *out_is_squashed is false. The layers that it was
 * made of stay in the cache.
 */
int squash_layers(struct build *build, size_t target, struct image_config *config,
		  struct chain *out_chain, bool *out_is_squashed, struct err *err);

#endif
