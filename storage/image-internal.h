/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_INTERNAL_H
#define STORAGE_IMAGE_INTERNAL_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strbuf.h"
#include "storage/image.h"
#include "storage/store-internal.h"

/* What a text that names an image means. */
struct image_match {
	struct digest id;
	bool is_index;      /* of several images; else of one */
	bool by_name;       /* else by ID */
	char *name;         /* the key in the store, when by_name */
	struct store *home; /* borrowed: the store that was asked, or one that was added to it */
};
#define IMAGE_MATCH_INIT     \
	{                    \
		.name = NULL \
	}
#define auto_image_match __attribute__((cleanup(image_match_release)))
void image_match_release(struct image_match *match);

/* By its ID, in our lease; ERR_INPUT when it is not there. */
int image_load(struct store *store, const struct digest *id, struct image *out, struct err *err);

/* As the database keeps them. */
int image_annotations_parse(const char *text, struct strlist *out, struct err *err);

/* The image for @platform (NULL: this machine's) in index @id; @text names that in errors. */
int image_index_choose(struct store *store, const struct digest *id,
		       const struct platform *platform, const char *text, struct image *out,
		       struct err *err);

/* What @match means in an added store becomes an image of @store, too: its rows and documents, with
 * the layers left where they lie. */
int image_take_over(struct store *store, const struct image_match *match, struct err *err);

/* As image_find, without reading the image or taking it into the lease. In the store itself
 * first, then in those that were added. */
int image_resolve(struct store *store, const char *text, bool *out_found, struct image_match *out,
		  struct err *err);
/* The same, but not there is ERR_INPUT with a hint. */
int image_must_resolve(struct store *store, const char *text, struct image_match *out,
		       struct err *err);

#endif
