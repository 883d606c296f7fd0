/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_NAMED_H
#define BUILDER_NAMED_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/context.h"
#include "common/err.h"
#include "storage/store.h"

/*
 * Contexts beside the main one, which FROM and --from call by name:
 *
 *   NAME=DIR
 *   NAME=docker-image://IMAGE      also container-image://, docker://, or just IMAGE
 *   NAME=https://…, git://…        an archive, or a git repository
 *   NAME=oci-layout://PATH[:TAG]   also @sha256:DIGEST
 *
 * A name takes the place of a stage or an image of that name. Images of a layout are brought into
 * the store, and named "localhost/build-context/NAME" there.
 */
enum named_kind { NAMED_DIRECTORY, NAMED_IMAGE };

struct named_context {
	char *name;
	enum named_kind kind;
	bool all_platforms;     /* of an index in a layout: not this machine's image alone */
	char *image;            /* NAMED_IMAGE: its name or ID in the store */
	struct context context; /* NAMED_DIRECTORY; with its own ignore file */
};

struct named_contexts {
	struct named_context *items;
	size_t count;
	bool all_platforms; /* of those that are added */
};

#define NAMED_INIT            \
	{                     \
		.items = NULL \
	}
#define auto_named __attribute__((cleanup(named_release)))
void named_release(struct named_contexts *contexts);

/*
 * Open "NAME=VALUE"; a later one replaces an earlier one of its name. ERR_USAGE when it is none.
 * place->store NULL: nothing is brought here from elsewhere.
 */
int named_add(struct named_contexts *contexts, const char *text, const struct download_place *place,
	      struct err *err);

/* By its name, case aside, or as the image that it is called like; NULL when there is none. */
const struct named_context *named_find(const struct named_contexts *contexts, const char *name);

#endif
