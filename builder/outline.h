/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OUTLINE_H
#define BUILDER_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/ast.h"
#include "builder/plan.h"
#include "common/json.h"
#include "common/strbuf.h"

/*
 * What a Buildfile offers to those who build it: the build arguments that a target takes with
 * their values, the secrets and agents it asks for, the caches it keeps; and the
 * stages that can be a target.
 */
enum outline_kind { OUTLINE_ARG, OUTLINE_SECRET, OUTLINE_SSH, OUTLINE_CACHE };

struct outline_item {
	enum outline_kind kind;
	char *name;
	char *value;      /* of an ARG; or NULL */
	const char *doc;  /* borrowed from the AST; or NULL */
	bool is_required; /* secret, ssh */
	int line_start;
	int line_end;
};

struct outline {
	const struct stage *target;
	struct outline_item *items; /* by kind, then by line; one of each name */
	size_t count;
};

#define OUTLINE_INIT           \
	{                      \
		.items = NULL, \
	}
#define auto_outline __attribute__((cleanup(outline_release)))
void outline_release(struct outline *outline);

/* Borrows the AST of @input. ERR_INPUT as plan_make. */
int outline_make(const struct plan_input *input, struct outline *out, struct err *err);

void outline_print(const struct outline *outline, struct strbuf *out);
struct json *outline_to_json(const struct outline *outline);

/* The stages: "NAME (default)  DESCRIPTION". A stage without a name is called by its number. */
void targets_print(const struct ast *ast, struct strbuf *out);
struct json *targets_to_json(const struct ast *ast);

#endif
