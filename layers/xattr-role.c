/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the name of an extended attribute on disk means: the file's own, the
 * host's, or overlay's; and how overlay's names are escaped. What the marks of
 * deletions mean is left to whiteout.
 */
#include <string.h>

#include "common/mem.h"
#include "layers/entry.h"
#include "layers/record.h"
#include "layers/xattrs-internal.h"

#define ESCAPE "overlay."

const char *overlay_prefix(enum overlay_ns ns)
{
	return ns == OVERLAY_TRUSTED ? "trusted.overlay." : "user.overlay.";
}

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/*
 * What a layer carries is what a container itself can set, in the namespaces
 * that every host has. XFS shows an ACL a second time as trusted.SGI_ACL_*,
 * which would make the digest depend on the file system.
 */
bool xattr_name_is_of_host(const char *name)
{
	static const char *const labels[] = { "security.selinux", "security.ima", "security.evm",
					      "security.apparmor", RECORD_NAME };

	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
		if (strcmp(name, labels[i]) == 0)
			return true;
	if (has_prefix(name, "security.SMACK64") || has_prefix(name, "trusted.SGI_ACL_"))
		return true;
	if (has_prefix(name, "system."))
		return !has_prefix(name, "system.posix_acl_");
	return !has_prefix(name, "user.") && !has_prefix(name, "trusted.") &&
	       !has_prefix(name, "security.");
}

enum xattr_role xattr_role(const char *name, enum overlay_ns ns)
{
	static const struct {
		const char *word;
		enum xattr_role role;
	} words[] = {
		{ "opaque", XATTR_OPAQUE },        { "whiteout", XATTR_WHITEOUT },
		{ "redirect", XATTR_REDIRECT },    { "metacopy", XATTR_METACOPY },
		{ "implied-root", XATTR_IMPLIED },
	};
	const char *prefix = overlay_prefix(ns);

	if (!has_prefix(name, prefix))
		return xattr_name_is_of_host(name) ? XATTR_HOST : XATTR_PLAIN;
	name += strlen(prefix);
	if (has_prefix(name, ESCAPE))
		return XATTR_ESCAPED;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(name, words[i].word) == 0)
			return words[i].role;
	return XATTR_BOOKKEEPING;
}

bool xattr_role_is_overlays(enum xattr_role role)
{
	return role != XATTR_PLAIN && role != XATTR_ESCAPED && role != XATTR_HOST;
}

char *xattr_name_escape(const char *name, enum overlay_ns ns)
{
	const char *prefix = overlay_prefix(ns);

	if (!has_prefix(name, prefix))
		return NULL;
	return str_format("%s" ESCAPE "%s", prefix, name + strlen(prefix));
}

char *xattr_name_unescape(const char *name, enum overlay_ns ns)
{
	const char *prefix = overlay_prefix(ns);

	return str_format("%s%s", prefix, name + strlen(prefix) + strlen(ESCAPE));
}
