/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ANNOTATION_H
#define BUILDER_ANNOTATION_H

#include <stddef.h>

#include "builder/platforms.h"
#include "common/err.h"
#include "common/strlist.h"

/*
 * The values of --annotation:
 *
 *   [PLACE[,PLACE…]:]KEY=VALUE    where PLACE is NAME or NAME[PLATFORM]
 *
 * NAME is manifest (also when there is no PLACE), index, or manifest-descriptor: the entry of a
 * manifest in the index. With a PLATFORM it is of that one's image alone.
 */
enum annotation_place {
	ANNOTATION_MANIFEST,
	ANNOTATION_INDEX,
	ANNOTATION_DESCRIPTOR,
};

struct annotation {
	enum annotation_place place;
	struct platform platform; /* .os NULL: each */
	char *key;
	char *value;
};

struct annotations {
	struct annotation *items;
	size_t count;
};
#define ANNOTATIONS_INIT      \
	{                     \
		.items = NULL \
	}
void annotations_release(struct annotations *annotations);
#define auto_annotations __attribute__((cleanup(annotations_release)))

/* ERR_USAGE when @texts are none, or are of what a build for @platforms does not make. */
int annotations_parse(const struct strlist *texts, const struct platforms *platforms,
		      struct annotations *out, struct err *err);

/* Those of @place, for @platform (not of an index), "key=value" by key; the last of one key. */
void annotations_pick(const struct annotations *annotations, enum annotation_place place,
		      const struct platform *platform, struct strlist *out);

#endif
