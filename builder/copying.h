/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COPYING_H
#define BUILDER_COPYING_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/copy.h"
#include "builder/download.h"
#include "builder/select.h"
#include "builder/step.h"
#include "common/err.h"

/* One COPY or ADD at work: its sources and its cache keys. What is made of them is step-copy.c's.
 */

/* A source that comes from the network, and the tree that it is here. */
struct remote_tree {
	struct download download;
	struct select_tree tree;
};

struct copying {
	struct stage_run *run;
	const struct step *step;
	const struct plan_copy *plan;
	struct select_tree tree;
	char *what;
	struct chain image_chain;    /* of an image that is copied from */
	struct chain *from;          /* of the stage or image that is copied from, or NULL */
	struct remote_tree *remotes; /* of each of the plan's sources */
	struct selection selection;
	size_t *words;    /* of each source of the selection: which of the plan's */
	bool *is_archive; /* of each source of the selection */
	bool has_archive;
	struct copy_options options;
	struct late_digests *late;
	struct originals *originals;
};

/* Where the sources are; nothing is opened yet. */
void copying_find_tree(struct copying *copying);
/* Sources from the network: make room for each, and find out what git's names stand for. */
int copying_resolve(struct copying *copying, struct err *err);
/* Find all sources, bringing here what is not; errors name the word of the instruction. */
int copying_select(struct copying *copying, struct err *err);
/* Where the files of a source of the selection are. */
const struct select_tree *copying_tree_of(const struct copying *copying, size_t source);
void copying_release(struct copying *copying);

/* Whether it is known what each source holds before it is brought here. */
bool copying_is_pinned(const struct copying *copying);
/* The key by checksums and commits: neither the URL nor the name of a branch matters. */
void copying_key_by_pins(const struct copying *copying, struct digest *out);
/* The key by the stage or image that is copied from, as a whole. */
void copying_key_by_chain(const struct copying *copying, struct digest *out);
/* The key by the selected files; with their content, all digests have to be known. */
int copying_key_by_files(const struct copying *copying, bool with_content, struct digest *out,
			 struct err *err);

#endif
