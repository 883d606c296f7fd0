/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SELECT_INTERNAL_H
#define BUILDER_SELECT_INTERNAL_H

#include "builder/select.h"

/* Where a selection ended before something was appended. */
struct select_mark {
	uint64_t at;
	size_t count;
	size_t way_count;
};
struct select_mark select_mark(const struct selection *selection);
/* Whether what was appended since then is more than ways. */
bool select_has_solid(const struct selection *selection, const struct select_mark *since);

void select_item_release(struct select_item *item);

/* Append @item, of a file that is @st: its digest is looked for now or by select_find_digests. */
int select_add_item(const struct select_tree *tree, struct selection *selection,
		    const struct select_item *item, const struct stat *st, struct err *err);
int select_find_digests(const struct select_tree *tree, struct selection *selection,
			struct err *err);

/* What was appended since @mark is a source. */
void select_add_source(struct selection *selection, const struct select_mark *mark,
		       const char *name, const char *path, bool is_directory);

#endif
