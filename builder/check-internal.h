/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CHECK_INTERNAL_H
#define BUILDER_CHECK_INTERNAL_H

#include "builder/check.h"

/* Where a finding is. */
struct check_place {
	const struct strlist *comments; /* right above: they may narrow the rules; or NULL */
	int line_start;
	int line_end;
};

/* A finding, unless the options or the comments say that nobody wants it. */
void check_warn(struct check_report *report, enum check_rule rule, struct check_place at,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

struct check_place check_at_stage(const struct stage *stage);
struct check_place check_at(const struct instruction *instruction);

/* Rules that need the text only. */
void check_texts(const struct check_input *input, struct check_report *report);

/* Rules that need the values of variables, and what a stage inherits. */
int check_values(const struct check_input *input, const struct platform *platform,
		 struct check_report *report, struct err *err);

#endif
