/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for labels of SELinux as --security-opt asks for them. Pure values. */
#include "sandbox/label.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { LABEL_USER, LABEL_ROLE, LABEL_TYPE, LABEL_LEVEL, LABEL_PARTS };
static const char *const part_names[LABEL_PARTS] = { "user", "role", "type", "level" };

/* The level is the rest: it may have a colon itself. */
static bool split(char *label, const char *out[LABEL_PARTS])
{
	for (size_t i = 0; i < LABEL_LEVEL; i++) {
		out[i] = strsep(&label, ":");
		if (!out[i] || !*out[i])
			return false;
	}
	out[LABEL_LEVEL] = label && *label ? label : NULL;
	return true;
}

static int take_part(const char *part, const char *parts[LABEL_PARTS], struct err *err)
{
	const size_t len = strcspn(part, ":");

	for (size_t i = 0; i < LABEL_PARTS; i++)
		if (strlen(part_names[i]) == len && strncmp(part_names[i], part, len) == 0 &&
		    part[len] && part[len + 1] &&
		    (i == LABEL_LEVEL || !strchr(part + len + 1, ':'))) {
			parts[i] = part + len + 1;
			return 0;
		}
	return err_set(err, ERR_USAGE,
		       "'%s' is not disable, user:NAME, role:NAME, type:NAME or level:LEVEL", part);
}

char *label_with_parts(const char *ours, const struct strlist *parts, struct err *err)
{
	auto_free char *copy = str_dup(ours);
	const char *have[LABEL_PARTS];

	copy[strcspn(copy, "\n")] = '\0';
	if (!split(copy, have)) {
		err_set(err, ERR_SYSTEM, "our own label '%s' is not of the form user:role:type",
			copy);
		return NULL;
	}
	for (size_t i = 0; i < parts->count; i++)
		if (take_part(parts->items[i], have, err) < 0)
			return NULL;
	return str_format("%s:%s:%s%s%s", have[LABEL_USER], have[LABEL_ROLE], have[LABEL_TYPE],
			  have[LABEL_LEVEL] ? ":" : "", have[LABEL_LEVEL] ? have[LABEL_LEVEL] : "");
}
