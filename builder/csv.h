/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CSV_H
#define BUILDER_CSV_H

#include "common/err.h"
#include "common/strlist.h"

/*
 * One line of comma-separated values, as in --mount and --device:
 *
 *   line  = field { "," field }
 *   field = { any but , and " } | '"' { any but " | '""' } '"'
 *
 * The fields are appended to @out. ERR_INPUT when a quote stands where none may.
 */
int csv_split(const char *line, struct strlist *out, struct err *err);

#endif
