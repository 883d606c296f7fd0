/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_POLICY_INTERNAL_H
#define BUILDER_POLICY_INTERNAL_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "builder/policy.h"

enum action { ACTION_ALLOW, ACTION_DENY, ACTION_CONVERT };
enum match { MATCH_WILDCARD, MATCH_EXACT, MATCH_REGEX };

struct rule {
	enum action action;
	enum match match;
	char *identifier;
	bool has_regex;
	regex_t regex;
	char *to;       /* CONVERT; NULL: the identifier stays */
	char *checksum; /* CONVERT; or NULL */
};

struct policy {
	struct rule *rules;
	size_t count;
};

#endif
