/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PARSE_H
#define BUILDER_PARSE_H

#include <stddef.h>

#include "builder/ast.h"
#include "common/err.h"

/*
 * Buildfile text to AST. All that can be said against a Buildfile from its
 * text alone is said here, as ERR_INPUT with its place: unknown instructions
 * and flags, values out of range, heredocs without end, wrong triggers.
 */

/* NULL on failure. @name is used in messages. */
struct ast *parse_buildfile(const char *name, const char *data, size_t len, struct err *err);

/* The same with all that @fd gives. */
struct ast *parse_fd(const char *name, int fd, struct err *err);

/*
 * One trigger from an image's config.OnBuild: an ast with one stage without
 * base (base is NULL) that holds exactly one instruction. The escape
 * character is '\'. Errors begin with "ONBUILD trigger".
 */
struct ast *parse_trigger(const char *text, struct err *err);

#endif
