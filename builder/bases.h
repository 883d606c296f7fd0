/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_BASES_H
#define BUILDER_BASES_H

#include "builder/build.h"
#include "builder/plan.h"
#include "common/strbuf.h"

/*
 * The images that a Buildfile names and the store lacks, brought at the same time before the plan
 * asks for one after the other. What only an image itself could tell (an ONBUILD COPY --from) is
 * not among them.
 */
struct base {
	char *name;
	struct platform platform;
	bool is_tried;
	bool has_failed;
	struct strbuf found_by; /* when it has not */
	struct err err;         /* when it has */
};
struct bases {
	struct base *items;
	size_t count;
};
#define BASES_INIT            \
	{                     \
		.items = NULL \
	}
#define auto_bases __attribute__((cleanup(bases_release)))
void bases_release(struct bases *bases);

/*
 * @input: what the plan will be made of. Fails only where the host does: that an image cannot be
 * had, or the Buildfile cannot be planned, is for the plan to say, at its place.
 */
int bases_bring(const struct build_request *request, const struct plan_input *input,
		struct bases *out, struct err *err);

/* How it went with one; NULL when it was not tried. */
const struct base *bases_find(const struct bases *bases, const char *name,
			      const struct platform *platform);

#endif
