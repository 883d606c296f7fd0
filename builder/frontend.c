/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which front ends are the one that is built in.
 */
#include "builder/frontend.h"

#include <string.h>

/* What is behind @prefix, or @text itself. */
static const char *skip(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : text;
}

bool frontend_is_builtin(const char *text)
{
	static const char internal[] = "dockerfile.v0";
	static const char name[] = "docker/dockerfile";
	const char *rest;

	text += strspn(text, " \t");
	if (strcspn(text, " \t") == strlen(internal) &&
	    strncmp(text, internal, strlen(internal)) == 0)
		return true;
	text = skip(text, "docker.io/");
	rest = skip(text, name);
	if (rest == text)
		return false;
	rest = skip(rest, "-upstream");
	return rest[0] == '\0' || strchr(": \t@", rest[0]);
}
