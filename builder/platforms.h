/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PLATFORMS_H
#define BUILDER_PLATFORMS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strlist.h"
#include "layers/descriptor.h"

/* What a build is for, and where it is done. */
struct platforms {
	struct platform native;   /* of this machine */
	struct platform *targets; /* at least one, no two the same */
	size_t count;
	bool is_explicit; /* the user asked for them: the images say that they are for these */
	bool is_index;    /* what comes out is an index of an image for each */
};

#define PLATFORMS_INIT          \
	{                       \
		.targets = NULL \
	}
void platforms_release(struct platforms *platforms);
#define auto_platforms __attribute__((cleanup(platforms_release)))

/*
 * Take the values of --platform: each a list "os/arch[/variant],…", where "local" is this
 * machine's. None at all is this machine's, not asked for. ERR_USAGE.
 */
int platforms_parse(const struct strlist *texts, struct platforms *out, struct err *err);

#endif
